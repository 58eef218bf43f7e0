/** Who is at work: switching by PIN, signing by several people on one tablet, overrides. */
import { button, h, initials, say, sheet, t } from "./dom.js";
import { call, net, queue, uuid7 } from "../clinic/js/queue.js";
import { keepPin, openOffline } from "./vault.js";

const failed = (answer) => (answer.status === 0 ? t("needs_network") : answer.body?.detail || t("not_taken"));

/** Ask for one person: tiles with name and role. `roles` narrows the list, and the first of them are shown first. */
export const pickPerson = (people, title, roles, extra = []) => {
  const fits = people.filter((p) => !roles?.length || p.roles.some((r) => roles.includes(r)));
  return sheet(title, (close) => h("div", { class: "tiles people" }, extra.map(([label, act, name]) => button(label, () => close(act), "", name)), fits.map((p) => h("button", { class: "btn tile", type: "button", on: { click: () => close(p) } }, h("span", { class: "ini", "aria-hidden": "true", text: initials(p.name) }), h("span", {}, p.name, h("small", { text: p.roles.map((r) => t(`role_${r}`)).join(", ") }))))));
};

/** Six digits on big keys, or a password. `send({pin}|{password})` answers; a refusal is shown and may be tried again. */
const credential = (title, who, send) =>
  sheet(title, (close) => {
    let pin = "";
    let busy = false;
    const dots = h("p", { class: "dots", role: "status" });
    const tell = h("p", { class: "red", role: "alert" });
    const paint = () => {
      dots.textContent = "●".repeat(pin.length) + "○".repeat(6 - pin.length);
      dots.setAttribute("aria-label", t("digits", { n: pin.length }));
    };
    const go = async (given) => {
      if (busy) return;
      busy = true;
      tell.textContent = "";
      const answer = await send(given);
      busy = false;
      if (answer.status >= 200 && answer.status < 300) return close(answer.body);
      pin = "";
      paint();
      tell.textContent = failed(answer);
    };
    const press = (key) => {
      tell.textContent = "";
      pin = key === "⌫" ? pin.slice(0, -1) : (pin + key).slice(0, 6);
      paint();
      if (pin.length === 6) go({ pin });
    };
    paint();
    const pad = h("div", { class: "pad" }, [..."123456789", "", "0", "⌫"].map((k) => (k ? h("button", { type: "button", "aria-label": k === "⌫" ? t("delete_digit") : null, on: { click: () => press(k) } }, k) : h("span"))));
    const word = h("input", { class: "field", type: "password", autocomplete: "off", "aria-label": t("password"), placeholder: t("password") });
    const form = h("form", { class: "num", on: { submit: (e) => (e.preventDefault(), word.value && go({ password: word.value })) } }, word, h("button", { class: "btn", text: t("use_password") }));
    setTimeout(() => pad.closest("dialog").addEventListener("keydown", (e) => {
      if (e.target === word) return;
      if (/^\d$/.test(e.key)) press(e.key);
      else if (e.key === "Backspace") press("⌫");
    }));
    return [h("p", { class: "row" }, h("span", { class: "ini me", "aria-hidden": "true", text: initials(who.name) }), h("b", { text: who.name })), dots, tell, pad, h("details", {}, h("summary", { text: t("no_pin") }), form)];
  }, { kind: "small" });

/** Another person takes the tablet. What was ticked before stays theirs: it is sent first. */
export const switchTo = async (app) => {
  const who = await pickPerson(app.people, t("who_works"), [], app.lock?.locked ? [] : [[t("lock_now"), "lock", "lock"], [t("waiting_here"), "waiting", "list-checks"], ...(app.session?.tablet ? [] : [[t("enrol"), "enrol", "tablet"]])]);
  if (who === "lock") app.lock?.lock();
  if (who === "waiting") await app.showWaiting();
  if (who === "enrol") await enrol(app);
  if (!who?.user) return undefined;
  if (who.user === app.session?.user) return app.session;
  await queue.flush();
  return credential(t("pin_of"), who, (given) => proven(app, who, given));
};
/** The server decides; without it, what it left here when it took this PIN for the last time. */
const proven = async (app, who, given) => {
  const answer = net.state === "down" ? { status: 0 } : await call("POST", "session/switch/", { user: who.user, ...given });
  if (answer.status === 200 && given.pin) await keepPin(who.user, given.pin).catch(() => {});
  const nobody = answer.status === 0 || answer.status >= 500;
  return nobody && given.pin ? openOffline(app, who, given.pin) : answer;
};
export const unlock = (app) => {
  const who = app.people.find((p) => p.user === app.session?.user) ?? { name: app.session?.name ?? "", user: app.session?.user };
  return credential(t("unlock"), who, (given) => proven(app, who, given));
};

/** The least letters of a reason that the server takes. */
const SAID = 10;

/** Who may sign as what: the quorum names functions, the directory names roles. */
const FUNCTIONS = { nurse: ["nurse"], ward_nurse: ["nurse"], operator: ["surgeon"], watcher: ["anaesthetist", "nurse"], anaesthetist: ["anaesthetist"] };

