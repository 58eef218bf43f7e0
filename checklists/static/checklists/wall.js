// The wall is live within two seconds, and says so in red where it is not: an old screen that looks fresh is worse than none.
import "../clinic/js/clocks.js";
import { refresh } from "../clinic/js/refresh.js";

const SILENT_MS = 6000;
const off = document.getElementById("off");
let heard = performance.now();
let stood = new Date();

refresh("#wall", 1500, () => {
  heard = performance.now();
  stood = new Date();
});
setInterval(() => {
  off.hidden = performance.now() - heard < SILENT_MS;
  off.querySelector("[data-stood]").textContent = stood.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}, 1000);
