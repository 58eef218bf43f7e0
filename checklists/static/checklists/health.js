/** Whether anybody pages at all: without a sweep for half a minute the phone list stands on this page, as on every other. */
import { h, icon, t } from "./dom.js";

const AGAIN = 10000;

export const watchPaging = (app) => {
  const stopped = (strip) => strip("red", "octagon-alert", t("paging_stopped"), app.phones.length ? "" : t("no_phones"), app.phones.map((p) => h("a", { class: "btn", href: `tel:${`${p.number}`.replace(/[^\d+]/g, "")}` }, icon("phone"), `${p.name} ${p.number}`)));
  const look = async () => {
    if (!document.hidden) {
      const health = await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(8000) }).then((answer) => answer.json()).catch(() => ({}));
      const age = health.engine_age_s;
      app.stopped = (age === null || age > 30) && stopped;
    }
    setTimeout(look, AGAIN);
  };
  look();
};
