// Small helps for forms with secrets: the set-up code out of the address, passwords that can be looked at, tokens that can be copied.

const code = document.getElementById("code");
function takeCode() {
  const match = location.hash.match(/^#setup=([\w-]+)$/);
  if (!code || !match) return;
  code.value = match[1];
  history.replaceState(null, "", location.pathname + location.search);
  document.getElementById("password")?.focus();
}
takeCode();
addEventListener("hashchange", takeCode); // the link opened while the page was open already

for (const field of document.querySelectorAll('input[type="password"]')) {
  const button = document.createElement("button");
  const label = document.querySelector(`label[for="${field.id}"]`)?.textContent ?? "password";
  button.type = "button";
  button.className = "quiet reveal";
  const paint = () => {
    const shown = field.type === "text";
    button.textContent = shown ? "Hide" : "Show";
    button.setAttribute("aria-label", `${button.textContent}: ${label}`);
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
  const check = () => again.setCustomValidity(again.value && again.value !== first.value ? "The two are not the same." : "");
  first.addEventListener("input", check);
  again.addEventListener("input", check);
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Press Ctrl+C"; // no clipboard over plain http
    }
  });
}
