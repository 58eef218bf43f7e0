/** The service worker, which keeps the page for a start without a network. */
import { t } from "./dom.js";

/** Where the browser has no service worker (plain http on the LAN), there is no cold start offline, and the page says so. */
export const worker = async (app) => {
  if (!navigator.serviceWorker) return app.say(t("no_offline"));
  const url = document.body.dataset.worker;
  const policy = globalThis.trustedTypes?.createPolicy("sw", { createScriptURL: (text) => (text === url ? text : "") });
  await navigator.serviceWorker.register(policy ? policy.createScriptURL(url) : url, { scope: "/" }).catch(() => app.say(t("no_offline")));
};
