// Keeps the shell of the run page and its files, so that a tablet starts cold without a network. It touches nothing but GET,
// never an answer of the API, and never IndexedDB: the queue of answers is out of its reach.
const VERSION = {{ version|safe }};
const SHELL = {{ shell|safe }};
const KEEP = {{ keep|safe }};
const RUN = /^\/runs\/[0-9a-f-]{36}\/$/;
// Pages that show the list of what this tablet holds when there is no network.
const DESK = /^\/(board\/|wall\/.*)?$/;

self.addEventListener("install", (event) => {
  // All or nothing: a shell of one version with the modules of another must never stand in one cache.
  event.waitUntil(
    (async () => {
      const cache = await caches.open(VERSION);
      const files = [SHELL, ...KEEP];
      const answers = await Promise.all(files.map((file) => fetch(file, { credentials: "same-origin", cache: "no-cache" })));
      if (answers.some((answer) => !answer.ok || answer.redirected)) throw new Error("a file of the shell is missing");
      await Promise.all(answers.map((answer, n) => cache.put(files[n], answer)));
      await self.skipWaiting();
    })(),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      // Pages that are open go on with the modules they have; the newest two versions stay for those that load late. The
      // phone's caches are its own worker's.
      const old = (await caches.keys()).filter((name) => name !== VERSION && !name.startsWith("phone-"));
      await Promise.all(old.slice(0, -1).map((name) => caches.delete(name)));
      await self.clients.claim();
    })(),
  );
});

const kept = async (request) => (await caches.open(VERSION)).match(request);

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { pathname, origin } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate") {
    if (RUN.test(pathname)) event.respondWith(kept(SHELL).then((page) => page ?? fetch(request)));
    else if (DESK.test(pathname)) event.respondWith(fetch(request).catch(async (error) => (await kept(SHELL)) ?? Promise.reject(error)));
    return;
  }
  if (KEEP.includes(pathname)) event.respondWith(caches.match(request, { ignoreVary: true, ignoreSearch: true }).then((file) => file ?? fetch(request)));
});
