// The escalation on a phone: its clocks run, what others do appears within seconds, and red makes a sound until stopped.
import "../clinic/js/clocks.js";
import { queue, uuid7 } from "../clinic/js/queue.js";
import { refresh } from "../clinic/js/refresh.js";
import { fetchCase, keepPage, keptCase } from "./kept.js";
import { hm } from "./bedside_cards.js";
import { LONGEST, sentBy, watchActs } from "./sent.js";

refresh("#live", 4000);

// While there is a connection the phone keeps the case and its form, so that both open where there is none.
const id = /\/escalations\/([0-9a-f-]{36})\//.exec(location.pathname)[1];
const panel = document.getElementById("not-sent");
const waits = document.getElementById("waits");
// Who may not write there (an administrator, an auditor) has nothing to keep.
const writes = "bedside" in document.getElementById("main").dataset;
const known = writes ? (async () => (await fetchCase(id)).body)() : undefined;
keepPage();
queue.start().catch(() => {});
queue.addEventListener("change", () => {
  const some = queue.unsent(id).some((entry) => entry.maker);
  waits.hidden = !some;
  waits.lastElementChild.textContent = some ? waits.dataset.one : "";
});

/** The time at the bedside stays true however late it arrives; an answer does not, and is never kept. */
const kept = async (form) => {
  // The network may have gone before the first answer: then what the phone kept earlier says who writes.
  const you = (await known)?.you ?? (await keptCase(id))?.you;
  if (!form.dataset.keep || !you) return "";
  const now = new Date().toISOString();
  if (!queue.unsent(id).some((entry) => entry.body.arrived_at)) {
    const body = { id: uuid7(), made_at: now, ticket: you.ticket, arrived_at: now };
    await queue.add({ kind: "act", path: `escalations/${id}/bedside/`, run: id, body, who: you.name, maker: you.user, urgent: true });
  }
  return form.dataset.keep.replace("%s", hm(now));
};
const send = async (form, button) => {
  const answer = await fetch(form.action, { method: "POST", body: sentBy(form, button), credentials: "same-origin", redirect: "manual", signal: AbortSignal.timeout(LONGEST) });
  // The service leads back here, with what was done or why not; any other answer (a proxy's page, a refusal) did nothing.
  if (answer.type !== "opaqueredirect") return false;
  location.reload();
  return true;
};
watchActs(document.getElementById("main"), panel, { send, kept });

// Sound only for red, only where the device allows it, with a visible way to stop it.
const quiet = document.getElementById("quiet");
if (quiet && !sessionStorage.getItem(`quiet:${location.pathname}`)) {
  let timer;
  const beep = () => {
    const context = new AudioContext();
    const tone = context.createOscillator();
    const level = context.createGain();
    tone.frequency.value = 880;
    level.gain.value = 0.2;
    tone.connect(level).connect(context.destination);
    tone.start();
    tone.stop(context.currentTime + 0.25);
    tone.onended = () => context.close();
  };
  // Browsers keep a page silent until it is touched once.
  if (navigator.userActivation?.hasBeenActive) begin();
  else document.addEventListener("pointerdown", begin, { once: true });
  function begin() {
    quiet.hidden = false;
    beep();
    timer = setInterval(beep, 3000);
  }
  quiet.addEventListener("click", () => {
    clearInterval(timer);
    sessionStorage.setItem(`quiet:${location.pathname}`, "1");
    quiet.hidden = true;
  });
}
