// Shows a page on the surgeon's phone and opens the answer, and keeps the bedside form, so that it opens without a network.
// It touches nothing but GET, never an answer of the API, and never IndexedDB: what a notification shows holds no patient,
// the shell that it keeps neither, and only a touched button on a page takes responsibility.
const ICON = {{ icon|safe }};
const VERSION = "phone-" + {{ version|safe }};
const SHELL = {{ shell|safe }};
const KEEP = {{ keep|safe }};
const FORM = /^\/escalations\/[0-9a-f-]{36}\/bedside\/$/;
// Pages that the server draws: without it the shell shows what the phone holds of them, and says so.
const LIVE = /^\/escalations\/([0-9a-f-]{36}\/)?$/;
// A network that gives no answer for this long is none to somebody who stands at a bedside.
const PATIENCE = 6000;

self.addEventListener("install", (event) => {
  // All or nothing: a shell of one version with the script of another must never stand in one cache.
  event.waitUntil(
    (async () => {
      const cache = await caches.open(VERSION);
      const files = [SHELL, ...KEEP];
      const answers = await Promise.all(files.map((file) => fetch(file, { credentials: "same-origin", cache: "no-cache" })));
      if (answers.some((answer) => !answer.ok || answer.redirected)) throw new Error("a file of the form is missing");
      await Promise.all(answers.map((answer, n) => cache.put(files[n], answer)));
      await self.skipWaiting();
    })(),
  );
});
self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      // Pages that are open go on with the script they have; the tablet's own caches are not this worker's.
      const old = (await caches.keys()).filter((name) => name.startsWith("phone-") && name !== VERSION);
      await Promise.all(old.slice(0, -1).map((name) => caches.delete(name)));
      await self.clients.claim();
    })(),
  );
});

const kept = async (request) => (await caches.open(VERSION)).match(request, { ignoreVary: true });
const live = async (request) => {
  const answer = await Promise.race([
    fetch(request).then((found) => (found.status >= 502 ? undefined : found), () => undefined),
    new Promise((done) => setTimeout(done, PATIENCE)),
  ]);
  return answer ?? (await kept(SHELL)) ?? Response.error();
};
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { pathname, origin } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate") {
    if (FORM.test(pathname)) event.respondWith(kept(SHELL).then((page) => page ?? fetch(request)));
    else if (LIVE.test(pathname)) event.respondWith(live(request));
  } else if (KEEP.includes(pathname)) {
    event.respondWith(caches.match(request, { ignoreVary: true, ignoreSearch: true }).then((file) => file ?? fetch(request)));
  }
});

const read = (event) => {
  try {
    return event.data.json();
  } catch {
    return {};
  }
};

self.addEventListener("push", (event) => {
  const message = read(event);
  const call = message.call ? `${message.words?.call ?? ""} ${message.call}`.trim() : "";
  event.waitUntil(
    Promise.all([
      // A browser takes the permission away from a worker that shows nothing, so even the unreadable is shown.
      self.registration.showNotification(message.title ?? "Escalation", {
        body: call,
        tag: message.tag ?? "page",
        renotify: true,
        requireInteraction: Boolean(message.urgent),
        vibrate: message.urgent ? [400, 200, 400, 200, 800] : [200],
        lang: message.language ?? "en",
        icon: ICON,
        badge: ICON,
        data: { path: message.path ?? "/escalations/", answer: message.answer ?? "" },
        actions: message.answer ? [{ action: "answer", title: message.words?.answer ?? "Acknowledge" }] : [],
      }),
      message.receipt
        ? fetch(message.receipt, {
            method: "POST",
            credentials: "omit",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify({ status: "delivered" }),
          }).catch(() => undefined)
        : undefined,
    ]),
  );
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { path, answer } = event.notification.data;
  // Where a notification has no buttons (iPhone), touching it leads to the minutes; elsewhere to the case.
  const buttons = (self.Notification?.maxActions ?? 0) > 0;
  const target = answer && (event.action === "answer" || !buttons) ? answer : path;
  event.waitUntil(
    (async () => {
      const open = await self.clients.matchAll({ type: "window" });
      const there = open.find((client) => new URL(client.url).pathname === target);
      if (there) return there.focus();
      return self.clients.openWindow(target);
    })(),
  );
});
