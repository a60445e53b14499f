// How good each version is: beside popularity and others, with intervals, over time; the gate's decision; and how far foretold
// purchases are met.

import { get } from "./api.js";
import { axis, chart, legend, whiskers } from "./chart.js";
import { count, command, date, empty, h, hundred, interval, percent, pill, scroll } from "./dom.js";
import { gate } from "./versions.js";

const questions = ["visitor, new items", "visitor, all items", "session, next item"];
const names = { blend: "Cartwheel", als: "ALS alone", neighbours: "Neighbours alone", session: "Session alone", popular: "Popularity", random: "Chance" };
const parts = [["", "all"], [", warm", "warm"], [", cold", "cold"]];
const explained = {
  "visitor, new items": "What a known visitor takes up next, of what he had not touched before.",
  "visitor, all items": "What a known visitor takes up next, with what he had touched before.",
  "session, next item": "After each click of a session, the next item, as if by a stranger.",
};

export async function quality(root, shared, signal) {
  const chosen = {}; // by whoever looks; what is not chosen follows the champion
  let drawn = new AbortController();
  signal.addEventListener("abort", () => drawn.abort());
  const load = () => {
    drawn.abort();
    drawn = new AbortController();
    return draw(root, chosen, drawn.signal);
  };
  await load();
  shared.onVersions(() => load().catch(() => {}), signal);
}

async function draw(root, chosen, signal) {
  const list = await get("/v1/models", signal);
  const measured = list.models.filter((m) => m.metrics && Object.keys(m.metrics).length > 0).reverse(); // oldest first
  const focused = root.contains(document.activeElement) ? document.activeElement.id : "";
  root.replaceChildren(h("h1", {}, "Quality"));
  if (measured.length === 0) {
    root.append(empty("No version was measured yet.", h("p", { class: "muted" }, "Each training asks its version about the latest tenth of the events, and notes what came out."), command("go run ./sparkjobs/train")));
    return;
  }
  const metrics = [...new Set(measured.flatMap((m) => Object.values(m.metrics).flatMap((of) => Object.keys(of.values))))].sort();
  const shown = measured.find((m) => m.version === (chosen.version ?? list.champion)) ?? measured.at(-1);
  const asked = questions.find((q) => shown.metrics[`${q}: blend`]) ?? questions[0];
  const question = select("question", "Question", questions.map((q) => [q, q]), chosen.question ?? asked);
  const metric = select("metric", "Metric, x100", metrics.map((m) => [m, m.replace("@", " @ ")]), chosen.metric ?? (metrics.includes("ndcg@10") ? "ndcg@10" : metrics[0]));
  const version = select("version", "Version", measured.toReversed().map((m) => [m.version, m.version + (m.champion ? " (champion)" : "")]), shown.version);
  const over = h("section", { class: "panel", "aria-labelledby": "h-over" });
  const beside = h("section", { class: "panel", "aria-labelledby": "h-beside" });
  const decided = h("section", { class: "panel", "aria-labelledby": "h-gate" });
  const purchase = h("section", { class: "panel", "aria-labelledby": "h-purchase" });
  root.append(h("div", { class: "tools" }, question.label, metric.label, version.label), h("div", { class: "two" }, h("div", {}, over, purchase), h("div", {}, beside, decided)));
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });

  let plotted = new AbortController();
  signal.addEventListener("abort", () => plotted.abort());
  const figures = () => {
    plotted.abort();
    plotted = new AbortController();
    overTime(over, measured, question.value(), metric.value(), plotted.signal);
    besideOthers(beside, measured.find((m) => m.version === version.value()), question.value(), metric.value());
  };
  const detail = async () => {
    const manifest = await get(`/v1/models/${encodeURIComponent(version.value())}`, signal);
    decision(decided, manifest);
    foretold(purchase, manifest.purchase, signal);
  };
  question.onchange((value) => ((chosen.question = value), figures()));
  metric.onchange((value) => ((chosen.metric = value), figures()));
  version.onchange((value) => ((chosen.version = value), figures(), detail()));
  figures();
  await detail();
}

