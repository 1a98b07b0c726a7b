// The life of an entry as a picture: fresh, stale while revalidated, stale if the source fails, and where it is now.

import { make, number, time } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 800;
const SHORTEST = 130;

function draw(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

const STATES = {
  absent: "Nothing is stored: the next request loads it.",
  loading: "Somebody loads it now; all others wait for that one load.",
  fresh: "It is fresh: requests are answered from the cache.",
  negative: "It is remembered that there is no such thing.",
  stale: "It is past its time: served while one caller refreshes it, or if the source fails.",
  plain: "Something is stored there that is no entry of Aside's.",
};

/** The picture and the words of what is known of one key. */
export function life(report, { fresh_s, stale_while_revalidate_s, stale_if_error_s }) {
  const shown = report.servers.find((it) => it.state && it.state !== "absent") ?? report.memory ?? report;
  const parts = [
    ["hit", fresh_s, "fresh"],
    ["stale", stale_while_revalidate_s, "revalidated"],
    ["miss", Math.max(0, stale_if_error_s - stale_while_revalidate_s), "only if the source fails"],
  ];
  const whole = parts.reduce((sum, [, length]) => sum + length, 0) || 1;
  // Each part can be read, however short it is beside the others.
  const scale = (length) => Math.max(length ? SHORTEST : 0, (length / whole) * (WIDTH - 2 * SHORTEST));
  const picture = draw("svg", { viewBox: `0 0 ${WIDTH + 10} 70`, role: "img", "aria-label": `${STATES[report.state]} ${said(shown)}` });
  let from = 5;
  const places = parts.map(([name, length, word]) => {
    const wide = scale(length);
    picture.append(draw("rect", { class: name, x: from, y: 22, width: wide, height: 18 }));
    if (length) picture.append(draw("text", { x: from, y: 58 }, `${word}, ${time(length)}`));
    from += wide;
    return { begins: from - wide, wide, length };
  });
  const now = moment(shown, places);
  if (now !== undefined) {
    picture.append(draw("line", { class: "now", x1: now, x2: now, y1: 14, y2: 46 }));
    picture.append(draw("text", { x: Math.min(now, WIDTH - 30), y: 11 }, "now"));
  }
  const servers = report.servers.map((it) => make("li", {}, `${it.server}: ${it.state ?? it.error ?? "not asked"}; ${it.why}`));
  return [
    make("p", { className: "big" }, STATES[report.state] ?? report.state),
    make("p", {}, `Key ${report.key}. ${said(shown)}`),
    picture,
    make("ul", {}, ...servers),
  ];
}

function said({ age_s, fresh_s, left_s, bytes, last_read_s, was_read }) {
  const words = [];
  if (age_s !== undefined) words.push(`stored ${time(age_s)} ago`);
  if (fresh_s !== undefined) words.push(fresh_s < 0 ? `its time ended ${time(-fresh_s)} ago` : `fresh for another ${time(fresh_s)}`);
  if (left_s !== undefined) words.push(`dropped in ${time(left_s)}`);
  if (bytes) words.push(`${number(bytes)} bytes`);
  if (was_read === false) words.push("never read");
  if (last_read_s !== undefined) words.push(`read ${time(last_read_s)} ago or later`);
  return words.length ? `${words.join(", ")}.` : "";
}

/** The place of now on the line, by the fresh time that is left. */
function moment({ fresh_s }, places) {
  if (fresh_s === undefined) return undefined;
  let gone = places[0].length - fresh_s;
  for (const { begins, wide, length } of places) {
    if (gone <= length) return begins + (length ? (Math.max(0, gone) / length) * wide : 0);
    gone -= length;
  }
  return WIDTH;
}
