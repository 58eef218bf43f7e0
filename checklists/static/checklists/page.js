/** Paints the run page: banner, rail, title, dock, and what is true of the network. It decides nothing. */
import { button, clock, date, fill, h, icon, initials, lang, say, sheet, t } from "./dom.js";
import { net, queue } from "../clinic/js/queue.js";
import { rowId } from "./rows.js";

export const POLL = 2000;
const PHASES = ["pre", "sign_in", "time_out", "intra", "sign_out", "post"];
const $ = (id) => document.getElementById(id);

export const paintRun = (app) => {
  const { run } = app;
  const { procedure: p, phase, status, signatures } = run.state;
  const runs = run.state.runs ?? [];
  const { patient } = p;
  const title = say(run.definition);
  document.title = `${title} · ${patient.family_name}, ${patient.given_name} · ${p.room ?? ""}`;
  fill($("who"), [patient, lang.now], () => [
    h("p", { class: "pb-n", text: `${patient.family_name.toLocaleUpperCase(patient.language ?? lang.now)}, ${patient.given_name}` }),
    h("p", { class: "pb-s" }, `${t("born")} ${date(patient.birth_date)} · `, h("b", { text: t("years", { n: age(patient.birth_date) }) }), ` · ${t(`sex_${patient.sex}`)}`, patient.mrn && ` · ${t("mrn")} ${patient.mrn}`),
  ]);
  const sides = [...new Set(run.levels.map((l) => run.valueOf("TOU-SUR-01.sides", { level: l }) ?? p.sides?.[l]).filter(Boolean))];
  fill($("what"), [p, run.levels, sides, lang.now], () => [
    h("p", { class: "pb-p" }, t(p.kind), " ", run.levels.map((l) => [h("span", { class: "lv", text: l }), " "])),
    h("p", { class: "pb-s" }, h("b", { text: sides.length ? sides.map((s) => t(`side_${s}`)).join(", ") : t("side_unknown") }), ` · ${[t(p.anaesthesia), p.room].filter(Boolean).join(" · ")}`),
  ]);
  const node = run.nodes.get("PRE-ALG-01");
  const here = node && run.answer("PRE-ALG-01||||")?.value;
  const allergies = Array.isArray(here) ? node.raw.options.filter((o) => here.includes(o.value) && !o.exclusive) : p.allergies;
  fill($("allergy"), [allergies, lang.now], () => {
    $("allergy").className = allergies?.length ? "flag" : "none";
    if (allergies?.length) return [h("b", {}, icon("triangle-alert"), ` ${t("allergy")}`), h("p", { class: "pb-s", text: allergies.map((o) => say(o, "label")).join(", ") })];
    return [h("b", {}, icon("shield-check"), ` ${t(allergies ? "no_allergy" : "allergy_unknown")}`), h("p", { class: "pb-s", text: t(allergies ? "asked_before" : "not_asked") })];
  });

  const asked = run.asked.filter(({ node: n }) => n.isAnswerable && n.raw.required !== "optional");
  $("list-name").textContent = t("all_items");
  fill($("title"), [title, phase, lang.now], () => [h("h1", { text: title }), h("p", { class: "pb-s", text: t(`purpose_${phase}`) })]);
  const states = asked.map(({ key, node: n, at }) => {
    const a = run.answer(key);
    return a?.conflict?.length ? "a" : run.gate.blockers.some((b) => b.kind !== "warning" && b.code === "rule" && b.item === n.item && (b.part ?? "") === n.part && (b.level ?? "") === (at.level ?? "")) ? "s" : a && a.value !== null ? (a.mark === "tablet" ? "t" : "d") : "";
  });
  const shown = states.length > 40 ? states.filter((_, i) => i % Math.ceil(states.length / 40) === 0) : states;
  fill($("done"), [states, lang.now], () => [
    h("p", { class: "t15" }, h("b", { text: t("n_of_m", run.progress && { n: run.progress.answered, m: run.progress.required }) }), " ", h("span", { class: "mut", text: t("answered") })),
    h("span", { class: "pips", "aria-hidden": "true" }, shown.map((c) => h("i", { class: c }))),
  ]);
  const recent = Date.now() - 900000;
  const others = [...new Set([...run.server.values()].filter((a) => Date.parse(a.recorded_at) > recent).map((a) => a.by))].filter((u) => u && u !== app.session?.user);
  fill($("here"), [others, app.session?.user], () => {
    const names = [app.session?.name, ...others.map(app.personName)].filter(Boolean);
    $("here").setAttribute("aria-label", t("on_this_run", { names: names.join(", ") }));
    return names.map((n, i) => h("span", { class: i ? "ini" : "ini me", text: initials(n) }));
  });
  const intra = phase === "intra";
  // A page that is opened while cement is being worked on shows that; one that stands open never changes by itself.
  if (!app.chosen && intra && run.valueOf("INT-CMT-02.mixed_at", { instance: "1" })) app.view = "cement";
  app.chosen = true;
  fill($("tools"), [intra, app.view, status, run.state.paused_at, lang.now], () => [
    intra && button(t(app.view === "cement" ? "all_items" : "cement"), () => {
      app.view = app.view === "cement" ? "list" : "cement";
      app.paint();
    }, app.view === "cement" ? "" : "pri", app.view === "cement" ? "list-checks" : "droplet"),
    button(t(run.state.paused_at ? "resume" : "pause"), app.pause, "", "circle-pause"),
    button(t("report_complication"), () => app.report(), "", "flag"),
    h("button", { class: "btn", type: "button", "aria-label": t("more_acts"), on: { click: app.menu } }, icon("ellipsis")),
  ]);

  const inCement = intra && app.view === "cement";
  $("items").hidden = inCement;
  $("dock").hidden = inCement;
  if (app.cement) app.cement.el.hidden = !inCement;
  if (inCement && !app.cement) app.openCement();
  else if (inCement) {
    if (!app.cement.el.parentNode) $("items").before(app.cement.el);
    app.cement.paint();
  } else app.rows.paint();
  // What no question moves by: with the rows that follow a frame later.
  if (!inCement && !app.rows.drawn) return;
  if (!inCement) paintDock(app, signatures, status);
  fill($("notice"), [lang.now, run.sha256], () => say(run.definition, "notice"));
  const byPhase = new Map(runs.map((r) => [r.phase, r]));
  fill($("phases"), [runs, phase, run.progress, lang.now], () => PHASES.map((name, n) => {
    const r = byPhase.get(name) ?? {};
    const done = r.status === "signed";
    const now = name === phase;
    const fact = now ? t("n_of_m", { n: run.progress.answered, m: run.progress.required }) : done ? t("signed_at", { at: clock(r.signed_at) }) : r.progress?.answered ? t("n_of_m", { n: r.progress.answered, m: r.progress.required }) : "";
    return h("li", {}, h("a", { class: done && !now ? "done" : "lock", href: r.id ? `/runs/${r.id}/` : null, "aria-current": now ? "step" : null }, h("span", { class: "st" }, done && !now ? icon("check", t("done")) : `${n + 1}`), t(`phase_${name}`), h("small", { text: fact })));
  }));
};
const age = (born) => {
  const [b, n] = [new Date(born), new Date()];
  return n.getFullYear() - b.getFullYear() - (n.getMonth() < b.getMonth() || (n.getMonth() === b.getMonth() && n.getDate() < b.getDate()) ? 1 : 0);
};

