// The plots of the last five minutes. Each is told in words as well, for those who do not see it.

import { make, number, time } from "./words.js";

const SECONDS = 300;
const HEIGHT = 220;
const OUTCOMES = ["hit", "stale", "miss", "collapsed", "bypass"];

/** A column for each thing that is drawn, the times first; what was not told is null. */
const columns = { at: [], hit: [], stale: [], miss: [], collapsed: [], bypass: [], hit50: [], hit99: [], load50: [], load99: [], running: [], waiting: [] };
/** The moments at which a server went, or came back. */
const marks = [];
let before;
let most = { running: 0, waiting: 0 };
let drawn = [];

const sum = (moment, part) => Object.values(moment.resources).reduce((total, going) => total + going[part], 0);

/** The number of each outcome between two moments. */
function outcomes({ service: now }, { service: then }) {
  const since = (name) => now[name] - then[name];
  return { hit: since("hits"), stale: since("stale"), miss: since("misses") - since("collapsed"), collapsed: since("collapsed"), bypass: since("bypasses") };
}

/** The time that a part of those between two moments did not exceed; within a bucket, as if they were spread evenly. */
function quantile(now, then, kind, part) {
  const all = Object.values(now.resources).map((going) => going[kind]);
  const gone = Object.values(then.resources).map((going) => going[kind]);
  const ends = all[0]?.ends_s ?? [];
  const counts = [...ends, null].map((_, at) => all.reduce((n, it) => n + it.counts[at], 0) - gone.reduce((n, it) => n + it.counts[at], 0));
  const wanted = counts.reduce((a, b) => a + b, 0) * part;
  if (!wanted) return null;
  let passed = 0;
  for (const [at, end] of ends.entries()) {
    if (passed + counts[at] >= wanted) return end / 2 + ((wanted - passed) / counts[at]) * (end / 2);
    passed += counts[at];
  }
  return ends.at(-1);
}

/** Takes note of a moment, and draws. */
export function add(moment) {
  const started = before && moment.service.gets < before.service.gets;
  if (before && !started) {
    const seconds = Math.max(0.1, (moment.at_ms - before.at_ms) / 1000);
    const done = outcomes(moment, before);
    for (const name of OUTCOMES) columns[name].push(done[name] / seconds);
    columns.at.push(moment.at_ms / 1000);
    columns.hit50.push(quantile(moment, before, "hits", 0.5));
    columns.hit99.push(quantile(moment, before, "hits", 0.99));
    columns.load50.push(quantile(moment, before, "loads", 0.5));
    columns.load99.push(quantile(moment, before, "loads", 0.99));
    columns.running.push(sum(moment, "running"));
    columns.waiting.push(sum(moment, "waiting"));
    mark(moment);
    if (columns.at.length > SECONDS) Object.values(columns).forEach((column) => column.shift());
  }
  before = moment;
  most = { running: sum(moment, "running_max"), waiting: sum(moment, "waiting_max") };
  draw();
}

function mark(moment) {
  for (const { server, state } of moment.memcached) {
    const then = before.memcached.find((it) => it.server === server)?.state;
    if (then && state && then !== state) marks.push({ at: moment.at_ms / 1000, text: `${server} ${state === "in service" ? "is back" : "is away"}` });
  }
  while (marks.length && marks[0].at < columns.at[0]) marks.shift();
}

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

const markers = {
  hooks: {
    draw: (plot) => {
      const { ctx, bbox } = plot;
      ctx.save();
      ctx.strokeStyle = ctx.fillStyle = color("text");
      ctx.font = `${11 * devicePixelRatio}px system-ui`;
      marks.forEach(({ at, text }, place) => {
        const x = plot.valToPos(at, "x", true);
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
        ctx.textAlign = x > bbox.left + bbox.width / 2 ? "right" : "left";
        ctx.fillText(` ${text} `, x, bbox.top + (1 + (place % 3)) * 12 * devicePixelRatio);
      });
      ctx.restore();
    },
  },
};

function plot(place, series, { scale = {}, values }) {
  const axis = { stroke: color("soft"), grid: { stroke: color("line"), width: 1 }, ticks: { stroke: color("line") } };
  const options = {
    width: place.clientWidth, height: HEIGHT, legend: { show: false }, cursor: { show: false }, plugins: [markers],
    scales: { x: { time: true }, y: scale },
    axes: [{ ...axis, values: (_, ticks) => ticks.map((at) => new Date(at * 1000).toTimeString().slice(0, 5)) }, { ...axis, size: 62, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : values(tick))) }],
    series: [{}, ...series.map((it) => ({ points: { show: false }, width: 1.5, spanGaps: false, ...it }))],
  };
  place.replaceChildren();
  return new uPlot(options, series.map(() => []), place);
}

/** Makes the plots anew: the first time, for another width, and for another scheme of colours. */
export function begin() {
  const at = (id) => document.getElementById(id);
  const filled = [...OUTCOMES].reverse().map((name) => ({ stroke: color(name), fill: color(name) }));
  const zero = { range: (_, least, greatest) => [0, Math.max(1, greatest * 1.05)] };
  const line = (name, dash) => ({ stroke: color(name), dash });
  drawn = [
    { plot: plot(at("plot-outcomes"), filled, { scale: zero, values: number }), data: stacked },
    { plot: plot(at("plot-times"), [line("hit"), line("hit", [4, 4]), line("load"), line("load", [4, 4])], { scale: { distr: 3, range: span }, values: time }), data: () => [columns.hit50, columns.hit99, columns.load50, columns.load99] },
    { plot: plot(at("plot-loads"), [line("load"), line("stale")], { scale: zero, values: number }), data: () => [columns.running, columns.waiting] },
  ];
  draw();
}

/** Whole powers of ten around the times. */
function span(_, least, greatest) {
  return [10 ** Math.floor(Math.log10(least || 1e-4)), 10 ** Math.ceil(Math.log10(greatest || 1))];
}

/** The outcomes on each other: the sum of all first, as each is drawn over those before it. */
function stacked() {
  const sums = [];
  OUTCOMES.forEach((name, place) => sums.push(columns[name].map((value, at) => value + (place ? sums[place - 1][at] : 0))));
  return sums.reverse();
}

function draw() {
  const now = columns.at.at(-1) ?? Date.now() / 1000;
  for (const { plot, data } of drawn) {
    plot.setData([columns.at, ...data()], false);
    plot.setScale("x", { min: now - SECONDS, max: now });
  }
  const last = (name) => columns[name].at(-1);
  tell("outcomes", OUTCOMES.map((name) => [name, `${name} ${number(last(name))}/s`]));
  tell("times", [["hit", `hits: half within ${time(last("hit50"))}, 99 % within ${time(last("hit99"))} (dashed)`], ["load", `loads: ${time(last("load50"))}, ${time(last("load99"))}`]]);
  tell("loads", [["load", `running ${number(last("running"))} of ${number(most.running)}`], ["stale", `waiting ${number(last("waiting"))} of ${number(most.waiting)}`]]);
}

function tell(id, rows) {
  const list = document.getElementById(`legend-${id}`);
  rows.forEach(([name, text], at) => {
    const item = list.children[at] ?? list.appendChild(make("li", { className: name }));
    if (item.textContent !== text) item.textContent = text;
  });
  const happened = marks.map(({ text }) => text).join(", ");
  document.getElementById(`plot-${id}`).setAttribute("aria-label", rows.map(([, text]) => text).join("; ") + (happened ? `; ${happened}` : ""));
}
