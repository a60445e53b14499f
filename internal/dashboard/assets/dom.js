// Elements and words: what all views build with.

// h makes an element. A property that begins with "on" is a listener, "class" and "data-…" are attributes, and so is whatever the
// element has no property of; null and false children are passed over.
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !["class", "for", "list", "role"].includes(name)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// say changes an element's text where it differs, so that a selection in what stays the same is not lost.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Bars are widths in percent, set as a property: the page's policy allows no style attributes.
export function bar(share, kind = "") {
  const fill = h("span", { class: `fill ${kind}` });
  fill.style.width = `${Math.max(0, Math.min(1, share || 0)) * 100}%`;
  return h("span", { class: "bar", "aria-hidden": "true" }, fill);
}

// command is something to type, with a button that copies it.
export function command(text) {
  const button = h("button", { type: "button", class: "copy", "aria-label": `Copy: ${text}`, async onclick() {
    try {
      await navigator.clipboard.writeText(text);
      say(button, "copied");
    } catch {
      say(button, "select it");
    }
    setTimeout(() => say(button, "copy"), 1500);
  } }, "copy");
  return h("span", { class: "command" }, h("code", {}, text), button);
}

// scroll holds what may be wider than the window; the keyboard scrolls it, too.
export const scroll = (label, ...children) => h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": label }, children);

export const empty = (title, ...rest) => h("div", { class: "empty" }, h("p", { class: "lead" }, title), ...rest);
export const failure = (error) => h("div", { class: "empty", role: "alert" }, h("p", { class: "lead error" }, error.message));
export const pill = (text, kind = "") => h("span", { class: `pill ${kind}` }, text);

const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
export const count = (n) => whole.format(n);

const units = [[1e9, "G"], [1e6, "M"], [1e4, "k"]];
// short is a number in four or five characters, for large type.
export function short(n) {
  for (const [size, unit] of units) if (Math.abs(n) >= size) return (n / (unit === "k" ? 1e3 : size)).toPrecision(3).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "") + unit;
  return count(n);
}

export function rate(n) {
  if (n === null || n === undefined) return "–";
  return n === 0 ? "0" : n < 10 ? n.toFixed(1) : short(Math.round(n));
}

export function percent(share, digits = 1) {
  const text = (100 * share).toFixed(digits);
  return share > 0 && Number(text) === 0 ? `< ${(10 ** -digits).toFixed(digits)} %` : `${text} %`;
}
export const score = (n) => (Math.abs(n) >= 100 ? n.toFixed(0) : n.toPrecision(3));

// A mean and its interval, x100, as in the training's report.
export const hundred = (v) => (100 * v.mean).toFixed(2);
export const interval = (v) => `${(100 * v.low).toFixed(2)} to ${(100 * v.high).toFixed(2)}`;

export function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

export const ago = (time, now = Date.now()) => {
  const seconds = Math.max(0, (now - new Date(time)) / 1000);
  return seconds < 3 ? "now" : `${duration(seconds)} ago`;
};

const dates = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const days = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
export const day = (time) => days.format(new Date(time));
export const date = (time) => dates.format(new Date(time));
