/** Keeps every other run of today on the tablet, so that it opens and works without a network as well. */
import { date, h, icon, lang, t } from "./dom.js";
import { call, net } from "../clinic/js/queue.js";
import { definitionOf } from "./model.js";
import { cache } from "../clinic/js/store.js";

const AGAIN = 120000;
const DAYS = 2 * 86400000;

/** Today's procedures and the state of their open runs, one after another and only when the page is idle. */
const gather = async (app, own) => {
  const who = app.session?.user;
  const day = new Date().toLocaleDateString("sv");
  const list = await call("GET", `procedures/?day=${day}`);
  if (list.status !== 200) return;
  for (const procedure of list.body.results) {
    const runs = await call("GET", `procedures/${procedure.id}/runs/?gate=0`);
    if (runs.status !== 200) continue;
    // A list's conditions read the other lists of its patient: one change anywhere makes all six worth a look.
    const stamp = runs.body.results.map((r) => `${r.revision}${r.status}`).join() + lang.now + who;
    for (const run of runs.body.results) {
      if (run.id === own || run.phase === "follow_up") continue;
      const held = await cache.get(`run:${run.id}`);
      if (held?.stamp === stamp) continue;
      const { status, body } = await call("GET", `runs/${run.id}/?language=${lang.now}&definition=0&gate=0`);
      // The ticket in it is that of the person who asked; another one may have the tablet by now.
      if (status === 0 || who !== app.session?.user) return;
      if (status === 200 && (await definitionOf(body.definition.sha256))) await cache.put(`run:${run.id}`, { ...body, runs: runs.body.results, stamp, at: Date.now() });
      if (status === 403 || status === 404) await cache.drop([`run:${run.id}`]);
    }
  }
};
/** Yesterday's patients leave the tablet by themselves. */
const tidy = async () => {
  for (const name of await cache.names()) {
    const held = name.startsWith("run:") && (await cache.get(name));
    if (held && Date.now() - held.at > DAYS) await cache.drop([name]);
  }
};

export const others = (app, own) => {
  const round = async () => {
    if (net.state === "up" && !document.hidden) {
      await gather(app, own);
      await tidy();
    }
    setTimeout(round, AGAIN);
  };
  setTimeout(round, 3000);
};

/** The list of what this tablet holds: shown when a page other than a run is opened without a network. */
export const shelf = async () => {
  document.body.classList.add("bare");
  const el = h("div");
  document.getElementById("items").replaceWith(el);
  const held = [];
  for (const name of await cache.names()) if (name.startsWith("run:")) held.push(await cache.get(name));
  const order = ["pre", "sign_in", "time_out", "intra", "sign_out", "post"];
  const cases = new Map();
  for (const run of held.filter(Boolean)) cases.set(run.procedure.id, [...(cases.get(run.procedure.id) ?? []), run]);
  el.replaceChildren(
    h("div", { class: "rh" }, h("div", {}, h("h1", { text: t("shelf") }), h("p", { class: "pb-s", text: t("shelf_says") }))),
    ...[...cases.values()].map((runs) => {
      const { patient, levels, room } = runs[0].procedure;
      return h("section", { class: "card shelf" },
        h("h2", { text: `${patient.family_name.toLocaleUpperCase(patient.language ?? lang.now)}, ${patient.given_name}` }),
        h("p", { class: "mut", text: [`${t("born")} ${date(patient.birth_date)}`, (levels ?? []).join(" "), room].filter(Boolean).join(" · ") }),
        h("div", { class: "row" }, runs.sort((a, b) => order.indexOf(a.phase) - order.indexOf(b.phase)).map((r) => h("a", { class: "btn", href: `/runs/${r.id}/` }, r.status === "signed" && icon("check"), t(`phase_${r.phase}`)))));
    }),
    ...(cases.size ? [] : [h("p", { text: t("shelf_empty") })]),
  );
};
