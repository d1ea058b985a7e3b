// The account form: files can be dropped, a single file suggests the account's name, and what is found in files or in a pasted
// text is shown at once, before anything is saved.

const { _ } = window.quota;
const drop = document.getElementById("drop"), input = document.getElementById("auth_file"), said = document.getElementById("drop-said");
const name = document.getElementById("name"), pasted = document.getElementById("auth_json");
const MOST_BYTES = 2 * 1024 * 1024;
let suggested = "";

function suggest(words) {
  if (name.value && name.value !== suggested) return;
  suggested = words;
  name.value = words;
}

const named = (files) => files.map((file) => file.name).join(", ");

function tell() {
  const files = [...input.files];
  const large = files.filter((file) => file.size > MOST_BYTES);
  if (!files.length) said.textContent = _("Codex keeps it in ~/.codex/auth.json");
  else if (large.length) said.textContent = _("Too large: %(files)s (2 MiB at most).", { files: named(large) });
  else said.textContent = files.length === 1 ? _("%(file)s, ready to save.", { file: files[0].name }) : _("%(count)s files: %(files)s", { count: files.length, files: named(files) });
  if (files.length === 1) suggest(files[0].name.replace(/(\.auth)?\.json$/i, "").replace(/^auth$/i, ""));
  name.disabled = files.length > 1;
  look();
}

const form = document.getElementById("account-form"), found = document.getElementById("found-now");
let looks = 0, typing = 0;

// One line an account, as the page that follows has it; what is wrong is told when the form is sent.
function lines(page) {
  return [...page.querySelectorAll("#found-form .found > li")].map((row) => {
    const line = document.createElement("p"), here = row.querySelector("label:not(.sr)");
    row.querySelectorAll(".hint br").forEach((end) => end.replaceWith(". "));
    const told = row.querySelector(".hint").textContent.replace(/\s+/g, " ").replace(/ \./g, ".").trim();
    line.textContent = here ? `${here.textContent.trim()}: ${told}` : told;
    return line;
  });
}

async function look() {
  const mine = ++looks;
  if (!found) return;
  if (!input.files.length && !(pasted.value.trim() && pasted.checkValidity())) return found.replaceChildren();
  const answer = await fetch(form.dataset.preview, { method: "POST", body: new FormData(form) }).catch(() => null);
  const page = answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
  if (mine === looks) found.replaceChildren(...(page ? lines(page) : []));
}

input.addEventListener("change", tell);
for (const kind of ["dragenter", "dragover"]) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  const files = new DataTransfer();
  const given = [...event.dataTransfer.files];
  (input.multiple ? given : given.slice(0, 1)).forEach((file) => files.items.add(file));
  if (!files.files.length) return;
  input.files = files.files;
  tell();
});
// A file that misses the zone must not replace the page.
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());

// Whether more brackets open than close, outside of strings: then the end of the last file is missing.
function isCut(text) {
  let open = 0;
  for (const [piece] of text.matchAll(/"(?:[^"\\]|\\.)*"?|[{}[\]]/gs)) {
    if (piece === "{" || piece === "[") open += 1;
    else if (piece === "}" || piece === "]") open -= 1;
  }
  return open > 0;
}

pasted.addEventListener("input", () => {
  // Only a file that is cut is told at once; whatever else it is, the server knows better, and several in a row are fine.
  const text = pasted.value.trim();
  pasted.setCustomValidity(/^[{[]/.test(text) && isCut(text) ? _("This is no complete JSON yet: copy the whole file.") : "");
  clearTimeout(typing);
  typing = setTimeout(look, 400);
});
// What was chosen or pasted before this script was here, or is back from an earlier visit.
if (input.files.length) tell();
else look();
