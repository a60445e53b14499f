// The page: which view is shown, who is looking, and the stream of the status that all views share.

import { hooks, key, Problem, stream } from "./api.js";
import { failure, say } from "./dom.js";
import { explorer } from "./explorer.js";
import { flow } from "./flow.js";
import { quality } from "./quality.js";
import { segments } from "./segments.js";
import { versions } from "./versions.js";

const views = { flow, quality, explorer, segments, versions };
const titles = { flow: "Flow", quality: "Quality", explorer: "Explorer", segments: "Segments", versions: "Versions" };
const main = document.getElementById("main");
const keyForm = document.getElementById("key");
const connection = document.getElementById("connection");

// shared is what views are given: the latest status, and how to hear of the next.
const shared = {
  status: null,
  history: [], // what the plots of rates are made of, while the page is open
  listeners: new Set(),
  onStatus(see, signal) {
    this.listeners.add(see);
    signal.addEventListener("abort", () => this.listeners.delete(see));
    if (this.status) see(this.status);
  },
  // onVersions tells of versions that came, went, or took over: what was asked of them before is old then.
  onVersions(see, signal) {
    const versionsOf = (s) => JSON.stringify([s.models, s.api.version]);
    let known = this.status && versionsOf(this.status);
    this.onStatus((s) => {
      const now = versionsOf(s);
      if (known && now !== known) see();
      known = now;
    }, signal);
  },
};
const longest = 300; // looks that are kept: ten minutes

let leaving = new AbortController();

function show(focus) {
  const name = location.hash.replace(/^#\//, "");
  if (!Object.hasOwn(views, name)) {
    if (location.hash === "#main" && main.firstChild) return; // the skip link
    location.replace("#/flow");
    return;
  }
  leaving.abort();
  leaving = new AbortController();
  document.title = `${titles[name]} · Cartwheel`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === location.hash) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const root = document.createElement("div");
  root.className = `view ${name}`;
  main.replaceChildren(root);
  Promise.resolve(views[name](root, shared, leaving.signal)).catch((error) => {
    if (error.name !== "AbortError" && !(error instanceof Problem && error.status === 401)) root.replaceChildren(failure(error));
  });
  if (focus) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
}

function tell(state, text) {
  connection.dataset.state = state;
  say(connection.lastElementChild, text);
}

// follow keeps the stream open while the page can be seen.
let following = null;
async function follow() {
  following?.abort();
  if (document.hidden || !keyForm.hidden) return;
  const mine = (following = new AbortController());
  while (!mine.signal.aborted) {
    let pause = 2000;
    try {
      await stream("/v1/status/stream", mine.signal, (event, data) => event === "status" && heard(JSON.parse(data)));
      tell("away", "reconnecting");
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 401) return tell("away", "a key is needed");
      tell("away", error.status === 503 ? "too many are looking" : "reconnecting");
      if (error.status === 503) pause = 10000;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

function heard(status) {
  tell("live", "live");
  shared.status = status;
  shared.history.push(status);
  if (shared.history.length > longest) shared.history.shift();
  for (const see of shared.listeners) see(status);
}

hooks.keyWanted = (refused) => {
  keyForm.hidden = false;
  say(document.getElementById("key-error"), refused ? "The API does not know this key." : "");
};
hooks.keyAccepted = () => {
  keyForm.hidden = true;
};
keyForm.addEventListener("submit", (event) => {
  event.preventDefault();
  const field = document.getElementById("key-field");
  key.set(field.value.trim());
  field.value = "";
  keyForm.hidden = true;
  show(false);
  follow();
});
addEventListener("hashchange", () => show(true));
document.addEventListener("visibilitychange", follow);
show(false);
follow();
