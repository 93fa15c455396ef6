// What unfold's and Django's own scripts leave out, for who uses no mouse or sees no screen.
(() => {
  // A dialog says what it is, takes the focus, and gives it back where it is left by Escape.
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

  // A choice that is searched for has the name of its field; a hint's icon is one.
  const name = () => {
    for (const select of document.querySelectorAll("select.admin-autocomplete")) {
      const label = select.labels[0]?.textContent.trim() ?? "";
      const parts = select.parentElement.querySelectorAll("[role=combobox], [role=textbox]");
      parts.forEach((part) => part.setAttribute("aria-label", label));
    }
    for (const icon of document.querySelectorAll("span.help-tooltip[aria-label]")) {
      icon.setAttribute("role", "img");
    }
  };
  window.addEventListener("load", () => setTimeout(name)); // after those that make them
})();
