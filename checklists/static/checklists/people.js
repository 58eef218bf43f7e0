/** Who is at work: switching by PIN, signing by several people on one tablet, overrides, the lock. */
import { button, clock, fill, h, icon, initials, say, sheet, t } from "./dom.js";
import { call } from "./queue.js";

const failed = (answer) => (answer.status === 0 ? t("needs_network") : answer.body?.detail || t("not_taken"));

/** Ask for one person: tiles with name and role. `roles` narrows the list, and the first of them are shown first. */
export const pickPerson = (people, title, roles, extra) => {
  const fits = people.filter((p) => !roles?.length || p.roles.some((r) => roles.includes(r)));
  return sheet(title, (close) => h("div", { class: "tiles people" }, extra && button(extra[0], () => close(extra[1]), "", extra[2]), fits.map((p) => h("button", { class: "btn tile", type: "button", on: { click: () => close(p) } }, h("span", { class: "ini", "aria-hidden": "true", text: initials(p.name) }), h("span", {}, p.name, h("small", { text: p.roles.map((r) => t(`role_${r}`)).join(", ") }))))));
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
  const who = await pickPerson(app.people, t("who_works"), [], app.lock.locked ? undefined : [t("lock_now"), "lock", "lock"]);
  if (who === "lock") app.lock.lock();
  if (!who || who === "lock") return undefined;
  if (who.user === app.session?.user) return app.session;
  await app.flush();
  return credential(t("pin_of"), who, (given) => call("POST", "session/switch/", { user: who.user, ...given }));
};
export const unlock = (app) => {
  const who = app.people.find((p) => p.user === app.session?.user) ?? { name: app.session?.name ?? "", user: app.session?.user };
  return credential(t("unlock"), who, (given) => call("POST", "session/switch/", { user: who.user, ...given }));
};

/** Who may sign as what: the quorum names functions, the directory names roles. */
const FUNCTIONS = { nurse: ["nurse"], ward_nurse: ["nurse"], operator: ["surgeon"], watcher: ["anaesthetist", "nurse"], anaesthetist: ["anaesthetist"] };

export const sign = async (app, role) => {
  const { run } = app;
  const who = await pickPerson(app.people, t("sign_as", { role: t(`sign_${role}`) }), FUNCTIONS[role]);
  if (!who) return;
  const own = !who.user || who.user === app.session?.user;
  const witness = ["operator", "watcher"].includes(role) && !own && (await app.confirm(t("witness_ask", { name: who.name }), t("witness_says"), t("witness_yes"), t("witness_no")));
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
    return [h("p", {}, h("b", { text: blocker.text })), h("p", { class: "mut", text: t("override_why") }), text, h("div", { class: "tiles" }, app.run.definition.conventions.reasons.override.map((r) => button(say(r, "label"), () => (text.value.trim().length > 4 ? close({ code: r.value, text: text.value.trim() }) : text.focus()))))];
  });
  if (!reason) return;
  const people = [];
  for (const n of [1, 2]) {
    const who = await pickPerson(app.people.filter((p) => !people.some((q) => q.user === p.user)), t(`override_person_${n}`), n === 1 ? ["surgeon", "anaesthetist"] : ["surgeon", "anaesthetist", "nurse"]);
    if (!who) return;
    const given = await credential(t("sign_pin", { name: who.name }), who, async (c) => ({ status: 200, body: c }));
    if (!given) return;
    people.push({ user: who.user, role: who.roles.includes("surgeon") ? "surgeon" : who.roles.includes("anaesthetist") ? "anaesthetist" : "nurse", credential: given });
  }
  const answer = await call("POST", `runs/${app.run.id}/overrides/`, { item: blocker.item, part: blocker.part, level: blocker.level, side: blocker.side, instance: blocker.instance, reason: reason.code, text: reason.text, people });
  if (answer.status >= 300 || !answer.status) app.say(failed(answer));
  await app.refresh(true);
};

/**
 * Nothing urgent may wait unseen: 15 s without a receipt and the whole screen says so, with the numbers to call.
 * It goes when the server has it, or when a person says that they have called.
 */
export class CallNow {
  constructor(app) {
    this.app = app;
    this.told = new Set();
    this.el = h("div", { class: "callnow", role: "alertdialog", "aria-modal": "true", "aria-label": t("not_sent"), hidden: true });
    document.body.append(this.el);
  }
  check(waiting) {
    const late = waiting.filter((e) => e.urgent && !this.told.has(e.body.id) && Date.now() - e.made > 15000);
    const phones = this.app.phones;
    fill(this.el, [late.map((e) => e.body.id), phones], () => !late.length ? [] : [
      icon("phone-call"),
      h("h1", { text: t("not_sent") }),
      h("p", { class: "t20", text: t("not_sent_says", { what: late.map((e) => e.label || t("a_deficit")).join(", "), at: clock(late[0].made, true) }) }),
      phones.map((p) => h("a", { href: `tel:${`${p.number}`.replace(/[^\d+]/g, "")}` }, icon("phone"), `${p.name}  ${p.number}`)),
      !phones.length && h("p", { text: t("no_phones") }),
      button(t("i_called"), () => {
        for (const e of late) this.told.add(e.body.id);
        this.check(waiting);
      }),
    ]);
    if (this.el.hidden === Boolean(late.length)) {
      this.el.hidden = !late.length;
      if (late.length) this.el.querySelector("a, button").focus();
    }
  }
}

/** The lock is not a log-out: data is blurred, the queue goes on, and nothing that was typed is lost. */
export class Lock {
  constructor(app) {
    this.app = app;
    this.last = Date.now();
    this.el = h("div", { class: "lockscreen", role: "dialog", "aria-modal": "true", "aria-label": t("locked"), hidden: true });
    document.body.append(this.el);
    for (const type of ["pointerdown", "keydown"]) addEventListener(type, () => this.locked || (this.last = Date.now()), { capture: true, passive: true });
    setInterval(() => this.check(), 5000);
  }
  /** From sign in to sign out the tablet lies in that room in gloved hands: 10 minutes, and a touch is enough. */
  get theatre() {
    return ["sign_in", "time_out", "intra", "sign_out"].includes(this.app.run?.state?.phase);
  }
  check() {
    if (!this.locked && Date.now() - this.last > (this.theatre ? 10 : 5) * 60000) this.lock();
  }
  lock() {
    this.locked = true;
    document.body.classList.add("locked");
    for (const el of document.querySelectorAll("body > :not(.lockscreen, .callnow)")) el.inert = true;
    const open = async () => {
      if (this.theatre || this.app.offline || !this.app.session || (await this.proven())) this.open();
    };
    this.el.replaceChildren(
      icon("lock"),
      h("h1", { text: t("locked") }),
      h("p", { text: t("locked_says", { room: this.app.run?.state?.procedure?.room ?? "" }) }),
      button(t(this.theatre ? "touch_to_show" : "unlock"), open, "pri"),
      button(t("another_person"), async () => {
        this.el.inert = true;
        const session = await switchTo(this.app);
        this.el.inert = false;
        if (session) {
          this.app.sessionIs(session);
          this.open();
        }
      }),
    );
    this.el.hidden = false;
    this.el.querySelector("button").focus();
  }
  async proven() {
    const session = await unlock(this.app);
    if (session) this.app.sessionIs(session);
    return session;
  }
  open() {
    this.locked = false;
    this.last = Date.now();
    this.el.hidden = true;
    document.body.classList.remove("locked");
    for (const el of document.querySelectorAll("body > [inert]")) el.inert = false;
  }
}
