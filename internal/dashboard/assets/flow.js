// The flow from source to answer: a stage for each part, with what can be seen of it.

import { axis, chart, clock, legend } from "./chart.js";
import { ago, bar, command, count, date, duration, h, rate, say, short } from "./dom.js";

// seen tells whether anything is known of the topic: what is not known is not shown as none.
const seen = (s) => s.topic.exists;

// Each stage turns the status into: a state (good, busy, warn, bad, none) in words, a figure with its unit, and facts.
const stages = [
  ["Producer", (s) => ({
    state: !s.topic.configured ? ["none", "no broker"] : s.topic.error ? ["bad", "Kafka is away"] : s.topic.per_second > 0 ? ["good", "writing"] : ["none", "quiet"],
    figure: rate(s.topic.per_second), unit: "events/s",
    facts: [["rejected rows", count(s.rejected.total)]],
  })],
  ["Topic", (s) => ({
    state: !s.topic.configured ? ["none", "no broker"] : s.topic.error ? ["bad", "away"] : !s.topic.exists ? ["warn", "does not exist"] : ["good", "there"],
    figure: seen(s) ? short(s.topic.held) : "–", unit: "events held",
    facts: [["name", s.topic.name], ["partitions", seen(s) ? count(s.topic.partitions) : "–"], ["dead letters", seen(s) ? count(s.dead_letters.total) : "–"]],
  })],
  ["Consumer", (s) => ({
    state: !s.topic.configured ? ["none", "no broker"] : s.topic.error || s.consumer.error ? ["bad", "unknown"] : s.consumer.members === 0 ? (s.consumer.lag > 0 ? ["warn", "not running"] : ["none", "not running"])
      : s.consumer.lag > 0 ? ["busy", "reading"] : ["good", "up to date"],
    figure: seen(s) && !s.consumer.error ? short(s.consumer.lag) : "–", unit: "events behind",
    facts: [["running", seen(s) && !s.consumer.error ? count(s.consumer.members) : "–"], ["last minute", seen(s) ? `${rate(s.consumer.per_second)}/s` : "–"]],
  })],
  ["Batch files", (s) => ({
    state: s.batches.error ? ["bad", "cannot be read"] : s.batches.files === 0 ? ["none", "none yet"] : ["good", "there"],
    figure: short(s.batches.files), unit: s.batches.files === 1 ? "file" : "files",
    facts: s.batches.last ? [["last", ago(s.batches.last.at, new Date(s.at))], ["its rows", s.batches.last.rows === null ? "many" : count(s.batches.last.rows)]] : [],
  })],
  ["Training", (s) => ({
    state: s.training.since ? ["busy", "under way"] : !s.training.last ? ["none", "none yet"] : s.training.last.promoted ? ["good", "promoted"] : ["warn", "kept back by the gate"],
    figure: s.training.since ? duration((new Date(s.at) - new Date(s.training.since)) / 1000) : s.training.last?.seconds ? duration(s.training.last.seconds) : "–",
    unit: s.training.since ? "so far" : "the last one",
    facts: [["began", s.training.since || s.training.last ? date(s.training.since ?? s.training.last.began) : "–"], ["new events", count(s.training.new_events)]],
  })],
  ["Versions", (s) => ({
    state: s.models.error ? ["bad", "trouble"] : s.models.champion ? ["good", "champion chosen"] : s.models.versions ? ["warn", "no champion"] : ["none", "none yet"],
    figure: count(s.models.versions), unit: s.models.versions === 1 ? "version" : "versions",
    facts: [["champion", s.models.champion ?? "–"], ...(s.models.damaged ? [["damaged", count(s.models.damaged)]] : [])],
  })],
  ["API", (s) => ({
    state: s.api.ready ? (s.api.detail ? ["warn", "ready, but"] : ["good", "ready"]) : ["bad", "not ready"],
    figure: rate(s.api.per_second), unit: "requests/s",
    facts: [["failed", count(s.api.failed)], ["up", duration(s.api.uptime_seconds)], ...(s.topic.configured ? [["live history", s.api.live_lag_seconds < 3 ? "up to date" : `${duration(s.api.live_lag_seconds)} behind`]] : [])],
    note: s.api.detail ?? "",
  })],
];

