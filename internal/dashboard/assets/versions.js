// The versions on disk, and the two things that can be done with them. Both ask first, and want an admin's key where keys are set.

import { act, get, key } from "./api.js";
import { command, count, date, duration, empty, h, hundred, interval, pill, say, scroll } from "./dom.js";

export async function versions(root, shared, signal) {
  const body = h("div", {});
  const said = h("p", { class: "said", role: "status", tabIndex: -1 });
  root.append(h("h1", {}, "Versions"), said, body);
  const load = async () => {
    const list = await get("/v1/models", signal);
    body.replaceChildren(table(list, shared, async (version, way) => {
      if (!(await confirm(version, way, list.champion))) return;
      say(said, `${version} is the champion now, here and on every server of these models.`);
      await load();
      said.focus(); // the button that was pressed has gone
    }));
  };
  await load();
  shared.onVersions(() => load().catch(() => {}), signal);
}

function table(list, shared, choose) {
  if (list.models.length === 0) return empty("There is no version yet.", h("p", { class: "muted" }, "A training makes one from all batch files, measures it, and makes it the champion if it is better than popularity."), command("go run ./sparkjobs/train"));
  const previous = shared.status?.models.previous;
  const back = previous && list.models.some((m) => m.version === previous && !m.error);
  return h("div", {},
    h("div", { class: "tools" }, back ? h("button", { type: "button", onclick: () => choose(previous, "back") }, "Roll back to ", h("span", { class: "mono" }, previous)) : null),
    h("div", { class: "panel" }, scroll("Versions", h("table", { class: "list" },
      h("thead", {}, h("tr", {}, ["version", "trained"].map((t) => h("th", { scope: "col" }, t)), ["took", "events", "visitors", "items"].map((t) => h("th", { scope: "col", class: "number" }, t)),
        h("th", { scope: "col", class: "number" }, "NDCG @ 10, new items"), h("th", { scope: "col", class: "gate" }, "gate"), h("th", { scope: "col" }, h("span", { class: "hidden" }, "action")))),
      h("tbody", {}, list.models.map((m) => row(m, choose)))))));
}

function row(m, choose) {
  const name = h("th", { scope: "row" }, h("span", { class: "mono" }, m.version), " ", m.champion ? pill("champion", "accent") : null);
  if (m.error) return h("tr", {}, name, h("td", { colSpan: 8, class: "error" }, m.error));
  const ours = m.metrics?.["visitor, new items: blend"]?.values["ndcg@10"], theirs = m.metrics?.["visitor, new items: popular"]?.values["ndcg@10"];
  return h("tr", {}, name, h("td", {}, date(m.created_at)),
    h("td", { class: "number" }, m.training_seconds ? duration(m.training_seconds) : "–"),
    ["events", "visitors", "items"].map((of) => h("td", { class: "number" }, count(m.counts[of]))),
    h("td", { class: "number" }, ours ? [h("strong", {}, hundred(ours)), h("span", { class: "muted" }, ` [${interval(ours)}]`), theirs ? h("div", { class: "muted small" }, `popularity ${hundred(theirs)}`) : null] : "–"),
    h("td", { class: "gate" }, m.decision ? [gate(m.decision), h("div", { class: "muted small" }, m.decision.reason)] : h("span", { class: "muted" }, "–")),
    h("td", { class: "number" }, m.champion ? null : h("button", { type: "button", "aria-label": `Activate ${m.version}`, onclick: () => choose(m.version, "activate") }, "Activate")));
}

export const gate = (d) => (d.forced ? pill("promoted by force", "warn") : d.promoted ? pill("promoted", "good") : pill("kept back", "warn"));

// confirm asks, acts, and resolves to whether it was done. The key is used for this one request and kept nowhere.
function confirm(version, way, champion) {
  return new Promise((resolve) => {
    const wanted = key.get() !== "";
    const field = h("input", { type: "password", id: "admin-key", autocomplete: "off", spellcheck: false, required: wanted });
    const error = h("p", { class: "error", role: "alert" });
    const go = h("button", { type: "submit", class: "primary" }, way === "back" ? "Roll back" : "Activate");
    let done = false;
    const dialog = h("dialog", { "aria-labelledby": "ask", onclose() {
      dialog.remove();
      resolve(done);
    } }, h("form", { async onsubmit(event) {
      event.preventDefault();
      go.disabled = true;
      say(error, "");
      try {
        await act(`/v1/models/${encodeURIComponent(version)}/activate`, field.value.trim());
        done = true;
        dialog.close();
      } catch (problem) {
        say(error, problem.message);
        go.disabled = false;
        if (problem.status === 401 || problem.status === 403) {
          field.required = true;
          field.focus();
        }
      }
    } },
      h("h2", { id: "ask" }, way === "back" ? "Roll back?" : "Activate this version?"),
      h("p", {}, h("span", { class: "mono" }, version), " is loaded and checked, and then serves instead of ", champion ? h("span", { class: "mono" }, champion) : "nothing", ", here and on every server of these models."),
      h("p", { class: "field" }, h("label", { for: "admin-key" }, wanted ? "Admin key" : "Admin key, if this API wants keys"), field),
      error,
      h("p", { class: "actions" }, h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), go)));
    document.body.append(dialog);
    dialog.showModal();
  });
}
