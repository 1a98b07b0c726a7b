// Numbers and headers in words, and elements made of text: nothing here is ever read as HTML.

const whole = new Intl.NumberFormat("en");

export const number = (value) => (value === undefined || value === null ? "–" : whole.format(Math.round(value)));

export const percent = (value) => (value === undefined || value === null ? "–" : `${value.toFixed(1)} %`);

export function bytes(value) {
  if (value === undefined) return "–";
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1024 || unit === "GiB") return `${value < 10 && unit !== "B" ? value.toFixed(1) : Math.round(value)} ${unit}`;
    value /= 1024;
  }
}

/** A time in the unit that suits it. */
export function time(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (!seconds) return "0 s";
  if (seconds < 1e-3) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${(seconds * 1e3).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** An element with these properties and children; a child that is no element is text. */
export function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** The parts of Server-Timing, in milliseconds. */
export function timings(header) {
  const parts = [...(header ?? "").matchAll(/(\w+);dur=([\d.]+)/g)];
  return Object.fromEntries(parts.map(([, name, ms]) => [name, Number(ms)]));
}

const OUTCOMES = {
  HIT: "a fresh entry: the source was not asked",
  MISS: "nothing was stored: the source was asked, or a load of the same was waited for",
  STALE: "an entry past its time, served while it is refreshed or because the source fails",
  BYPASS: "the cache was not asked, or could not be",
};

function ofCacheStatus(value) {
  const said = [];
  const ttl = value.match(/;\s*ttl=(-?\d+)/);
  const reason = value.match(/fwd=([\w-]+)/)?.[1];
  const detail = value.match(/detail=([\w-]+)/)?.[1];
  if (/;\s*hit/.test(value)) said.push("answered from the cache");
  if (reason) said.push({ miss: "asked the source: nothing was stored", stale: "asked the source: what was stored was too old", request: "asked the source: the request wanted that", bypass: "went past the cache", method: "changed it" }[reason] ?? `forwarded: ${reason}`);
  if (/;\s*collapsed/.test(value)) said.push("waited for another caller's load");
  if (/;\s*stored(;|$)/.test(value)) said.push("stored for those who come later");
  if (/stored=\?0/.test(value)) said.push("not stored");
  if (ttl) said.push(Number(ttl[1]) < 0 ? `its time ended ${-ttl[1]} s ago` : `fresh for another ${ttl[1]} s`);
  if (detail) said.push({ forgotten: "its entry is forgotten everywhere", pending: "the entry is still to be forgotten on a server that is away", fallback: "from this process's own memory, as memcached is away" }[detail] ?? detail);
  return said.join("; ");
}

/** A header in words; undefined for one that says nothing of the cache. */
export function explained(name, value) {
  switch (name) {
    case "x-cache": return OUTCOMES[value];
    case "cache-status": return ofCacheStatus(value);
    case "age": return `the value left the source ${value} s ago`;
    case "etag": return "the version of the value: If-None-Match with it is answered 304, If-Match guards a write";
    case "cache-control": return value.includes("no-store") ? "no cache may keep this" : "a browser may keep it, and must ask whether it still holds";
    case "server-timing": {
      const { cache, db, total } = timings(value);
      return `${cache} ms in the cache${db === undefined ? ", no query" : `, ${db} ms for the query or its wait`}, ${total} ms in all`;
    }
    case "x-response-time": return "the time in the service, the network not included";
    case "retry-after": return `worth another try in ${value} s`;
    case "content-type": return "the type of the body";
    case "last-modified": return "when the value was changed last";
    default: return undefined;
  }
}