const paintDock = (app, signatures, status) => {
  const { run } = app;
  const { blockers } = run.gate;
  const firing = blockers.filter((b) => b.code !== "unanswered");
  const open = run.missing;
  const worst = firing[0];
  // One chip for each item of the list, leading to the first of its questions that is open.
  const nexts = [...new Map([...open].reverse().map((s) => [run.roots.indexOf(rootOf(s.node)) + 1, s]))].reverse();
  const roles = run.definition.conventions.signatures;
  const signed = new Map(signatures.filter((s) => s.current || status === "signed").map((s) => [s.role, s]));
  const unsent = queue.unsent(run.id).length;
  const hard = blockers.filter((b) => b.kind !== "warning");
  const why = status === "signed" ? "" : app.offline ? t("sign_needs_network") : unsent ? t("sign_needs_sent") : hard.length ? t("sign_needs_items", { n: hard.length }) : "";
  const slotOf = (b) => run.asked.find((s) => s.node.item === b.item && s.node.part === (b.part ?? "") && (!b.level || s.at.level === b.level) && (!b.instance || s.at.instance === b.instance)) ?? { node: run.nodes.get(b.part ? `${b.item}.${b.part}` : b.item), at: {} };
  const line = (b) => b.item === "LIST" ? h(b.run ? "a" : "p", { class: `blk ${b.kind === "warning" ? "amber" : "red"}`, href: b.run && `/runs/${b.run}/` }, icon(b.kind === "warning" ? "triangle-alert" : "octagon-alert"), h("span", {}, h("b", { text: say(b, "reason") }), b.who.map((w) => t(`sign_${w}`)).join(", ")), icon("arrow-up")) : h("a", { class: `blk ${b.kind === "hard" && b.code !== "conflict" ? "red" : b.kind === "overridable" ? "red" : "amber"}`, href: `#${rowId(slotOf(b).node, slotOf(b).at)}`, on: { click: (e) => app.go(e, slotOf(b)) } }, icon(b.kind === "warning" || b.code === "conflict" ? "triangle-alert" : "octagon-alert"), h("span", {}, h("b", { text: say(b, "reason") }), [say(slotOf(b).node.raw), b.level, b.who.map((w) => t(`by_${w}`)).join(", ")].filter(Boolean).join(" · ")), icon("arrow-up"));
  fill($("dock"), [firing, nexts.slice(0, 6).map(([n, s]) => [n, s.key]), open.length, signatures, status, why, lang.now], () => [
    worst && h("div", { class: "grow" }, h("p", { class: "over", text: t(worst.kind === "hard" ? "hard_stops" : worst.kind === "overridable" ? "overridables" : "warnings", { n: firing.filter((b) => b.kind === worst.kind).length }) }), h("div", { class: "row nowrap" }, line(worst), worst.kind === "overridable" && worst.code !== "unanswered" && button(t("override"), () => app.people_("override", { ...worst, text: say(worst, "reason") })), firing.length > 1 && button(t("all_n", { n: firing.length }), () => sheet(t("what_blocks"), (close) => h("div", { class: "stack", on: { click: () => close() } }, firing.map(line)))))),
    open.length > 0 && h("div", {}, h("p", { class: "over", text: t("n_to_answer", { n: open.length }) }), h("div", { class: "todo" }, nexts.slice(0, worst ? 3 : 6).map(([n, slot], i) => h("a", { href: `#${rowId(slot.node, slot.at)}`, "aria-label": `${n} ${say(rootOf(slot.node).raw)}`, on: { click: (e) => app.go(e, slot) } }, i ? n : h("span", { class: "clip", text: `${n} ${say(rootOf(slot.node).raw)}` }))))),
    h("div", { class: "push" },
      h("p", { class: "over roles" }, roles.map((r) => h("span", { class: signed.has(r) ? "green" : "" }, icon(signed.has(r) ? "circle-check" : "circle", t(signed.has(r) ? "signed" : "not_signed")), t(`sign_${r}`), signed.has(r) ? ` ${app.personName(signed.get(r).user)}` : ""))),
      status === "signed" ? h("p", { class: "tag green" }, icon("check"), t("phase_signed"))
        : why ? h("button", { class: "btn off", type: "button", "aria-disabled": "true", on: { click: () => app.say(why) } }, icon("lock"), `${t("sign_phase")}: ${why}`)
          : h("div", { class: "row" }, roles.filter((r) => !signed.has(r)).map((r, i) => button(t("sign_as_short", { role: t(`sign_${r}`) }), () => app.people_("sign", r), i ? "" : "pri", "pencil")))),
  ]);
};
const rootOf = (node) => (node.parent ? rootOf(node.parent) : node);

