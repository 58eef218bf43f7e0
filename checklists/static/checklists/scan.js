/** What a scanned GS1 code proposes for the questions beside it. */
import { keyAt } from "./model.js";

export const propose = (app, node, text) => {
  const parts = gs1(text);
  const at = [...app.run.asked].find((s) => s.node.raw === node && app.run.answer(s.key)?.value === text)?.at;
  if (at && parts) Object.assign(app.proposals, Object.fromEntries(app.run.nodes.get(node.id).parent.children.filter((c) => c.raw.prefill?.startsWith("UDI")).map((c) => [keyAt(c, at), parts[c.raw.prefill.match(/\d+/)[0]]]).filter(([, v]) => v)));
  app.paintSoon();
};

/** What a GS1 code says: {"01": product, "10": lot, "17": "YYYY-MM-DD"}. */
const gs1 = (text) => {
  const found = {};
  let rest = text.replace(/[()]/g, "").replace(/^\]d2/, "");
  while (rest) {
    const ai = rest.slice(0, 2);
    const size = { "01": 14, 11: 6, 17: 6 }[ai];
    if (!size && ai !== "10" && ai !== "21") break;
    const end = size ? 2 + size : (rest.indexOf("\u001d") + 1 || rest.length + 1) - 1;
    found[ai] = rest.slice(2, end);
    rest = rest.slice(end).replace(/^\u001d/, "");
  }
  if (found[17]) found[17] = `20${found[17].slice(0, 2)}-${found[17].slice(2, 4)}-${found[17].slice(4) === "00" ? "28" : found[17].slice(4)}`;
  return Object.keys(found).length ? found : undefined;
};
