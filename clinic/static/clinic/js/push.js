// Subscribes this browser to pages, and keeps the subscription known to the service when the browser has renewed it.
const box = document.getElementById("push");
const button = document.getElementById("push-on");
const no = document.getElementById("push-no");

const say = (why) => {
  no.hidden = false;
  for (const line of no.querySelectorAll("[data-why]")) line.hidden = line.dataset.why !== why;
};

const cookie = (name) => document.cookie.split("; ").find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
const send = (url, body) =>
  fetch(url, {
    method: "POST",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json", "X-CSRFToken": cookie("__Host-csrftoken") || cookie("csrftoken") },
    body: JSON.stringify(body),
  });

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

const supported = "serviceWorker" in navigator && "PushManager" in globalThis && "Notification" in globalThis;

async function worker() {
  const url = box.dataset.worker;
  const policy = globalThis.trustedTypes?.createPolicy("sw", { createScriptURL: (text) => (text === url ? text : "") });
  const found = await navigator.serviceWorker.register(policy ? policy.createScriptURL(url) : url, { scope: box.dataset.scope });
  const waiting = found.installing ?? found.waiting;
  if (waiting && !found.active) {
    await new Promise((done) => waiting.addEventListener("statechange", () => waiting.state === "activated" && done()));
  }
  return found;
}

const name = () => navigator.userAgentData?.platform || /iPhone|iPad|Android/.exec(navigator.userAgent)?.[0] || "";

async function keep(subscription) {
  const { endpoint, keys } = subscription.toJSON();
  const label = [box.dataset.label, name()].filter(Boolean).join(" · ");
  return send(box.dataset.api, { kind: "push", address: endpoint, keys, label });
}

async function subscribe() {
  if ((await Notification.requestPermission()) !== "granted") return say("denied");
  try {
    const { pushManager } = await worker();
    const subscription = await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(box.dataset.key) });
    const answer = await keep(subscription);
    if (!answer.ok) return say("failed");
    const point = await answer.json();
    if (!point.verified_at) await send(`${box.dataset.api}${point.id}/codes/`, {});
    location.reload();
  } catch {
    say("failed");
  }
}

if (!supported) {
  say("unsupported");
  button.disabled = true;
} else if (Notification.permission === "denied") {
  say("denied");
} else {
  button.addEventListener("click", subscribe);
  // Browsers renew a subscription when they like; an endpoint that the service does not know rings nowhere.
  const known = await navigator.serviceWorker.getRegistration(box.dataset.scope);
  const subscription = await known?.pushManager.getSubscription();
  if (subscription) await keep(subscription);
}