/** What is true of the network and the queue, said in one place and never guessed. */
export const paintState = (app) => {
  const all = queue.waiting;
  const unsent = queue.unsent();
  const refused = all.filter((e) => e.refused && !e.read);
  const quiet = Date.now() - net.at > 3 * POLL + 4000;
  // What waits here is not known before the disk has said it.
  const kind = !app.ready ? "asking" : net.state === "login" ? "login" : net.state === "up" && !quiet ? (unsent.length ? "sending" : "ok") : net.state === "unknown" ? "asking" : "off";
  $("conn").className = kind === "ok" ? "conn ok" : kind === "sending" || kind === "asking" ? "conn" : "conn bad";
  fill($("conn"), [kind, unsent.length, app.ready, lang.now], () => [
    h("b", {}, icon(kind === "off" ? "wifi-off" : kind === "login" ? "key-round" : "wifi"), ` ${t(`conn_${kind}`)}`),
    h("p", { class: "pb-s", text: unsent.length ? t("n_on_tablet", { n: unsent.length }) : app.ready && t(kind === "ok" ? "all_on_server" : "nothing_waits") }),
  ]);
  const minutes = Math.floor((Date.now() - net.since) / 60000);
  const old = unsent.length && Date.now() - unsent[0].made > 600000;
  fill($("strips"), [kind, unsent.length, minutes, refused.map((e) => e.body.id), app.notes.length, app.unkept, old, Boolean(app.stopped), app.phones, lang.now, app.known && app.outside?.mark(app)], () => [
    app.stopped && app.stopped(strip),
    app.unkept && strip("red", "triangle-alert", t("not_kept"), t("not_kept_says"), button(t("save_file"), app.save, "", "download")),
    kind === "off" && strip(old ? "red" : "", "wifi-off", t("no_network_since", { at: clock(net.since), n: minutes }), unsent.length ? t("carry_on", { n: unsent.length }) : t("carry_on_none"), unsent.length > 0 && button(t("show_n", { n: unsent.length }), () => app.showWaiting()), unsent.length > 0 && button(t("save_file"), app.save, "", "download")),
    kind === "login" && strip("", "key-round", t("log_in_again"), t("log_in_says", { n: unsent.length }), h("a", { class: "btn", href: `/accounts/login/?next=${encodeURIComponent(location.pathname)}`, text: t("log_in") })),
    refused.length > 0 && strip("red", "octagon-alert", t("n_refused", { n: refused.length }), refused.map((e) => `${e.label}: ${e.reason || e.refused}`).join(" · "), button(t("read_it"), () => {
      for (const e of refused) queue.seen(e);
    })),
    ...(app.known ? (app.outside?.strips(app, strip) ?? []) : []),
    app.notes.map((n, i) => strip(n.kind === "red" ? "red" : "", "info", n.text, "", n.href && h("a", { class: "btn", href: n.href, text: t("who_is_called") }), button(t("read_it"), () => {
      app.notes.splice(i, 1);
      app.paint();
    }))),
  ]);
  fill($("me"), [app.session?.user, app.session?.roles, lang.now], () => app.session ? [h("span", { class: "ini me", "aria-hidden": "true", text: initials(app.session.name) }), app.session.name, h("small", { text: `${app.session.roles.map((r) => t(`role_${r}`))[0] ?? ""} · ${t("switch")}` })] : [icon("user"), t("log_in")]);
  // A deficit that was refused has called nobody either: it stays on the screen until somebody has read why.
  app.callNow.check(all.filter((e) => !e.refused || !e.read));
};
const strip = (kind, name, title, text, ...acts) => h("div", { class: `strip ${kind}`, role: "status" }, icon(name), h("p", {}, h("b", { text: title }), text && h("br"), text), h("span", { class: "push" }), acts);
