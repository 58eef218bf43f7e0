/**
 * What a tablet or phone keeps: `outbox` (emptied by the server's receipts and by nothing else) and `cache` (runs, cases and
 * half-filled forms for a start offline, sealed under a key that cannot leave this device and that a log-out drops).
 */
const asked = (request) =>
  new Promise((done, fail) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });

const PATIENT = 5000;
let opened;
const base = () =>
  (opened ??= new Promise((done, fail) => {
    const request = indexedDB.open("tablet", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("outbox", { keyPath: "n", autoIncrement: true });
      for (const name of ["cache", "keys", "plain"]) request.result.createObjectStore(name);
    };
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
    setTimeout(fail, PATIENT); // some browsers forget to answer: what cannot be kept is sent, and the page says so
  }).catch((error) => {
    opened = undefined; // a browser that was short of room may open it a moment later
    throw error;
  }));

/** Run `work` on one store and resolve when the disk has it: a promise kept before that could be lost with the battery. */
const within = async (store, mode, work) => {
  const tx = (await base()).transaction(store, mode, { durability: mode === "readwrite" ? "strict" : "default" });
  const kept = new Promise((done, fail) => {
    tx.oncomplete = done;
    tx.onabort = tx.onerror = () => fail(tx.error);
  });
  const result = await work(tx.objectStore(store));
  await kept;
  return result;
};

export const outbox = {
  /** Every entry, oldest first. */
  all: () => within("outbox", "readonly", (s) => asked(s.getAll())),
  add: (entry) => within("outbox", "readwrite", (s) => asked(s.add(entry))),
  put: (entry) => within("outbox", "readwrite", (s) => asked(s.put(entry))),
  /** Called with the numbers of entries that the server has acknowledged. */
  received: (numbers) => within("outbox", "readwrite", (s) => Promise.all(numbers.map((n) => asked(s.delete(n))))),
};

/** Settings of the device and its phone list: no patient in them, so they stay readable after a log-out. */
export const plain = {
  get: (name) => within("plain", "readonly", (s) => asked(s.get(name))),
  put: (name, value) => within("plain", "readwrite", (s) => asked(s.put(value, name))),
};

let sealing;
const seal = () =>
  (sealing ??= (async () => {
    const known = await within("keys", "readonly", (s) => asked(s.get("cache")));
    if (known) return known;
    const made = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
    // Another tab may have been first: `add` refuses then, and its key is the one to use.
    await within("keys", "readwrite", (s) => asked(s.add(made, "cache"))).catch(() => {});
    return within("keys", "readonly", (s) => asked(s.get("cache")));
  })());

export const cache = {
  /** Without a secure context the browser has no cryptography: then nothing is cached, rather than in the clear. */
  async put(name, value) {
    if (!globalThis.crypto?.subtle) return;
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const additionalData = new TextEncoder().encode(name);
    const text = new TextEncoder().encode(JSON.stringify(value));
    const box = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData }, await seal(), text);
    await within("cache", "readwrite", (s) => asked(s.put({ iv, box }, name)));
  },
  async get(name) {
    const sealed = await within("cache", "readonly", (s) => asked(s.get(name)));
    if (!sealed || !crypto.subtle) return undefined;
    const additionalData = new TextEncoder().encode(name);
    try {
      const text = await crypto.subtle.decrypt({ name: "AES-GCM", iv: sealed.iv, additionalData }, await seal(), sealed.box);
      return JSON.parse(new TextDecoder().decode(text));
    } catch {
      return undefined; // sealed under a key that is gone
    }
  },
  names: () => within("cache", "readonly", (s) => asked(s.getAllKeys())),
  drop: (names) => within("cache", "readwrite", (s) => Promise.all(names.map((n) => asked(s.delete(n))))),
  /** Log-out, end of shift: the key goes, so what was sealed can never be read again. The outbox stays. */
  async forget() {
    sealing = undefined;
    await within("keys", "readwrite", (s) => asked(s.delete("cache")));
    await within("cache", "readwrite", (s) => asked(s.clear()));
  },
};
