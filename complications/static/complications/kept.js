/**
 * What the phone keeps of a case, so that its form opens without a network: the page itself by the service worker, the case
 * sealed under the key that a log-out drops. Each person has their own copy, and only theirs is shown.
 */
import { call } from "../clinic/js/queue.js";
import { cache, plain } from "../clinic/js/store.js";

const DAYS = 2 * 86400000;

/** Register the worker that keeps the page. False where the browser has none (plain http): then there is no start offline. */
export const keepPage = async () => {
  const url = document.querySelector('meta[name="phone-worker"]')?.content;
  if (!navigator.serviceWorker || !url) return false;
  const policy = globalThis.trustedTypes?.createPolicy("sw", { createScriptURL: (text) => (text === url ? text : "") });
  return navigator.serviceWorker.register(policy ? policy.createScriptURL(url) : url, { scope: "/escalations/" }).then(
    () => true,
    () => false,
  );
};

/** Ask the server for a case and keep it. Resolves to {status, body}; status 0 is "nobody answered". */
export const fetchCase = async (id) => {
  const answer = await call("GET", `escalations/${id}/bedside/`);
  if (answer.status === 200) {
    const { you } = answer.body;
    await plain.put("phone", { user: you.user, name: you.name, theme: you.theme, phones: answer.body.escalation.phone_list }).catch(() => {});
    await cache.put(`case:${id}:${you.user}`, { ...answer.body, at: Date.now() }).catch(() => {});
  }
  if (answer.status === 404) {
    const who = await person();
    if (who) await cache.drop([`case:${id}:${who.user}`]).catch(() => {});
  }
  return answer;
};

/** Who had the phone when the server last answered; their name, theme and the site's phone list are no secret. */
export const person = () => plain.get("phone").catch(() => undefined);

/** The case as this person's phone last had it. */
export const keptCase = async (id) => {
  const who = await person();
  return who && cache.get(`case:${id}:${who.user}`).catch(() => undefined);
};

/** All cases of this person that the phone holds, the newest first; what is older than two days leaves by itself. */
export const keptCases = async () => {
  const who = await person();
  const found = [];
  for (const name of await cache.names().catch(() => [])) {
    if (!/^(case|draft):/.test(name)) continue;
    const held = await cache.get(name);
    if (!held || Date.now() - held.at > DAYS) await cache.drop([name]);
    else if (who && name.startsWith("case:") && name.endsWith(`:${who.user}`)) found.push(held);
  }
  return found.sort((a, b) => b.at - a.at);
};
