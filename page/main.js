// The page: each moment goes to those who show a part of it.

import { use, watch } from "./feed.js";
import * as plots from "./plots.js";
import { follow } from "./queue.js";
import * as tables from "./tables.js";
import * as one from "./try.js";
import { number, time } from "./words.js";

const find = (id) => document.getElementById(id);

/** What the cache saved: each answer without a query, at the mean time of those that ran. */
function saved({ service, resources }) {
  let spared = 0;
  let seconds = 0;
  for (const [name, ledger] of Object.entries(service.of)) {
    const { counts, sum_s } = resources[name].loads;
    const loads = counts.reduce((a, b) => a + b, 0);
    const without = Math.max(0, ledger.gets - ledger.loads);
    spared += without;
    if (loads) seconds += (without * sum_s) / loads;
  }
  return `${number(spared)} of ${number(service.gets)} requests did not reach the source${seconds ? `: ${time(seconds)} of query time` : ""}.`;
}

function told(moment) {
  const sentence = moment.verdict[0].toUpperCase() + moment.verdict.slice(1) + ".";
  if (find("verdict").textContent !== sentence) find("verdict").textContent = sentence;
  find("saved").textContent = saved({ service: { ...moment.service, of: moment.sources }, resources: moment.resources });
  plots.add(moment);
  tables.resources(moment);
  tables.servers(moment);
  tables.keys(moment);
  one.offer(moment);
}

function state(text, well) {
  find("state").textContent = text;
  find("state").classList.toggle("lost", !well);
}

plots.begin();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", plots.begin);
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) plots.begin();
  width = innerWidth;
});
find("access").addEventListener("submit", (event) => {
  event.preventDefault();
  use(find("token").value);
  find("token").value = "";
});
one.begin();
follow(find("queue"));
watch(told, state);
