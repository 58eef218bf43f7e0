// The frame of every page: says when paging has stopped or the server is away, and keeps clocks running.
const root = document.documentElement;
const beat = document.getElementById("beat");
const age = document.getElementById("alarm-age");
const STALE_AFTER_S = 30;
const HEALTH_EVERY_MS = 10_000;

const [SECOND, MINUTE] = root.lang.startsWith("tr") ? ["sn", "dk"] : ["s", "min"];

function seconds(value) {
  return value < 60 ? `${Math.round(value)} ${SECOND}` : `${Math.floor(value / 60)} ${MINUTE}`;
}

async function listen() {
  try {
    const answer = await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(8000) });
    const health = await answer.json();
    const engine = health.engine_age_s;
    const stale = engine === undefined ? health.status === "down" : engine === null || engine > STALE_AFTER_S;
    if (stale) root.dataset.state = "stale";
    else delete root.dataset.state;
    if (engine !== undefined && engine !== null) {
      if (age) age.textContent = seconds(engine);
      if (beat) beat.lastElementChild.textContent = beat.dataset.ok.replace("%s", seconds(engine));
    }
    beat?.classList.remove("off");
  } catch {
    if (!beat) return;
    beat.lastElementChild.textContent = beat.dataset.off;
    beat.classList.add("off");
  }
}

if (beat || age) {
  setInterval(() => { if (!document.hidden) listen(); }, HEALTH_EVERY_MS);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) listen(); });
}

// A menu closes when the attention goes elsewhere.
for (const menu of document.querySelectorAll("details.menu")) {
  document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}

// A form is sent once: a second touch while the first is under way does nothing.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent && form.method === "post") { event.preventDefault(); return; }
  form.dataset.sent = "1";
  setTimeout(() => { delete form.dataset.sent; }, 4000);
});
window.addEventListener("pageshow", () => { for (const form of document.forms) delete form.dataset.sent; });

for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => print());
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.setAttribute("aria-label", button.dataset.done);
  });
}
