// Keeps a board current without touching anything else: takes the server's own new rendering each minute. While none
// comes it says so and goes on trying, so that a board on a wall comes back by itself.
// Nothing is stored: no cookie, no local storage.

const EVERY = 60000, PATIENCE = 20000;
let etag = null;

async function renew() {
  try {
    const response = await fetch(location.href, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    if (response.status === 404) return location.reload(); // the link opens nothing any more: the server says so
    if (response.status !== 304) await show(response);
    lost(false);
  } catch {
    lost(true);
  }
}

async function show(response) {
  const page = response.ok && new DOMParser().parseFromString(await response.text(), "text/html");
  const part = page && page.getElementById("board");
  if (!part) throw new Error("no board");
  document.getElementById("board").replaceWith(document.adoptNode(part));
  etag = response.headers.get("ETag");
}

function lost(isLost) {
  document.querySelector(".lost").hidden = !isLost;
}

// A frame that was given no origin of its own may not fetch: it can only load itself again.
const again = self.origin === "null" ? () => location.reload() : renew;
setInterval(again, EVERY);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && again());
