// The escalation on a phone: its clocks run, what others do appears within seconds, and red makes a sound until stopped.
import "../clinic/js/clocks.js";
import { refresh } from "../clinic/js/refresh.js";

refresh("#live", 4000);

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
