/** What waits on this tablet: looked at, saved as a file, taken back from one. */
import { button, clock, h, sheet, t } from "./dom.js";
import { queue } from "../clinic/js/queue.js";
import { outbox } from "../clinic/js/store.js";

/** Everything that waits, as one file a person can carry; importing it twice changes nothing, the ids are the same. */
const file = () => {
  const made = new Date().toISOString();
  return new Blob([JSON.stringify({ format: "outbox/1", made, entries: queue.waiting }, null, 1)], { type: "application/json" });
};
/** Take such a file back, on this tablet or another: what is here or on the server already is not doubled. */
const take = async (text) => {
  const { format, entries } = JSON.parse(text);
  if (format !== "outbox/1") throw new Error("not a file of this queue");
  const known = new Set(queue.waiting.map((e) => e.body.id));
  for (const { n, refused, read, unkept, ...entry } of entries) if (!known.has(entry.body.id)) await outbox.add(entry);
  await queue.reload();
  queue.tell("change");
  queue.flush();
};

export const showWaiting = (app) => sheet(t("waiting_here"), (close) => {
  const picked = h("input", { type: "file", accept: "application/json", class: "vh", id: "take-file", on: { change: async () => {
    await take(await picked.files[0].text()).catch(() => app.say(t("take_failed"), "red"));
    close();
  } } });
  return [
    h("ol", { class: "stack" }, queue.waiting.map((e) => h("li", { class: "note" }, h("span", {}, h("b", { text: e.label || e.body.item || e.kind }), h("br"), `${clock(e.made, true)} · ${app.personName(e.who)}${e.refused ? ` · ${t("refused")}: ${e.reason || e.refused}` : ""}`)))),
    h("div", { class: "row" }, button(t("save_file"), save, "", "download"), h("label", { class: "btn", for: "take-file" }, t("take_file")), picked),
  ];
});
export const save = () => {
  const a = h("a", { href: URL.createObjectURL(file()), download: `outbox-${new Date().toISOString().slice(0, 16).replace(":", "")}.json` });
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 1000);
};
