// The explorer: recommendations for a visitor or for a session that is built by clicking, and how they change with each click.

import { get, post } from "./api.js";
import { bar, command, count, day, empty, h, percent, pill, say, score, scroll } from "./dom.js";

const kinds = { view: "viewed", addtocart: "put into the cart", transaction: "bought" };
const shownItems = 20;

export async function explorer(root, shared, signal) {
  const state = { visitor: "", session: [], before: new Map(), category: "", kind: "view" };
  const said = h("p", { class: "hidden", role: "status" });
  const who = h("div", { class: "who" });
  const answer = h("section", { class: "panel answer", "aria-labelledby": "h-answer" });
  const visitor = h("input", { type: "text", id: "visitor", autocomplete: "off", spellcheck: false, maxLength: 128 });
  const seen = h("input", { type: "checkbox", id: "seen", checked: true });
  const kind = h("select", { id: "kind", onchange: () => (state.kind = kind.value) }, Object.entries(kinds).map(([value, text]) => h("option", { value }, text)));
  root.append(h("h1", {}, "Explorer"), said, h("div", { class: "explore" },
    h("div", { class: "side" },
      h("section", { class: "panel", "aria-labelledby": "h-visitor" },
        h("h2", { id: "h-visitor" }, "A visitor"),
        h("form", { class: "row", onsubmit(event) {
          event.preventDefault();
          state.visitor = visitor.value.trim();
          state.session = [];
          state.before = new Map();
          refresh();
        } }, h("label", { for: "visitor", class: "hidden" }, "Visitor's id"), visitor, h("button", { type: "submit" }, "Show")),
        h("p", { class: "muted small" }, "By id: known ones by what they did, unknown ones by what is popular.")),
      h("section", { class: "panel", "aria-labelledby": "h-session" },
        h("h2", { id: "h-session" }, "Or a session"),
        h("p", { class: "muted small" }, "Click items of the list: each click goes into an anonymous session, as if the item was"),
        h("p", { class: "row" }, h("label", { for: "kind", class: "hidden" }, "Kind of the next event"), kind),
        who),
      h("section", { class: "panel options", "aria-label": "Options" },
        h("p", { class: "row" }, seen, h("label", { for: "seen" }, "Show what was touched before, too")))),
    answer));
  seen.addEventListener("change", () => refresh());

  // A later question's answer is never overtaken by an earlier one's.
  let asking = new AbortController();
  signal.addEventListener("abort", () => asking.abort());
  async function refresh() {
    asking.abort();
    const mine = (asking = new AbortController());
    answer.setAttribute("aria-busy", "true");
    const pressed = answer.contains(document.activeElement) || who.contains(document.activeElement) ? document.activeElement.textContent : null;
    try {
      const list = await recommendations(state, seen.checked, mine.signal);
      show(list);
      await about(mine.signal);
      if (pressed !== null) goOn(pressed);
      say(said, `${list.items.length} recommendations, strategy ${list.strategy}`);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 404 && state.category) { // another version may know other categories
        state.category = "";
        return refresh();
      }
      answer.replaceChildren(h("h2", { id: "h-answer" }, "Recommendations"), error.status === 503
        ? empty("No version is served yet.", h("p", { class: "muted" }, error.message), command("go run ./sparkjobs/train"))
        : h("p", { class: "error", role: "alert" }, error.message));
      who.replaceChildren();
    } finally {
      answer.removeAttribute("aria-busy");
    }
  }

  function click(item) {
    state.visitor = visitor.value = "";
    state.session.push({ itemid: item, event: state.kind, timestamp: Date.now() });
    refresh();
  }

  // goOn puts the keyboard where it was: on the item that was pressed, wherever it stands now, else on the first.
  function goOn(pressed) {
    const items = [...answer.querySelectorAll("button.item")];
    (items.find((button) => button.textContent === pressed) ?? items[0])?.focus({ preventScroll: true });
  }

  function show(list) {
    const top = list.items[0]?.score || 1;
    const places = new Map(list.items.map((item, i) => [item.itemid, i]));
    const before = state.before;
    state.before = places;
    answer.replaceChildren(
      h("div", { class: "head" }, h("h2", { id: "h-answer" }, "Recommendations"),
        h("span", { class: "muted" }, state.category ? h("button", { type: "button", class: "chip", "aria-label": `Category ${state.category}, leave it`, onclick: () => ((state.category = ""), refresh()) }, `category ${state.category} ×`) : null, " strategy ", pill(list.strategy, "accent"), " version ", h("span", { class: "mono" }, list.model_version))),
      list.items.length === 0 ? h("p", { class: "muted" }, "No items are left.") : scroll("Recommendations", h("table", { class: "list" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "number place" }, "#"), h("th", { scope: "col", class: "moved" }, h("span", { class: "hidden" }, "change")), h("th", { scope: "col" }, "item"), h("th", { scope: "col", class: "number" }, "score"), h("th", { scope: "col", class: "strength" }, h("span", { class: "hidden" }, "share of the best score")), h("th", { scope: "col" }, "because of"), h("th", { scope: "col" }, "categories"))),
        h("tbody", {}, list.items.map((item, i) => h("tr", {},
          h("td", { class: "number muted" }, i + 1), h("td", {}, change(before, item.itemid, i)),
          h("td", {}, h("button", { type: "button", class: "item", title: "Add to the session", onclick: () => click(item.itemid) }, item.itemid)),
          h("td", { class: "number" }, score(item.score)), h("td", { class: "strength" }, bar(item.score / top)),
          h("td", {}, because(item.because)),
          h("td", {}, (item.categories ?? []).slice(0, 3).map((c) => h("button", { type: "button", class: "chip", title: "Only this category", "aria-label": `Only category ${c}`, onclick: () => ((state.category = c), refresh()) }, c)))))))));
  }

  async function about(stop) {
    if (state.visitor) {
      who.replaceChildren(h("p", { class: "muted" }, "Empty: you are looking at a visitor. The first click starts a session."));
      answer.querySelector(".profile")?.remove();
      answer.firstChild.after(await profile(state.visitor, stop));
      return;
    }
    const odds = state.session.length ? await chance(state.session, stop) : null;
    who.replaceChildren(state.session.length === 0 ? h("p", { class: "muted" }, "Empty so far: what is popular is shown.") : h("div", {},
      h("ol", { class: "clicks" }, state.session.map((e, i) => h("li", {}, h("span", { class: "mono" }, e.itemid), h("span", { class: "muted" }, kinds[e.event]),
        h("button", { type: "button", class: "remove", "aria-label": `Take ${e.itemid} out of the session`, onclick: () => (state.session.splice(i, 1), refresh()) }, "×")))),
      odds, h("button", { type: "button", onclick: () => ((state.session = []), (state.before = new Map()), refresh()) }, "Begin again")));
  }

  await refresh();
  shared.onVersions(refresh, signal);
}

