/**
 * Opening a locked tablet without a network: a PIN is checked against what its last check by the server left here. Each
 * verifier is salted, slow to guess, and sealed under the key that a log-out drops.
 */
import { t } from "./dom.js";
import { cache, plain } from "../clinic/js/store.js";

const ROUNDS = 600000;
const TRIES = 5;
/** As long as a shift: after that only the server knows. */
const GOOD_FOR = 12 * 3600000;

const derive = async (pin, salt) => {
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(pin), "PBKDF2", false, ["deriveBits"]);
  const bits = await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: new Uint8Array(salt), iterations: ROUNDS }, key, 256);
  return [...new Uint8Array(bits)];
};
const tries = async (user, change) => {
  const all = (await plain.get("tries").catch(() => undefined)) ?? {};
  if (change === undefined) return all[user] ?? 0;
  await plain.put("tries", { ...all, [user]: change });
  return change;
};

/** The server has just taken this PIN. Where the browser has no cryptography nothing is kept. */
export const keepPin = async (user, pin) => {
  if (!globalThis.crypto?.subtle) return;
  const salt = [...crypto.getRandomValues(new Uint8Array(16))];
  await cache.put(`pin:${user}`, { salt, proof: await derive(pin, salt), made: Date.now() });
  await tries(user, 0);
};

/** Answers like the server: 200 with who is at work from now on, or 403 with why not. A try is counted before it is made. */
export const openOffline = async (app, who, pin) => {
  const no = (word) => ({ status: 403, body: { detail: t(word) } });
  const kept = globalThis.crypto?.subtle && (await cache.get(`pin:${who.user}`));
  // Somebody whose ticket is not here could not be named by what they enter.
  const own = who.user === app.session?.user;
  if (!kept || Date.now() - kept.made > GOOD_FOR || (!own && !app.tickets[who.user])) return no("offline_unknown");
  const used = await tries(who.user);
  if (used >= TRIES) return no("offline_tries");
  await tries(who.user, used + 1);
  const said = await derive(pin, kept.salt);
  if (said.some((byte, n) => byte !== kept.proof[n])) return no(used + 1 >= TRIES ? "offline_tries" : "offline_wrong");
  await tries(who.user, 0);
  return { status: 200, body: own ? app.session : { ...app.session, user: who.user, name: who.name, roles: who.roles } };
};
