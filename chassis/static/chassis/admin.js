// unfold's dialog, for who uses no mouse or sees no screen: it says what it is, takes the focus, and
// gives it back where it is left by Escape.
(() => {
  let opener = null;

  document.addEventListener("htmx:afterSettle", ({ target }) => {
    if (target.id !== "modal-content") return;
    opener = document.activeElement;
    target.setAttribute("role", "dialog");
    target.setAttribute("aria-modal", "true");
    target.setAttribute("aria-label", target.querySelector("h1")?.textContent.trim() ?? "");
    setTimeout(() => target.querySelector("button[type=submit]")?.focus(), 50); // once it is shown
  });

  document.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || !opener) return;
    opener.focus();
    opener = null;
  });
})();