export function flow(root, shared, signal) {
  const next = h("section", { class: "next", "aria-label": "What to do next", hidden: true });
  const cards = stages.map(([name, of]) => stage(name, of));
  const throughput = chart("Events per second", 190, throughputOptions, [[], [], []], signal);
  const lag = chart("Events that are not in batch files yet", 190, lagOptions, [[], []], signal);
  const refusals = h("div", { class: "two" });
  root.append(
    h("h1", {}, "Flow"), next,
    h("ol", { class: "stages" }, cards.map((c) => c.element)),
    h("div", { class: "two" },
      h("section", { class: "panel", "aria-labelledby": "h-throughput" }, h("div", { class: "head" }, h("h2", { id: "h-throughput" }, "Events per second"), legend(["written to Kafka", "c1"], ["into batch files", "c2"])), throughput.host),
      h("section", { class: "panel", "aria-labelledby": "h-lag" }, h("div", { class: "head" }, h("h2", { id: "h-lag" }, "Events behind"), legend(["not in batch files yet", "c1"])), lag.host)),
    refusals);
  let told = "";
  shared.onStatus((s) => {
    for (const c of cards) c.update(s);
    const looks = shared.history.length > 1 ? shared.history : [{ ...s, at: new Date(s.at) - 60000 }, s]; // from one moment on there is no line yet
    const times = looks.map((l) => new Date(l.at) / 1000);
    throughput.set([times, looks.map((l) => l.topic.per_second), looks.map((l) => l.consumer.per_second)],
      `Events per second: ${rate(s.topic.per_second)} written to Kafka, ${rate(s.consumer.per_second)} into batch files over the last minute`);
    lag.set([times, looks.map((l) => (l.topic.exists ? l.consumer.lag : null))], `Events that are not in batch files yet: ${count(s.consumer.lag)}`);
    const listed = JSON.stringify([s.next, s.rejected, s.dead_letters, s.topic.exists, s.topic.error, s.consumer.error, s.batches.error, s.models.error]);
    if (listed === told) return; // what has buttons stays as it is while it says the same
    told = listed;
    steps(next, s);
    refusals.replaceChildren(refused("Rejected rows", "Rows of the sources that are no events, by the rule they break", `None in ${s.rejected.where}.`, s.rejected),
      refused("Dead letters", "Records of the topic that are no events, by the rule they break", seen(s) ? `None in ${s.dead_letters.where}.` : "Nothing can be seen of the topic.", s.dead_letters));
  }, signal);
}

function stage(name, of) {
  const state = h("span", {}), figure = h("span", { class: "figure" }, "–"), unit = h("span", { class: "unit" }), facts = h("dl", {}), note = h("p", { class: "note" });
  const element = h("li", { class: "stage" }, h("h2", {}, name), h("p", { class: "state" }, h("span", { class: "dot" }), state),
    h("p", { class: "big" }, figure, unit), facts, note);
  return {
    element,
    update(s) {
      const now = of(s);
      element.dataset.state = now.state[0];
      say(state, now.state[1]);
      say(figure, now.figure);
      say(unit, now.unit);
      say(note, now.note ?? "");
      now.facts.forEach(([label, value], i) => {
        if (!facts.children[i]) facts.append(h("div", {}, h("dt", {}), h("dd", {})));
        say(facts.children[i].firstChild, label);
        say(facts.children[i].lastChild, value);
        facts.children[i].lastChild.className = /^\d{8}T/.test(value) ? "mono" : "";
      });
      while (facts.children.length > now.facts.length) facts.lastChild.remove();
    },
  };
}

function steps(panel, s) {
  const troubles = [["Kafka", s.topic.error], ["The consumer's group", s.consumer.error], ["The batch files", s.batches.error], ["The versions", s.models.error]].filter(([, error]) => error);
  panel.hidden = s.next.length + troubles.length === 0;
  panel.replaceChildren(
    h("h2", {}, s.next.length ? "What to do next" : "What is wrong"),
    ...troubles.map(([what, error]) => h("p", { class: "error" }, `${what}: ${error}`)),
    h("ol", {}, s.next.map((step) => h("li", {}, h("span", {}, step.what), command(step.command)))));
}

function refused(title, about, none, r) {
  const most = Math.max(...r.reasons.map((reason) => reason.count));
  return h("section", { class: "panel", "aria-label": title },
    h("div", { class: "head" }, h("h2", {}, title), h("span", { class: "muted" }, r.total === 0 ? "" : `${count(r.total)} in all${r.read < r.total ? `, ${count(r.read)} of them read` : ""}`)),
    r.error ? h("p", { class: "error" }, r.error) : null,
    r.reasons.length === 0 ? h("p", { class: "muted small" }, none)
      : h("table", { class: "bars" }, h("caption", { class: "hidden" }, about), h("thead", { class: "hidden" }, h("tr", {}, ["rule", "share", "count"].map((t) => h("th", { scope: "col" }, t)))),
        h("tbody", {}, r.reasons.map((reason) => h("tr", {}, h("th", { scope: "row" }, reason.rule), h("td", { class: "wide" }, bar(reason.count / most, "warn")), h("td", { class: "number" }, count(reason.count)))))),
    r.reasons.length > 0 ? h("p", { class: "muted small" }, r.where) : null);
}

// Seconds and events are whole: a step of half of one would be rounded to what is not so.
const wholeSteps = Array.from({ length: 40 }, (_, i) => [1, 2, 5][i % 3] * 10 ** Math.floor(i / 3));
const times = (c) => axis(c, { values: (_, all) => all.map(clock), incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300], space: 90, size: 28 });
const zero = { range: (_, low, high) => [0, Math.max(high || 0, 10) * 1.1] };
const numbers = (c) => axis(c, { values: (_, all) => all.map(short), incrs: wholeSteps, size: 52 });
const throughputOptions = (c) => ({
  scales: { y: zero }, axes: [times(c), numbers(c)],
  series: [{}, { stroke: c.one, width: 2, points: { show: false }, fill: `${c.one}1f` }, { stroke: c.two, width: 2, points: { show: false } }],
});
const lagOptions = (c) => ({ scales: { y: zero }, axes: [times(c), numbers(c)], series: [{}, { stroke: c.one, width: 2, points: { show: false }, fill: `${c.one}1f` }] });
