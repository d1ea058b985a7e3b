// A sign-in to ChatGPT under way: looks every few seconds what became of it, and shows the page anew when something did.

const EVERY_MS = 3000;
const place = document.getElementById("sign-in");

async function look() {
  try {
    const answer = await fetch(place.dataset.state, { headers: { Accept: "application/json" } });
    // What is typed into the form must not get lost while nothing has changed.
    if (!answer.ok || (await answer.json()).state !== "waiting") location.reload();
  } catch { /* the machine sleeps, or the service starts again: the next look may work */ }
  setTimeout(look, EVERY_MS);
}
setTimeout(look, EVERY_MS);