function select(id, text, options, value) {
  const field = h("select", { id }, options.map(([v, label]) => h("option", { value: v, selected: v === value }, label)));
  return { label: h("label", {}, text, field), value: () => field.value, onchange: (see) => field.addEventListener("change", () => see(field.value)) };
}

function overTime(panel, measured, question, metric, signal) {
  const of = (m, who) => m.metrics[`${question}: ${who}`]?.values[metric] ?? null;
  const ours = measured.map((m) => of(m, "blend")), theirs = measured.map((m) => of(m, "popular"));
  const last = measured.length - 1;
  const words = `${metric} of ${measured.length} versions on "${question}". The newest: Cartwheel ${ours[last] ? hundred(ours[last]) : "not measured"}, popularity ${theirs[last] ? hundred(theirs[last]) : "not measured"}.`;
  const label = (i) => (Number.isInteger(i) && measured[i] ? date(measured[i].created_at).replace(", ", "\n") : "");
  const plot = chart(words, 260, (c) => ({
    scales: { x: { time: false, range: [-0.6, last + 0.6] }, y: { range: (_, low, high) => [0, Math.max(high, ...[...ours, ...theirs].map((v) => 100 * (v?.high ?? 0))) * 1.08 || 1] } },
    axes: [axis(c, { splits: () => evenly(last), values: (_, all) => all.map(label), size: 40, grid: { show: false } }), axis(c, { values: (_, all) => all.map((v) => +v.toFixed(2)), size: 44 })],
    series: [{}, ...[c.one, c.two].map((stroke) => ({ stroke: `${stroke}66`, width: 1.5, points: { show: false } }))],
    hooks: { draw: [whiskers([{ values: ours, colour: c.one }, { values: theirs, colour: c.two }])] },
  }), [measured.map((_, i) => i), ...[ours, theirs].map((all) => all.map((v) => (v ? 100 * v.mean : null)))], signal);
  panel.replaceChildren(
    h("div", { class: "head" }, h("h2", { id: "h-over" }, "Versions over time"), legend(["Cartwheel", "c1"], ["popularity", "c2"])),
    plot.host,
    h("p", { class: "muted small" }, `${explained[question]} Mean over questions with its 95 % interval; each version by the date of its training, on the later events of its own time.`),
    h("details", {}, h("summary", {}, "As a table"), scroll("Versions over time", h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "version"), ["Cartwheel", "95 %", "popularity", "95 %"].map((t) => h("th", { scope: "col", class: "number" }, t)))),
      h("tbody", {}, measured.map((m, i) => h("tr", {}, h("th", { scope: "row", class: "mono" }, m.version),
        [ours[i], theirs[i]].flatMap((v) => [h("td", { class: "number" }, v ? hundred(v) : "–"), h("td", { class: "number muted" }, v ? interval(v) : "")]))))))));
}

// evenly picks at most six of 0..last.
const evenly = (last) => {
  const step = Math.max(1, Math.ceil((last + 1) / 6));
  return Array.from({ length: Math.floor(last / step) + 1 }, (_, i) => last - i * step).reverse();
};

