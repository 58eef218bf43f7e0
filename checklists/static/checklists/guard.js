/** What watches over the page from its first moment: the call when something urgent is not sent. */
import { button, clock, fill, h, icon, t } from "./dom.js";

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
