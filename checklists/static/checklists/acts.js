/** What is done to a list as a whole, seldom enough to be loaded after the first paint: repetitions, pauses. */
import { button, h, say, sheet, t } from "./dom.js";
import { call } from "../clinic/js/queue.js";

/** Begin the next repetition of a series. */
export const repeat = async (app, node) => {
  app.folds.clear();
  const [only, ...more] = node.children;
  const who = only.type === "user_ref" && !more.length ? await app.pickPerson(say(only.raw)) : undefined;
  if (only.type === "user_ref" && !more.length && !who) return;
  const instance = app.run.begin(node);
  const at = { instance };
  if (who) app.tick(only, at, who);
  const when = node.children.find((c) => c.raw.prefill === "now");
  if (when) app.tick(when, at, new Date().toISOString());
  app.paint();
  if (!who) document.getElementById(`f-${instance}`)?.scrollIntoView({ block: "start" });
};

/** Pause or resume; after a long pause patient, level and side are asked again. */
export const pause = async (app) => {
  const kind = app.run.state.paused_at ? "resumed" : "paused";
  const reasons = app.run.definition.conventions.reasons.pause;
  const reason = kind === "paused" ? await sheet(t("pause_why"), (close) => h("div", { class: "tiles" }, reasons.map((r) => button(say(r, "label"), () => close(r.value))))) : "";
  if (reason === undefined) return;
  const answer = await call("POST", `runs/${app.run.id}/pauses/`, { kind, reason });
  if (answer.status !== 201) app.say(answer.body?.detail ?? t("needs_network"));
  app.refresh(true);
};
