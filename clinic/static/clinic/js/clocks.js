// Running clocks: <… data-since="RFC 3339"> counts up as m:ss; the server's time rules, the device only adds what passed.
const served = Number(document.documentElement.dataset.now ?? 0) || Date.now();
const started = performance.now();
const turkish = document.documentElement.lang.startsWith("tr");
const [SECOND, MINUTE, HOUR] = turkish ? ["sn", "dk", "sa"] : ["s", "min", "h"];

export function now() {
  return served + (performance.now() - started);
}

// Up to 99 minutes as 8:47, then in words: at three in the morning "113:20" is read as anything.
export function running(ms) {
  const total = Math.max(0, Math.floor(ms / 1000));
  if (total < 6000) return `${Math.floor(total / 60)}:${String(total % 60).padStart(2, "0")}`;
  const minutes = Math.floor(total / 60);
  return `${Math.floor(minutes / 60)} ${HOUR} ${minutes % 60} ${MINUTE}`;
}

export function left(ms) {
  const total = Math.max(0, Math.floor(ms / 1000));
  if (total < 60) return `${total} ${SECOND}`;
  if (total < 600) return `${Math.floor(total / 60)} ${MINUTE} ${total % 60} ${SECOND}`;
  const minutes = Math.floor(total / 60);
  return minutes < 60 ? `${minutes} ${MINUTE}` : `${Math.floor(minutes / 60)} ${HOUR} ${minutes % 60} ${MINUTE}`;
}

export function tick(root = document) {
  const at = now();
  for (const element of root.querySelectorAll("[data-since]")) {
    element.textContent = running((at - Date.parse(element.dataset.since)) * Number(element.dataset.scale ?? 1));
  }
  for (const element of root.querySelectorAll("[data-until]")) {
    const rest = Date.parse(element.dataset.until) - at;
    if (rest <= 0 && element.dataset.over) element.textContent = element.dataset.over;
    else element.textContent = left(rest);
  }
  for (const element of root.querySelectorAll("[data-clock]")) {
    element.textContent = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: element.dataset.clock }).format(at);
  }
}

tick();
setInterval(tick, 1000);
