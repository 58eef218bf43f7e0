/** The lock of the screen; loaded right after the first paint, minutes before it is due. */
import { button, h, icon, t } from "./dom.js";
import { net } from "../clinic/js/queue.js";

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
    net.addEventListener("change", () => this.refused());
    this.refused();
  }
  /** From sign in to sign out the tablet lies in that room in gloved hands: 10 minutes, and a touch is enough. */
  get theatre() {
    return ["sign_in", "time_out", "intra", "sign_out"].includes(this.app.run?.state?.phase);
  }
  refused() {
    if (net.state === "login" && this.app.run.state && !this.theatre) this.lock();
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
