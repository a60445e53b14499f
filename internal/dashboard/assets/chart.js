// Plots: uPlot in the page's colours. Each says in words what it shows, and is drawn anew when size or colour scheme change.

import uPlot from "./uplot.js";
import { h } from "./dom.js";

const scheme = matchMedia("(prefers-color-scheme: dark)");

export function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return { text: of("muted"), line: of("line"), one: of("accent"), two: of("second"), panel: of("panel"), strong: of("text") };
}

// chart draws into a new element: options are made from the colours. It ends with the signal.
export function chart(label, height, options, data, signal) {
  const host = h("div", { class: "plot", role: "img", "aria-label": label });
  host.style.height = `${height}px`;
  let plot;
  const draw = () => {
    plot?.destroy();
    plot = null;
    if (host.clientWidth > 0) plot = new uPlot({ width: host.clientWidth, height, legend: { show: false }, cursor: { show: false }, ...options(colours()) }, data, host);
  };
  const resized = new ResizeObserver(() => (plot ? plot.setSize({ width: host.clientWidth, height }) : draw()));
  resized.observe(host);
  scheme.addEventListener("change", draw, { signal });
  signal.addEventListener("abort", () => {
    resized.disconnect();
    plot?.destroy();
  });
  return {
    host,
    set(next, words) {
      data = next;
      plot?.setData(next);
      if (words) host.setAttribute("aria-label", words);
    },
  };
}

const font = "12px system-ui, sans-serif";
export const axis = (c, more) => ({ stroke: c.text, font, grid: { stroke: c.line, width: 1 }, ticks: { show: false }, ...more });
export const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

// legend names the lines of a plot by colour.
export const legend = (...names) => h("p", { class: "legend" }, names.map(([name, kind]) => h("span", {}, h("i", { class: kind }), name)));

// points draws points with whiskers, of series that hold {mean, low, high}.
export function whiskers(series) {
  return (plot) => {
    const { ctx } = plot;
    const dot = devicePixelRatio;
    ctx.save();
    for (const { values, colour, shift = 0 } of series) {
      ctx.strokeStyle = ctx.fillStyle = colour;
      ctx.lineWidth = 1.5 * dot;
      values.forEach((v, i) => {
        if (!v) return;
        const x = plot.valToPos(i, "x", true) + shift * dot;
        const [low, mean, high] = [v.low, v.mean, v.high].map((y) => plot.valToPos(100 * y, "y", true));
        ctx.beginPath();
        ctx.moveTo(x, low);
        ctx.lineTo(x, high);
        for (const y of [low, high]) {
          ctx.moveTo(x - 4 * dot, y);
          ctx.lineTo(x + 4 * dot, y);
        }
        ctx.stroke();
        ctx.beginPath();
        ctx.arc(x, mean, 4 * dot, 0, 2 * Math.PI);
        ctx.fill();
      });
    }
    ctx.restore();
  };
}