function recommendations(state, seen, signal) {
  const query = new URLSearchParams({ limit: shownItems, explain: true, seen: seen ? "include" : "exclude" });
  if (state.category) query.set("category", state.category);
  if (state.visitor) return get(`/v1/visitors/${encodeURIComponent(state.visitor)}/recommendations?${query}`, signal);
  return post(`/v1/sessions/recommendations?${query}`, { events: state.session }, signal);
}

function change(before, item, place) {
  if (before.size === 0) return null;
  const was = before.get(item);
  if (was === undefined) return h("span", { class: "change new" }, "new");
  if (was === place) return h("span", { class: "change muted", "aria-label": "as before" }, "·");
  const by = Math.abs(was - place);
  return was > place ? h("span", { class: "change up", "aria-label": `up by ${by}` }, `▲ ${by}`) : h("span", { class: "change down", "aria-label": `down by ${by}` }, `▼ ${by}`);
}

function because(shares) {
  if (!shares?.length) return h("span", { class: "muted" }, "popularity");
  const told = shares.slice(0, 3).map((s) => h("span", { class: "share" }, h("span", { class: "mono" }, s.itemid), ` ${Math.round(100 * s.share)} %`));
  return [told, shares.length > 3 ? h("span", { class: "muted" }, `+${shares.length - 3}`) : null];
}

async function profile(id, signal) {
  let v;
  try {
    v = await get(`/v1/visitors/${encodeURIComponent(id)}`, signal);
  } catch (error) {
    if (error.status !== 404) throw error;
    return h("p", { class: "profile muted" }, "Nothing is known of this visitor.");
  }
  const facts = [["views", count(v.views)], ["carts", count(v.addtocarts)], ["bought", count(v.transactions)], ["items", count(v.items)], ["sessions", count(v.sessions)], ["last seen", day(v.last_seen)],
    ["segment", v.segment?.name ?? "–"], [v.purchase ? `buys within ${v.purchase.within_days} days` : "will buy", v.purchase ? percent(v.purchase.probability, 2) : "not foretold"]];
  return h("div", { class: "profile" }, h("dl", {}, facts.map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value)))),
    v.recent_items.length ? h("p", { class: "small" }, h("span", { class: "muted" }, "touched last "), v.recent_items.slice(0, 12).map((item) => [h("span", { class: "mono" }, item), " "])) : null);
}

// chance says how likely somebody is to buy who did only this; versions without such a model say so.
async function chance(events, signal) {
  try {
    const p = await post("/v1/purchase-probability", { events }, signal);
    return h("p", { class: "odds" }, `Buys within ${p.within_days} days: `, h("strong", {}, percent(p.probability, 2)));
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return h("p", { class: "muted small" }, error.message);
  }
}
