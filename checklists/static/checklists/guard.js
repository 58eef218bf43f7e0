/** What watches over the page: the call when something urgent is not sent, and the lock. */
import { button, clock, fill, h, icon, t } from "./dom.js";
import { net } from "./queue.js";

/**
 * Nothing urgent may wait unseen: 15 s without a receipt and the whole screen says so, with the numbers to call.
 * It goes when the server has it, or when a person says that they have called.
 */
export class CallNow {
  constructor(app) {
    this.app = app;
    this.told = new Set();
    this.el = h("dialog", { class: "callnow", role: "alertdialog", "aria-label": t("not_sent"), on: { cancel: (e) => e.preventDefault() } });
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
    // A modal of the browser stands above every sheet that is open.
    if (late.length && !this.el.open) this.el.showModal();
    else if (!late.length && this.el.open) this.el.close();
  }
}

const HOLD = 3600000;

/** The lock is not a log-out: data is blurred, the queue goes on, and nothing that was typed is lost. */
export class Lock {
  constructor(app) {
    this.app = app;
    this.last = Date.now();
    this.el = h("dialog", { class: "lockscreen", "aria-label": t("locked"), on: { cancel: (e) => e.preventDefault() } });
    document.body.append(this.el);
    for (const type of ["pointerdown", "keydown"]) addEventListener(type, () => this.locked || (this.last = Date.now()), { capture: true, passive: true });
    setInterval(() => this.check(), 5000);
    // A log-in that has ended shows no patient to whoever comes by; in theatre the list in use stays open.
    net.addEventListener("change", () => net.state === "login" && this.app.run.state && !this.theatre && this.lock());
  }
  /** From sign in to sign out the tablet lies in that room in gloved hands: 10 minutes, and a touch is enough. */
  get theatre() {
    return ["sign_in", "time_out", "intra", "sign_out"].includes(this.app.run?.state?.phase);
  }
  check() {
    if (!this.locked && Date.now() - this.last > (this.theatre ? 10 : 5) * 60000) this.lock();
  }
  lock() {
    if (this.locked) return;
    this.locked = true;
    document.body.classList.add("locked");
    const open = async () => {
      // In theatre a gloved touch is enough, as long as the list was in use within the hour; everywhere else a PIN.
      if (this.theatre && Date.now() - this.last < HOLD) this.open();
      else if (net.state === "login") location.assign(`/accounts/login/?next=${encodeURIComponent(location.pathname)}`);
      else if (await this.proven()) this.open();
    };
    this.el.replaceChildren(
      icon("lock"),
      h("h1", { text: t("locked") }),
      h("p", { text: t("locked_says", { room: this.app.run?.state?.procedure?.room ?? "" }) }),
      button(t(this.theatre ? "touch_to_show" : "unlock"), open, "pri"),
      button(t("another_person"), async () => {
        const session = await this.app.people_("switchTo");
        if (!session) return;
        this.app.sessionIs(session);
        this.open();
      }),
    );
    this.el.showModal();
  }
  async proven() {
    const session = await this.app.people_("unlock");
    if (session) this.app.sessionIs(session);
    return session;
  }
  open() {
    this.locked = false;
    this.last = Date.now();
    this.el.close();
    document.body.classList.remove("locked");
  }
}
