//! The table "What happens when…": a row for each failure, printed when all of them have been measured.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The failures in the order of the table.
const ROWS: &[&str] = &[
    "the only memcached is killed",
    "one of three is killed",
    "it is restarted, and empty",
    "it is stopped (SIGSTOP)",
    "it answers 200 ms late",
    "it answers 75 ms late",
    "it accepts connections and never answers",
    "connections are reset in the middle of a value",
    "connections are half-closed in the middle of a value",
    "values stop half-way and nothing follows",
    "replies come in pieces of one byte",
    "replies come twice",
    "bytes follow the reply that belong to none",
    "it answers garbage",
    "it answers garbage, but not to probes",
    "it answers with another user's entry",
    "it holds entries of another schema, or not JSON",
    "everything in it is flushed",
    "it has no memory left for a write",
    "it is full and evicts",
    "it has no connection left",
];

/// The measurements of one failure.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) reads: usize,
    /// The answers that clients saw until all was normal again, and its share.
    pub(crate) seen: BTreeMap<String, f64>,
    /// The longest look into the cache from when the failure began until the breaker had opened.
    pub(crate) added_ms: f64,
    /// 99 of 100 looks were shorter after that, if it opened.
    pub(crate) added_after_p99_ms: Option<f64>,
    pub(crate) metric: String,
    pub(crate) back_after: Duration,
}

static MEASURED: Mutex<BTreeMap<&str, Row>> = Mutex::new(BTreeMap::new());

/// Notes a row; the last one prints the table.
pub(crate) fn enter(name: &'static str, row: Row) {
    assert!(ROWS.contains(&name), "the table has no place for: {name}");
    println!("{}", line(name, &row));
    let mut measured = MEASURED.lock().unwrap_or_else(PoisonError::into_inner);
    measured.insert(name, row);
    if measured.len() < ROWS.len() {
        return;
    }
    let mut table = String::from(
        "\n| What goes wrong | What the client sees | Added latency: at worst, then p99 | Metric | \
         Normal again after |\n| --- | --- | --- | --- | --- |\n",
    );
    for name in ROWS {
        writeln!(table, "{}", line(name, &measured[name])).unwrap();
    }
    println!("{table}");
}

/// Leaves out what fewer clients saw than one in a hundred.
const SHARE_MIN: f64 = 0.01;

fn line(name: &str, row: &Row) -> String {
    let mut seen: Vec<_> = row.seen.iter().filter(|(_, share)| **share >= SHARE_MIN).collect();
    seen.sort_unstable_by(|one, other| other.1.total_cmp(one.1));
    let seen: Vec<_> =
        seen.iter().map(|(kind, share)| format!("{kind} {:.0} %", **share * 100.0)).collect();
    let after = row.added_after_p99_ms.map_or_else(String::new, |ms| format!(", then {ms:.1} ms"));
    format!(
        "| {name} | 200 for all of {}: {} | {:.1} ms{after} | {} | {:.1} s |",
        row.reads,
        seen.join(", "),
        row.added_ms,
        row.metric,
        row.back_after.as_secs_f64(),
    )
}
