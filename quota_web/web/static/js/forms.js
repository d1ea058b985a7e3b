// Small helps for forms with secrets: the set-up code out of the address, passwords that can be looked at, tokens that can be copied.

const { _ } = window.quota;
const code = document.getElementById("code");
const CODE = "setup-code"; // kept for this tab: the page that says what is wrong with a password has no fragment any more
function takeCode() {
  if (!code) return;
  const match = location.hash.match(/^#setup=([\w-]+)$/), field = code.closest(".field");
  if (match) {
    field.classList.remove("has-error");
    history.replaceState(null, "", location.pathname + location.search);
    try { sessionStorage.setItem(CODE, match[1]); } catch { /* private window: only for this page */ }
  }
  let known = match?.[1];
  try { known ??= sessionStorage.getItem(CODE); } catch { /* the same */ }
  // A code that was refused has to be looked at, and typed anew.
  const hides = Boolean(known) && !field.classList.contains("has-error");
  if (hides) code.value = known;
  field.hidden = document.getElementById("how-to-link").hidden = hides;
  if (hides) document.getElementById("password")?.focus();
}
takeCode();
addEventListener("hashchange", takeCode); // the link opened while the page was open already

for (const field of document.querySelectorAll('input[type="password"]')) {
  const button = document.createElement("button");
  const label = document.querySelector(`label[for="${field.id}"]`)?.textContent ?? _("Password");
  button.type = "button";
  button.className = "quiet reveal";
  const paint = () => {
    const shown = field.type === "text";
    button.textContent = shown ? _("Hide") : _("Show");
    button.setAttribute("aria-label", _("%(act)s: %(field)s", { act: button.textContent, field: label }));
  };
  button.addEventListener("click", () => {
    field.type = field.type === "text" ? "password" : "text";
    paint();
    field.focus();
  });
  field.form.addEventListener("submit", () => { field.type = "password"; });
  field.after(button);
  paint();
}

const first = document.getElementById("password"), again = document.getElementById("password_again");
if (again) {
  const check = () => again.setCustomValidity(again.value && again.value !== first.value ? _("The two are not the same.") : "");
  first.addEventListener("input", check);
  again.addEventListener("input", check);
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = _("Copied");
    } catch {
      button.textContent = _("Press Ctrl+C"); // no clipboard over plain http
    }
  });
}