export const sign = async (app, role) => {
  const { run } = app;
  // The hash is over what stands here: what was sent a moment ago must have been read back first.
  const read = app.refresh(true);
  const who = await pickPerson(app.people, t("sign_as", { role: t(`sign_${role}`) }), FUNCTIONS[role]);
  if (!who) return;
  await read;
  const scrubbed = ["time_out", "intra", "sign_out"].includes(run.state.phase) && ["operator", "watcher"].includes(role);
  const witness = scrubbed && who.user !== app.session?.user && (await app.confirm(t("witness_ask", { name: who.name }), t("witness_says"), t("witness_yes"), t("witness_no")));
  if (witness === undefined) return;
  const by = witness ? app.people.find((p) => p.user === app.session.user) : who;
  const done = await credential(t(witness ? "witness_pin" : "sign_pin", { name: by.name }), by, (given) =>
    call("POST", `runs/${run.id}/signatures/`, { user: who.user, role, credential: given, content_sha256: run.state.content_sha256, ...(witness ? { witnessed_by: by.user } : {}) }));
  if (done) await app.refresh(true);
};

/** Two people of two roles, one of them operator or anaesthetist, each with their own credential. */
export const override = async (app, blocker) => {
  const reason = await sheet(t("override"), (close) => {
    const text = h("textarea", { class: "field", rows: 3, "aria-label": t("override_why") });
    return [h("p", {}, h("b", { text: blocker.text })), h("p", { class: "mut", text: t("override_why") }), text, h("div", { class: "tiles" }, app.run.definition.conventions.reasons.override.map((r) => button(say(r, "label"), () => (text.value.trim().length >= SAID ? close({ code: r.value, text: text.value.trim() }) : text.focus()))))];
  });
  if (!reason) return;
  const people = [];
  for (const n of [1, 2]) {
    const who = await pickPerson(app.people.filter((p) => !people.some((q) => q.user === p.user)), t(`override_person_${n}`), n === 1 ? ["surgeon", "anaesthetist"] : ["surgeon", "anaesthetist", "nurse"]);
    if (!who) return;
    const given = await credential(t("sign_pin", { name: who.name }), who, async (c) => ({ status: 200, body: c }));
    if (!given) return;
    people.push({ user: who.user, role: who.user === app.run.state.procedure.operator?.user ? "operator" : who.roles.includes("surgeon") ? "surgeon" : who.roles.includes("anaesthetist") ? "anaesthetist" : "nurse", credential: given });
  }
  const answer = await call("POST", `runs/${app.run.id}/overrides/`, { item: blocker.item, part: blocker.part, level: blocker.level, side: blocker.side, instance: blocker.instance, reason: reason.code, text: reason.text, people });
  if (answer.status >= 300 || !answer.status) app.say(failed(answer));
  await app.refresh(true);
};

/** A late answer becomes a correction beside the signed list, a held one counts once its person stands by it. */
export const settle = async (app, waits) => {
  const { run } = app;
  if (waits.outcome === "held") {
    const who = app.people.find((p) => p.user === (waits.actor ?? waits.claimed)) ?? (await pickPerson(app.people, t("countersign")));
    if (who) await credential(t("sign_pin", { name: who.name }), who, (given) => call("POST", `runs/${run.id}/countersignatures/`, { user: who.user, credential: given, events: waits.actor ? [] : [waits.id] }));
    return app.refresh(true);
  }
  const reason = await sheet(t("amend"), (close) => {
    const text = h("textarea", { class: "field", rows: 3, "aria-label": t("amend_why") });
    return [h("p", { text: t("amend_why") }), text, button(t("keep"), () => (text.value.trim().length >= SAID ? close(text.value.trim()) : text.focus()), "pri wide")];
  });
  const who = reason && (await pickPerson(app.people, t("amend_who")));
  if (!who) return undefined;
  const { item, part, level, side, instance, value } = waits;
  const body = { id: uuid7(), item, part, level, side, instance, value, reason, event: waits.id, user: who.user };
  await credential(t("sign_pin", { name: who.name }), who, (given) => call("POST", `runs/${run.id}/amendments/`, { ...body, credential: given }));
  return app.refresh(true);
};

/** An administrator or nurse makes this device one of the site's tablets; every event names it from then on. */
export const enrol = async (app) => {
  const name = await sheet(t("enrol"), (close) => {
    const field = h("input", { class: "field wide", maxlength: 100, "aria-label": t("enrol_name"), placeholder: t("enrol_name") });
    return [h("p", { text: t("enrol_says") }), field, button(t("enrol"), () => (field.value.trim() ? close(field.value.trim()) : field.focus()), "pri wide")];
  }, { kind: "small" });
  if (!name) return;
  const answer = await call("POST", "session/tablet/", { name });
  if (answer.status === 201) app.sessionIs((await call("GET", "session/")).body);
  app.say(answer.status === 201 ? t("enrolled", { name }) : failed(answer));
};
