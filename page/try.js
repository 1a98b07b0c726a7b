// One thing: asked for, explained, forgotten, warmed up, changed.

import { allowed } from "./feed.js";
import { life } from "./life.js";
import { explained, make, time, timings } from "./words.js";

const find = (id) => document.getElementById(id);

let latest;
let described;
let asking = false;
/** The last time that a query took, by resource. */
const queries = new Map();

/** Takes note of the resources, and offers them. */
export async function offer(moment) {
  latest = moment;
  const names = Object.keys(moment.resources);
  const select = find("resource");
  if (asking || select.options.length === names.length) return;
  asking = true;
  try {
    described = await (await fetch("/openapi.json")).json();
    select.replaceChildren(...names.map((name) => new Option(name)));
    if (names.includes("users")) select.value = "users";
    ask();
  } catch {
    // The next moment tries again.
  } finally {
    asking = false;
  }
}

/** Asks for the parameters of the chosen resource. */
function ask() {
  const { path } = chosen();
  const parameters = described.paths[path]?.get.parameters ?? [];
  const fields = parameters.filter((it) => it.in === "path" || it.in === "query").map(({ name, in: place, required, schema }) => {
    const input = make("input", { name, required: Boolean(required), size: 12, autocomplete: "off" });
    input.dataset.place = place;
    if (schema?.type === "integer") Object.assign(input, { inputMode: "numeric", value: 42 });
    return make("label", {}, name, input);
  });
  find("parameters").replaceChildren(...fields);
  find("change").hidden = find("resource").value !== "users";
}

function chosen() {
  const name = find("resource").value;
  return { name, ...latest.resources[name] };
}

/** The path of what is chosen, and of its entry. */
function target() {
  const { name, path } = chosen();
  const inputs = [...find("parameters").querySelectorAll("input")];
  const of = (place) => inputs.filter((input) => input.dataset.place === place && input.value !== "");
  const filled = of("path").reduce((text, { name, value }) => text.replace(`{${name}}`, encodeURIComponent(value)), path);
  const query = new URLSearchParams(of("query").map(({ name, value }) => [name, value])).toString();
  const rest = of("path").map(({ value }) => `/${encodeURIComponent(value)}`).join("");
  const tail = query ? `?${query}` : "";
  return { name, path: filled + tail, entry: `/cache/${name}${rest}${tail}`, ids: inputs.map((input) => input.value) };
}

async function exchange(method, path, headers = {}, body = undefined) {
  const begun = performance.now();
  const answer = await fetch(path, { method, headers: { ...allowed(), ...headers }, body });
  const text = await answer.text();
  return { answer, text, took: (performance.now() - begun) / 1000 };
}

function show({ answer, text, took }, line) {
  const rows = [...answer.headers].filter(([name]) => explained(name, "") !== undefined || /cache|timing/.test(name)).map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", { className: "words" }, value), make("td", { className: "words" }, explained(name, value) ?? "")));
  const table = make("table", {}, make("caption", {}, "What its headers say"), make("tbody", {}, ...rows));
  const region = make("div", { className: "scroll", role: "region", tabIndex: 0 }, table);
  region.setAttribute("aria-label", "Headers of the answer");
  const body = make("pre", { tabIndex: 0 }, pretty(text));
  const status = make("span", { className: answer.ok ? "good" : "bad" }, `${answer.status} ${answer.statusText}`);
  find("answer").replaceChildren(make("p", { className: "big" }, status, ` ${line}`), make("p", { className: "note" }, `${time(took)} as this browser sees it, with the way there and back.`), region, body);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** The time of the answer against that of the last query. */
function compared(name, answer) {
  const { db, total } = timings(answer.headers.get("server-timing"));
  if (db !== undefined) queries.set(name, db);
  const cached = answer.headers.get("x-cache") ?? "";
  if (total === undefined) return "";
  if (db !== undefined || !queries.has(name)) return `${cached} in ${time(total / 1000)}`;
  return `${cached} in ${time(total / 1000)}; the query took ${time(queries.get(name) / 1000)}`;
}

async function send() {
  const { name, path } = target();
  const directive = find("directive").value;
  const answered = await exchange("GET", path, directive ? { "cache-control": directive } : {});
  show(answered, compared(name, answered.answer));
}

async function explain() {
  const { answer, text } = await exchange("GET", target().entry);
  const told = answer.ok ? life(JSON.parse(text), chosen()) : [make("p", { className: "bad" }, JSON.parse(text).detail)];
  find("life").replaceChildren(...told);
}

async function order(method, path, headers, body, done) {
  const answered = await exchange(method, path, headers, body);
  show(answered, answered.answer.ok ? done : "");
}

const JSON_BODY = { "content-type": "application/json" };

function forget() {
  return order("DELETE", target().entry, {}, undefined, "It is forgotten.");
}

function warm() {
  const { name, ids } = target();
  const { path } = chosen();
  const numbered = described.paths[path]?.get.parameters.some((it) => it.schema?.type === "integer");
  const values = ids.map((id) => (numbered && /^\d+$/.test(id) ? Number(id) : id));
  const one = values.length === 1 ? values[0] : values;
  return order("POST", "/jobs/warm-ups", JSON_BODY, JSON.stringify({ resource: name, ids: [one] }), "It is on the queue.");
}

function change() {
  return order("PATCH", target().path, { "content-type": "application/merge-patch+json" }, find("body").value, "It is changed, and its entry forgotten.");
}

/** Makes `element` do `act`, and tells what went wrong. */
function on(element, event, act) {
  element.addEventListener(event, (happened) => {
    happened.preventDefault();
    act().catch(() => find("answer").replaceChildren(make("p", { className: "bad" }, "The service does not answer.")));
  });
}

/** Lets the forms be used. */
export function begin() {
  find("resource").addEventListener("change", ask);
  on(find("one"), "submit", send);
  on(find("explain"), "click", explain);
  on(find("forget"), "click", forget);
  on(find("warm"), "click", warm);
  on(find("patch"), "submit", change);
}
