// Reads one JSON request from stdin, answers with one JSON line: runs rules.js over the shared vectors and over random states.
import { readFileSync } from "node:fs";
import { buildIndex, evaluate, gateOf, keyOf, keyText, progressOf } from "../../checklists/static/checklists/rules.js";
import { keyFault, valueFault } from "../../checklists/static/checklists/rules_checks.js";
import "../../checklists/static/checklists/rules_more.js";
import { sameName } from "../../checklists/static/checklists/names.js";

const request = JSON.parse(readFileSync(0, "utf8"));
const answer = {};

if (request.conditions) {
  const { definition, cases, now } = request.conditions;
  const index = buildIndex([definition]);
  answer.conditions = cases.map((one) => evaluate(index, { answers: one.answers, facts: one.facts, now })
    .holds(one.condition, index.nodes.get(one.node), one.scope));
}

const index = buildIndex(request.definitions ?? []);
const at = (key) => ({ level: key.level, side: key.side, instance: key.instance });

if (request.values) {
  answer.values = request.values.values.map((one) => valueFault(index.nodes.get(one.item), one.value)?.code ?? null);
  answer.keys = request.values.keys.map((one) => keyFault(index, keyOf(one.key))?.code ?? null);
}
if (request.computed) {
  answer.computed = request.computed.cases.map((one) => {
    const key = keyOf(one.key);
    const node = index.nodes.get(key.part ? `${key.item}.${key.part}` : key.item);
    return evaluate(index, { answers: one.answers, facts: one.facts, now: request.computed.now }).value(node, at(key));
  });
}
const short = (blocker) => [keyText(blocker), blocker.kind, blocker.code];
if (request.gates) {
  answer.gates = request.gates.cases.map((one) => {
    const gate = gateOf(evaluate(index, { ...one, now: request.gates.now }), one.phase, one);
    return { open: gate.open, blockers: gate.blockers.map(short), overridden: gate.overridden.map(keyText), debt: gate.debt.map(keyText) };
  });
}
if (request.states) {
  answer.states = request.states.map((state) => {
    const view = evaluate(index, state);
    const phases = [...new Set(index.roots.map((root) => root.phase))];
    const values = {};
    for (const node of index.nodes.values()) {
      for (const scope of view.scopes(node)) {
        if (!view.applies(node, scope)) continue;
        const value = view.value(node, scope);
        if (node.raw.computed) values[`${node.id}|${scope.level}|${scope.side}|${scope.instance}`] = value;
      }
    }
    return {
      levels: view.levels, values,
      gates: phases.map((phase) => gateOf(view, phase, state).blockers.map(short)),
      progress: phases.map((phase) => progressOf(view, phase)),
    };
  });
}
if (request.identity) answer.identity = request.identity.names.map(([family, given, said]) => sameName(said, family, given));
process.stdout.write(JSON.stringify(answer));
