// The queue of warm-ups, for those who may see it.

import { allowed } from "./feed.js";
import { make, number } from "./words.js";

const PAUSE_MS = 2000;

/** Shows the queue again and again. */
export async function follow(place) {
  for (;;) {
    await show(place).catch(() => {});
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
}

async function show(place) {
  if (document.hidden) return;
  const answer = await fetch("/jobs", { headers: allowed() });
  const told = await answer.json();
  if (!answer.ok) {
    place.replaceChildren(make("p", { className: "note" }, told.detail));
    return;
  }
  const { waiting, running, retrying, done, dead, invalidations, last_dead } = told;
  const counts = `${number(waiting)} waiting, ${number(running)} running, ${number(retrying)} to be tried again, ${number(done)} done, ${number(dead)} dead; ${number(invalidations)} keys still to be forgotten somewhere.`;
  const rows = last_dead.map((job) => make("li", {}, `${job.resource ?? "?"} ${job.id ?? ""}, after ${job.attempts} attempts: ${job.error}`));
  place.replaceChildren(make("p", {}, counts), ...(rows.length ? [make("ul", {}, ...rows)] : []));
}