function besideOthers(panel, m, question, metric) {
  const rows = [];
  for (const [suffix, part] of parts) {
    const found = Object.keys(names).map((who) => [who, m.metrics[`${question}${suffix}: ${who}`]]).filter(([, measured]) => measured?.values[metric]);
    if (found.length > 0) rows.push([part, found]);
  }
  const ofVisitors = question.startsWith("visitor");
  const most = Math.max(...rows.flatMap(([, found]) => found.map(([, measured]) => measured.values[metric].high)), 1e-9);
  const head = h("div", { class: "head" }, h("h2", { id: "h-beside" }, "Beside others"), h("span", { class: "muted mono" }, m.version));
  if (rows.length === 0) {
    panel.replaceChildren(head, h("p", { class: "muted" }, `This version was not asked "${question}": the later events of its time held nothing to ask.`));
    return;
  }
  panel.replaceChildren(head,
    scroll("Beside others", h("table", { class: "forest" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "recommender"), h("th", { scope: "col" }, "95 % interval"), h("th", { scope: "col", class: "number" }, `${metric.replace("@", " @ ")}`), h("th", { scope: "col", class: "number" }, "95 %"))),
      rows.map(([part, found]) => h("tbody", {},
        h("tr", { class: "part" }, h("th", { scope: "rowgroup", colSpan: 4 }, part !== "all" ? `${part} visitors` : ofVisitors ? "known visitors" : "all questions", h("span", { class: "muted" }, ` · ${count(found[0][1].cases)} asked`))),
        found.map(([who, measured]) => {
          const v = measured.values[metric];
          return h("tr", { class: who }, h("th", { scope: "row" }, names[who]), h("td", { class: "wide" }, whisker(v, most)), h("td", { class: "number" }, hundred(v)), h("td", { class: "number muted" }, interval(v)));
        }))))),
    h("p", { class: "muted small" }, `Warm visitors have factors of their own in the model, cold ones are folded in${ofVisitors ? "; those of whom nothing was known count among the cold alone" : ""}. All recommenders were asked the same questions.`));
}

function whisker(v, most) {
  const line = h("span", { class: "interval", "aria-hidden": "true" }, h("i", { class: "range" }), h("i", { class: "mean" }));
  line.children[0].style.left = `${(100 * v.low) / most}%`;
  line.children[0].style.width = `${(100 * (v.high - v.low)) / most}%`;
  line.children[1].style.left = `${(100 * v.mean) / most}%`;
  return line;
}

function decision(panel, manifest) {
  const d = manifest.decision;
  panel.replaceChildren(h("div", { class: "head" }, h("h2", { id: "h-gate" }, "The gate's decision"),
    d ? gate(d) : pill("not asked")));
  if (!d) {
    panel.append(h("p", { class: "muted" }, "This version is of a program that promoted whatever it trained."));
    return;
  }
  panel.append(h("p", {}, `${d.reason[0].toUpperCase()}${d.reason.slice(1)}.`));
  if (d.comparisons?.length) {
    panel.append(scroll("Comparisons", h("table", {},
      h("caption", { class: "hidden" }, "Differences on the same questions"),
      h("thead", {}, h("tr", {}, ["question", "against"].map((t) => h("th", { scope: "col" }, t)), ["difference", "95 %", "visitors"].map((t) => h("th", { scope: "col", class: "number" }, t)))),
      h("tbody", {}, d.comparisons.map((c) => h("tr", {}, h("th", { scope: "row" }, c.question), h("td", {}, c.with === "popular" ? "popularity" : h("span", { title: c.with }, "the champion")),
        h("td", { class: `number ${c.difference.low > 0 ? "better" : c.difference.high < 0 ? "worse" : ""}` }, `${c.difference.mean > 0 ? "+" : ""}${hundred(c.difference)}`),
        h("td", { class: "number muted" }, interval(c.difference)), h("td", { class: "number" }, count(c.visitors))))))),
      h("p", { class: "muted small" }, `In ${d.comparisons[0].metric.replace("@", " @ ")}, x100, on the same questions. ${d.champion ? `The champion of the time: ${d.champion}.` : "There was no champion before."}`));
  }
}

