"""A headless Chromium, as a person with a screen, a phone, or the dark mode on would use it."""

import base64
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from e2e.ending import CannotStart
from e2e.environment import ROOT
from e2e.waiting import until

CHROMIUM, DRIVER = ("chromium", "chromium-browser", "google-chrome"), "chromedriver"
AXE = "axe-core@4.14.1"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]  # the rest is unfold's own taste
CACHE = ROOT / "var" / "npm"  # nothing is installed outside of this folder
SECONDS = 20.0  # that a page may take on a busy machine
SCREEN, PHONE = (1280, 900), (390, 844)


class Browser:
    """As a context manager. Raises CannotStart, saying what to install, where there is none."""

    def __enter__(self) -> Self:
        chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
        driver, npm = shutil.which(DRIVER), shutil.which("npm")
        if not (chromium and driver and npm):
            raise CannotStart(
                "The browser's tests need Chromium, its driver and npm. "
                "On Debian: apt install chromium chromium-driver npm"
            )
        options = ChromeOptions()
        options.binary_location = chromium
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
            options.add_argument(flag)
        self.chrome = Chrome(options, Service(driver))
        self.chrome.set_page_load_timeout(SECONDS)
        self.chrome.set_script_timeout(SECONDS)
        self.axe = axe(npm)
        self.show()
        return self

    def __exit__(self, *details: Any) -> None:
        self.chrome.quit()

    def show(self, size: tuple[int, int] = SCREEN, *, dark: bool = False) -> None:
        """Be a screen of this size, in a system that is light or dark."""
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1}
        self._tell("Emulation.setDeviceMetricsOverride", mobile=size == PHONE, **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._tell("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url: str) -> None:
        self.chrome.get(url)

    def find(self, selector: str) -> WebElement:
        """The first element that a CSS selector names, once it is there."""
        return until(lambda: next(iter(self.all(selector)), None), within=SECONDS, what=selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.chrome.find_elements(By.CSS_SELECTOR, selector)

    def links(self, selector: str) -> list[str]:
        return [str(link.get_attribute("href")) for link in self.all(selector)]

    def text(self) -> str:
        return "\n".join(self.texts("body"))

    def texts(self, selector: str) -> list[str]:
        """What is read in each element: asked in one step, for a page may go between two."""
        elements = "Array.from(document.querySelectorAll(arguments[0]))"
        return list(self.run(f"return {elements}.map(one => one.innerText)", selector))

    def wait_for(self, text: str) -> None:
        until(lambda: text in self.text(), within=SECONDS, what=f"{text!r} on the page")

    def press(self, *keys: str) -> None:
        """Type, into what has the focus."""
        self.chrome.switch_to.active_element.send_keys(*keys)

    def tab_to(self, selector: str, *, most: int = 60) -> None:
        """Reach an element as someone without a mouse does."""
        for _ in range(most):
            if self.has_focus(selector):
                return
            self.press(Keys.TAB)
        raise AssertionError(f"{selector} was not reached by {most} times Tab")

    def has_focus(self, selector: str) -> bool:
        return bool(self.run("return document.activeElement?.matches(arguments[0])", selector))

    def wait_for_focus(self, selector: str) -> None:
        until(lambda: self.has_focus(selector), within=SECONDS, what=f"the focus on {selector}")

    def run(self, script: str, *arguments: Any) -> Any:
        return self.chrome.execute_script(script, *arguments)

    def barriers(self) -> list[str]:
        """What on this page is not as WCAG 2.2 AA asks, as far as axe-core sees it."""
        self.run(self.axe)
        found = self.chrome.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run({runOnly: arguments[0]}).then(done, error => done(String(error)))",
            WCAG,
        )
        return [
            f"{one['id']}: {node['html'][:200]} {node['failureSummary']}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    def strangers(self) -> set[str]:
        """The other hosts that something on this page was loaded from."""
        urls = self.run("return performance.getEntriesByType('resource').map(one => one.name)")
        own = urlsplit(self.chrome.current_url).netloc
        return {urlsplit(url).netloc for url in urls} - {own, ""}

    def complaints(self) -> list[str]:
        """What the console has said since the last time."""
        return [entry["message"] for entry in self.chrome.get_log("browser")]

    def width_missing(self) -> int:
        """By how many pixels the page is wider than the screen."""
        page = "document.documentElement.scrollWidth - window.innerWidth"
        return max(0, int(self.run(f"return {page}")))

    def screenshot(self, file: Path) -> None:
        """The whole page, however long."""
        size = self._tell("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self._tell("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        file.write_bytes(base64.b64decode(shot["data"]))

    def _tell(self, command: str, **parameters: Any) -> Any:
        return self.chrome.execute_cdp_cmd(command, parameters)


def axe(npm: str) -> str:
    """axe-core, as a script to run in a page."""
    with tempfile.TemporaryDirectory(prefix="axe-") as folder:
        command = [npm, "install", "--prefix", folder, "--no-audit", "--no-fund", "--cache"]
        done = subprocess.run(
            [*command, str(CACHE), AXE], capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            raise CannotStart(f"{AXE} could not be had:\n{done.stderr}")
        return Path(folder, "node_modules", "axe-core", "axe.min.js").read_text()
