// Shows a page on the surgeon's phone and opens the answer. It keeps nothing and answers no request: what it shows holds
// no patient, and only a touched button on the page that opens takes responsibility.
const ICON = {{ icon|safe }};

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

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
