// The segments of the champion's visitors: how large each is, and how it differs from everybody.

import { get } from "./api.js";
import { bar, command, count, empty, h, percent, scroll } from "./dom.js";

const features = {
  views: "views", addtocarts: "put into the cart", transactions: "bought", items: "distinct items", sessions: "sessions", recency_days: "days since the last event",
  tenure_days: "days since the first event", events_per_session: "events a session", view_to_cart: "share of views that went to the cart", cart_to_buy: "share of the cart that was bought",
};

export async function segments(root, shared, signal) {
  await draw(root, signal);
  shared.onVersions(() => draw(root, signal).catch(() => {}), signal);
}

async function draw(root, signal) {
  const title = h("h1", {}, "Segments");
  let list;
  try {
    list = await get("/v1/segments", signal);
  } catch (error) {
    if (error.status !== 404 && error.status !== 503) throw error;
    root.replaceChildren(title, empty(error.status === 503 ? "No version is served yet." : "The champion has no segments.", h("p", { class: "muted" }, error.message), error.status === 503 ? command("go run ./sparkjobs/train") : null));
    return;
  }
  const all = list.segments.toSorted((a, b) => b.visitors - a.visitors);
  const largest = all[0]?.visitors ?? 1;
  const known = [...Object.keys(features).filter((f) => f in list.means), ...Object.keys(list.means).filter((f) => !(f in features))];
  root.replaceChildren(title,
    h("section", { class: "panel", "aria-labelledby": "h-sizes" },
      h("div", { class: "head" }, h("h2", { id: "h-sizes" }, "Sizes"), h("span", { class: "muted" }, `${count(list.visitors)} visitors in ${all.length} segments, version `, h("span", { class: "mono" }, list.model_version))),
      h("table", { class: "bars" }, h("thead", { class: "hidden" }, h("tr", {}, ["segment", "size", "visitors", "share"].map((t) => h("th", { scope: "col" }, t)))),
        h("tbody", {}, all.map((s) => h("tr", {}, h("th", { scope: "row" }, s.name), h("td", { class: "wide" }, bar(s.visitors / largest)), h("td", { class: "number" }, count(s.visitors)), h("td", { class: "number muted" }, percent(s.visitors / list.visitors))))))),
    h("section", { class: "panel", "aria-labelledby": "h-profiles" },
      h("div", { class: "head" }, h("h2", { id: "h-profiles" }, "Profiles"), h("span", { class: "muted" }, "means, and how many times everybody's")),
      scroll("Profiles of the segments", h("table", { class: "profiles" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "of each visitor"), h("th", { scope: "col", class: "number" }, "everybody"), all.map((s) => h("th", { scope: "col", class: "number" }, s.name)))),
        h("tbody", {}, known.map((f) => h("tr", {}, h("th", { scope: "row" }, features[f] ?? f), h("td", { class: "number muted" }, figure(list.means[f])),
          all.map((s) => h("td", { class: `number ${leaning(s.means[f], list.means[f])}` }, h("span", {}, figure(s.means[f])), h("small", {}, times(s.means[f], list.means[f])))))))))));
}

const figure = (v) => (v === 0 ? "0" : v < 0.005 ? "< 0.01" : v < 10 ? v.toFixed(2) : v.toFixed(1));
const times = (v, mean) => (mean > 0 && v > 0 ? `×${v / mean < 10 ? (v / mean).toFixed(1) : Math.round(v / mean)}` : "");
const leaning = (v, mean) => (mean <= 0 ? "" : v / mean >= 4 ? "far-above" : v / mean >= 1.5 ? "above" : v / mean <= 0.5 ? "below" : "");
