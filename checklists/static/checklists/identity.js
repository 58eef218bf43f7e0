/** Before a list is drawn: two identifiers of its patient. Nothing of the patient is on the screen until they fit. */
import { button, clock, fill, h, icon, t } from "./dom.js";
import { call, net, queue, uuid7 } from "../clinic/js/queue.js";
import { bornOn, compare } from "./names.js";
import { plain } from "../clinic/js/store.js";

const MINUTES = 10;
const FIELDS = ["mrn", "name", "birth_date"];

/** One look serves every list of the case on this device for ten minutes; the server says the same for the room. */
export const remembered = async (procedure) => ((await plain.get("identity").catch(() => undefined)) ?? {})[procedure] > Date.now();
const remember = async (procedure) => {
  const kept = Object.entries((await plain.get("identity").catch(() => undefined)) ?? {}).filter(([, until]) => until > Date.now());
  await plain.put("identity", { ...Object.fromEntries(kept), [procedure]: Date.now() + MINUTES * 60000 }).catch(() => {});
};

/** Ask until the identifiers fit or somebody says why nobody can be asked. Resolves when the list may be drawn. */
export const identify = async (app) => {
  const { state } = app.run;
  if (await remembered(state.procedure.id)) return undefined;
  return new Promise((known) => {
    const path = `runs/${app.run.id}/identity/`;
    const box = h("dialog", { class: "ident", "aria-label": t("ident_title"), on: { cancel: (e) => e.preventDefault() } });
    const done = (app.asking = () => {
      box.remove();
      known();
    });
    /** Kept by the queue, which hands it to the server when it can: the list does not wait for that. */
    const keep = (said) => queue.add({ kind: "act", path, run: app.run.id, who: app.session?.name, label: t("ident_title"), body: { id: uuid7(), occurred_at: new Date().toISOString(), ...said } });

    const ask = () => {
      box.className = "ident";
      const tell = h("p", { class: "red", role: "alert" });
      const field = (name, more) => h("input", { class: "field wide", id: `ident-${name}`, autocomplete: "off", autocapitalize: "words", spellcheck: "false", ...more });
      const fields = { mrn: field("mrn", { placeholder: t("scan_or_type") }), name: field("name", { placeholder: t("ident_name_as") }), birth_date: field("birth_date", { inputmode: "numeric", placeholder: t("ident_born_as") }) };
      const go = async (event) => {
        event.preventDefault();
        const said = Object.fromEntries(FIELDS.map((name) => [name, fields[name].value.trim()]).filter(([, text]) => text));
        if (said.birth_date && !bornOn(said.birth_date)) return refuse(t("ident_no_date"), "birth_date");
        if (said.birth_date) said.birth_date = bornOn(said.birth_date);
        // A scanner ends with Enter: the next field is the next thing to do.
        if (Object.keys(said).length < 2) return refuse(t("ident_two"), FIELDS.find((name) => !fields[name].value && !fields[name].closest("label").hidden));
        const answer = await call("POST", path, { id: uuid7(), ...said });
        if (answer.status === 201) return remember(state.procedure.id).then(done);
        if (answer.status === 409 && answer.body?.code === "identity_mismatch") {
          const differing = answer.body.errors.map((one) => one.field);
          return stop(Object.fromEntries(Object.keys(said).map((name) => [name, !differing.includes(name)])));
        }
        if (answer.status === 400) return refuse(answer.body?.detail ?? t("ident_two"));
        const compared = compare(said, state.procedure.patient);
        if (Object.keys(compared).length < 2) return refuse(t("ident_offline"), "name");
        await keep({ compared });
        return Object.values(compared).includes(false) ? stop(compared) : remember(state.procedure.id).then(done);
      };
      const refuse = (text, name) => {
        tell.textContent = text;
        fields[name]?.focus();
      };
      const why = ["emergency", "cannot_be_asked", ...(["pre", "post"].includes(state.phase) ? ["desk"] : [])];
      const p = state.procedure;
      box.replaceChildren(
        h("form", { class: "stack", on: { submit: go } },
          h("header", {}, icon("user"), h("h1", { text: t("ident_title") }), h("p", { class: "mut", text: [t(`phase_${state.phase}`), p.room, clock(p.scheduled_at), t("ident_case", { code: state.case_check })].filter(Boolean).join(" · ") })),
          h("p", { class: "t20", text: t("ident_says") }),
          FIELDS.map((name) => h("label", { hidden: name === "mrn" && net.state === "down" }, h("b", { text: t(`ident_${name}`) }), fields[name])),
          tell,
          h("button", { class: "btn pri wide", text: t("ident_open") }),
          h("details", {}, h("summary", { text: t("ident_nobody") }), h("div", { class: "tiles" }, why.map((reason) => button(t(`waive_${reason}`), () => keep({ reason }).then(done))))),
          h("a", { class: "btn quiet wide", href: "/board/", text: t("ident_back") }),
        ),
      );
      fields[net.state === "down" ? "name" : "mrn"].focus();
    };

    /** The wrong patient is on the table, or the wrong list on the tablet: nothing goes on from here by itself. */
    const stop = (compared) => {
      const differing = Object.keys(compared).filter((name) => !compared[name]);
      box.className = "ident stop";
      fill(box, uuid7(), () => [
        h("div", { class: "stack", role: "alert" },
          icon("octagon-alert"),
          h("h1", { text: t("ident_stop") }),
          h("p", { class: "t20", text: t("ident_stop_says", { what: differing.map((name) => t(`ident_${name}`)).join(", ") }) }),
          button(t("ident_again"), ask, "wide"),
          button(t("ident_other"), async () => {
            await keep({ compared, other_patient: true });
            location.assign("/board/");
          }, "wide"),
        ),
      ]);
    };

    document.body.append(box);
    ask();
    box.showModal();
  });
};