function foretold(panel, p, signal) {
  panel.replaceChildren(h("div", { class: "head" }, h("h2", { id: "h-purchase" }, "Who will buy: foretold and met"), p?.model ? h("span", { class: "muted" }, p.model) : null));
  if (!p?.model) {
    panel.append(h("p", { class: "muted" }, p?.none ? `This version foretells no purchases: ${p.none}.` : "This version foretells no purchases."));
    return;
  }
  const kept = p.candidates.find((c) => c.model === p.model) ?? p.candidates[0];
  const rows = kept.reliability.filter((r) => r.visitors > 0);
  const least = 10 ** Math.floor(Math.log10(Math.min(...rows.flatMap((r) => [r.predicted, r.observed]).filter((v) => v > 0))));
  const most = Math.min(1, 10 ** Math.ceil(Math.log10(Math.max(...rows.flatMap((r) => [r.predicted, r.observed])))));
  const heaviest = Math.max(...rows.map((r) => r.visitors));
  const words = `Calibration in ${rows.length} groups of visitors: ${rows.map((r) => `${percent(r.predicted, 2)} foretold, ${percent(r.observed, 2)} bought`).join("; ")}`;
  const scale = { time: false, distr: 3, range: [least / 1.5, most * 1.5] }; // room for the dots at the edges
  const shown = (v) => percent(v, Math.max(0, -Math.round(Math.log10(v)) - 2));
  const decades = (c, more) => axis(c, { splits: () => tens(least, most), values: (_, all) => all.map((v) => shown(v)), ...more });
  const across = (c) => decades(c, { size: 30, values: (u, all) => all.map((v, i) => (u.width < 420 && i % 2 ? "" : shown(v))) });
  const plot = chart(words, 240, (c) => ({
    scales: { x: scale, y: scale }, axes: [across(c), decades(c, { size: 58 })],
    series: [{}, { stroke: c.one, width: 0, points: { show: false }, paths: () => null }],
    hooks: { draw: [(u) => reliability(u, rows, least, most, heaviest, c)] },
  }), [rows.map((r) => r.predicted), rows.map((r) => Math.max(r.observed, least))], signal);
  panel.append(plot.host,
    h("p", { class: "muted small" }, `Across: the probability of a purchase within ${p.label_days} days, by groups of visitors; up: the share that bought. On the line what was foretold was met. A larger dot is more visitors; a ring is a group in which nobody bought.`),
    h("details", {}, h("summary", {}, "As a table, and the other models"),
      scroll("Foretold and met", h("table", {}, h("thead", {}, h("tr", {}, ["visitors", "foretold", "bought"].map((t) => h("th", { scope: "col", class: "number" }, t)))),
        h("tbody", {}, rows.map((r) => h("tr", {}, h("td", { class: "number" }, count(r.visitors)), h("td", { class: "number" }, percent(r.predicted, 3)), h("td", { class: "number" }, percent(r.observed, 3))))))),
      scroll("Models compared", h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "model"), ["area under PR", "area under ROC", "Brier"].map((t) => h("th", { scope: "col", class: "number" }, t)))),
        h("tbody", {}, p.candidates.map((c) => h("tr", {}, h("th", { scope: "row" }, c.model + (c.model === p.model ? " (kept)" : "")), [c.area_under_pr, c.area_under_roc, c.brier].map((v) => h("td", { class: "number" }, `${v.mean.toFixed(4)} [${v.low.toFixed(4)}, ${v.high.toFixed(4)}]`)))))))));
}

const tens = (least, most) => {
  const all = [];
  for (let v = least; v <= most * 1.0001; v *= 10) all.push(v);
  return all;
};

function reliability(u, rows, least, most, heaviest, c) {
  const { ctx } = u;
  const dot = devicePixelRatio;
  const at = (v, scale) => u.valToPos(Math.max(v, least), scale, true);
  ctx.save();
  ctx.strokeStyle = c.text;
  ctx.setLineDash([4 * dot, 4 * dot]);
  ctx.beginPath();
  ctx.moveTo(at(least, "x"), at(least, "y"));
  ctx.lineTo(at(most, "x"), at(most, "y"));
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.fillStyle = `${c.one}99`;
  ctx.strokeStyle = c.one;
  ctx.lineWidth = 1.5 * dot;
  for (const r of rows) {
    ctx.beginPath();
    ctx.arc(at(r.predicted, "x"), at(r.observed, "y"), (3 + 9 * Math.sqrt(r.visitors / heaviest)) * dot, 0, 2 * Math.PI);
    if (r.observed > 0) ctx.fill();
    ctx.stroke();
  }
  ctx.restore();
}
