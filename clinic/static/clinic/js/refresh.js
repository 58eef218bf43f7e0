// Keeps a region of the page fresh without a jump: fetches the same address and replaces only the parts (by id) that
// differ, so that focus, scroll and open details stay. XMLHttpRequest parses the answer, which Trusted Types allow.
import { tick } from "./clocks.js";

const RUNNING = "[data-since],[data-until],[data-clock]";

// Resolves to the page, or to nothing where the server says that it is as `known` has it.
function load(url, known) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", url);
    if (known.etag) request.setRequestHeader("If-None-Match", known.etag);
    request.responseType = "document";
    request.timeout = 8000;
    request.onload = () => {
      if (request.status === 304) return resolve();
      if (request.status !== 200 || !request.response) return reject(request.status);
      known.etag = request.getResponseHeader("ETag");
      return resolve(request.response);
    };
    request.onerror = request.ontimeout = reject;
    request.send();
  });
}

// What an element says, without the clocks that run by themselves.
function content(element) {
  const copy = element.cloneNode(true);
  for (const clock of copy.querySelectorAll(RUNNING)) clock.textContent = "";
  return copy.outerHTML;
}

function replaced(old, fresh) {
  if (content(old) === content(fresh)) return old;
  const next = document.importNode(fresh, true);
  for (const details of old.querySelectorAll("details[open][id]")) {
    const again = next.querySelector(`#${CSS.escape(details.id)}`);
    if (again) again.open = true;
  }
  if (old.contains(document.activeElement)) {
    queueMicrotask(() => (next.matches("a,button") ? next : next.querySelector("a,button"))?.focus({ preventScroll: true }));
  }
  return next;
}

function merge(old, fresh) {
  const known = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  if (content(old) === content(fresh)) return;
  old.replaceChildren(...[...fresh.children].map((child) => {
    const same = child.id && known.get(child.id);
    if (!same) return document.importNode(child, true);
    if (!("parts" in child.dataset)) return replaced(same, child);
    merge(same, child);
    return same;
  }));
}

// Elements with data-parts have children with ids that are compared one by one.
export function refresh(selector, everyMs, after = () => {}) {
  const known = {};
  async function once() {
    if (document.hidden || document.querySelector("dialog[open]")) return;
    try {
      const answer = await load(location.href, known);
      const parts = answer ? [...document.querySelectorAll(selector)].map((old) => [old, answer.getElementById(old.id)]) : [];
      // A log-in in place of the page: what stands here is not fresh.
      if (answer && !parts.some(([, fresh]) => fresh)) throw new Error("another page");
      for (const [old, fresh] of parts) if (fresh) merge(old, fresh);
      tick();
      after();
    } catch {
      // The frame says that the server is away; the region keeps what it last knew.
    }
  }
  setInterval(once, everyMs);
  document.addEventListener("visibilitychange", once);
  return once;
}
