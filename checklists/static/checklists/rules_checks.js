// Which keys and values a list takes; the server refuses the others. tests/vectors/values.json holds both together.
import { LEVELS, SIDES, factorOf, instant, isDay, isNotApplicable, isNumber, nodeId, numberOf } from "./rules.js";

const fault = (code) => ({ code });

export function keyFault(index, key) {
  const node = index.nodes.get(nodeId(key));
  if (!node) return fault("unknown_item");
  if (!node.isAnswerable) return fault("not_answerable");
  if (Boolean(key.level) !== node.byLevel || (key.level && !LEVELS.includes(key.level))) return fault("wrong_level");
  if (Boolean(key.side) !== node.bySide || (key.side && !SIDES.includes(key.side))) return fault("wrong_side");
  if (Boolean(key.instance) !== node.byInstance) return fault("wrong_instance");
  if (key.instance && (key.instance.length > 40 || key.instance.includes("|"))) return fault("wrong_instance");
  return null;
}

export function valueFault(node, value) {
  if (value === null || value === undefined) return null;
  if (isNotApplicable(value)) {
    if (!node.raw.na_allowed) return fault("na_not_allowed");
    const reason = value.not_applicable;
    const good = isClean(reason) && Object.keys(value).length === 1;
    return good && reason.trim().length >= 2 && reason.trim().length <= 200 ? null : fault("wrong_type");
  }
  return CHECKS[node.type](node, value);
}

const optionValues = (node) => (node.raw.options ?? []).map((option) => option.value);

function choiceFault(node, value) {
  if (typeof value !== "string") return fault("wrong_type");
  return optionValues(node).includes(value) ? null : fault("unknown_option");
}

function multiChoiceFault(node, value) {
  if (!Array.isArray(value) || !value.every((one) => typeof one === "string")) return fault("wrong_type");
  if (new Set(value).size !== value.length) return fault("wrong_type");
  if (!value.every((one) => optionValues(node).includes(one))) return fault("unknown_option");
  const { min_count: low = 0, max_count: high = value.length } = node.raw;
  if (value.length < low || value.length > high) return fault("out_of_range");
  const alone = node.raw.options.some((option) => option.exclusive && value.includes(option.value));
  return value.length > 1 && alone ? fault("out_of_range") : null;
}

function numberFault(node, value) {
  let entered = value;
  if (value !== null && typeof value === "object") {
    if (Array.isArray(value) || Object.keys(value).sort().join() !== "unit,value") return fault("wrong_type");
    if (factorOf(node, value.unit) === null) return fault("wrong_unit");
    entered = value.value;
  }
  if (!isNumber(entered)) return fault("wrong_type");
  const number = numberOf(node, value);
  if (node.type === "integer" && typeof value === "number" && !Number.isInteger(number)) return fault("wrong_type");
  const { min = -Infinity, max = Infinity } = node.raw;
  return number < min || number > max ? fault("out_of_range") : null;
}

// Text that a database can hold: no NUL, no half of a surrogate pair.
const isClean = (value) => typeof value === "string" && !/\0|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(value);

function lengthFault(value, low, high) {
  if (typeof value !== "string") return fault("wrong_type");
  const length = [...value.trim()].length;
  return length < low || length > high || !isClean(value) ? fault("out_of_range") : null;
}

const CHECKS = {
  boolean: (node, value) => (typeof value === "boolean" ? null : fault("wrong_type")),
  choice: choiceFault,
  coded: choiceFault,
  multi_choice: multiChoiceFault,
  integer: numberFault,
  decimal: numberFault,
  date: (node, value) => (isDay(value) ? null : fault("wrong_type")),
  datetime: (node, value) => (instant(value) === null ? fault("wrong_type") : null),
  text: (node, value) => lengthFault(value, node.raw.min ?? 1, node.raw.max ?? 4000),
  user_ref: (node, value) => (lengthFault(value, 1, 150) ? fault("wrong_type") : null),
  scan: (node, value) => {
    if (value === null || typeof value !== "object") return lengthFault(value, 1, 300);
    const { matched, method = "", ...rest } = value;
    const good = typeof matched === "boolean" && isClean(method) && method.length <= 20;
    return good && !Array.isArray(value) && Object.keys(rest).length === 0 ? null : fault("wrong_type");
  },
};
