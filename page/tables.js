// The tables: each row keeps its element, so that a reader's place is not lost once a second.

import { bytes, make, number, percent, time } from "./words.js";

function fill(table, caption, heads, rows) {
  if (!table.tHead) {
    table.append(make("caption", {}, caption));
    table.append(make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))));
    table.append(make("tbody"));
  }
  const body = table.tBodies[0];
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, at) => {
    const row = body.rows[at] ?? body.insertRow();
    cells.forEach((cell, place) => {
      const { text, name = "" } = typeof cell === "object" ? cell : { text: cell };
      const shown = row.cells[place] ?? row.appendChild(place ? make("td") : make("th", { scope: "row" }));
      if (shown.textContent !== String(text)) shown.textContent = text;
      shown.className = name;
    });
  });
}

export function resources({ sources, resources }) {
  const rows = Object.entries(resources).map(([name, going]) => {
    const ledger = sources[name];
    const failed = { text: number(ledger.loads_failed), name: ledger.loads_failed ? "bad" : "" };
    const life = `${time(going.fresh_s)} + ${time(going.stale_while_revalidate_s)} + ${time(going.stale_if_error_s)}`;
    return [name, number(ledger.gets), percent(ledger.hit_rate), number(ledger.loads), failed, `${going.running} of ${going.running_max}`, `${going.waiting} of ${going.waiting_max}`, life, going.path];
  });
  const heads = ["Name", "Requests", "Hit rate", "Loads", "Failed", "Running", "Waiting", "Entry life: fresh + revalidated + if error", "Path"];
  fill(document.querySelector("#resources"), "What is served through the cache, since the start", heads, rows);
}

export function servers({ memcached }) {
  const rows = memcached.map((it) => {
    const state = { text: it.error ? `${it.state ?? ""}: ${it.error}` : it.state, name: it.state === "in service" ? "good" : "bad" };
    return [it.server, state, number(it.curr_items), bytes(it.bytes), bytes(it.limit_maxbytes), number(it.evictions), percent(it.hit_rate_without_leases), it.version ?? "–"];
  });
  const heads = ["Server", "State", "Items", "Bytes", "Of", "Evictions", "Hit rate", "Version"];
  const note = memcached.length ? "As the servers count, since they were started" : "None is set: entries are kept in this process only";
  fill(document.querySelector("#servers"), note, heads, rows);
}

export function keys({ keys }) {
  document.querySelector("#keys").hidden = !keys;
  document.querySelector("#keys-note").hidden = Boolean(keys);
  if (!keys) return;
  const says = (error) => (error ? `; a count may be wrong by ${number(error)}` : "");
  for (const [id, caption] of [["missed", "Most missed"], ["asked", "Hottest (past 64 a second on a thread, one hit in 64 is counted)"]]) {
    const { keys: rows, error } = keys[id];
    const told = rows.length ? rows.map(([key, count]) => [key, number(count)]) : [["none", "–"]];
    fill(document.querySelector(`#${id}`), caption, ["Key", "Times"], told);
    document.querySelector(`#${id} caption`).textContent = caption + says(error);
  }
}
