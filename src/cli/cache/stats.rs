//! `aside cache stats`.

use std::{fmt::Write, time::Duration};

use humantime::format_duration;
use serde::Deserialize;

use super::{Failed, inspector, print as print_out};
use crate::{
    cli::service::Service,
    config::ServerSettings,
    statistics::{Evidence, Ledger, ServerRow, per_cent},
};

/// What is read of a service's `/stats`.
#[derive(Deserialize)]
struct Stats {
    service: Ledger,
    verdict: String,
}

/// What one line of the table says of a server.
type Cell = fn(&ServerRow) -> Option<String>;

/// The lines of the table.
const LINES: &[(&str, Cell)] = &[
    ("version", |row| row.figures.version.clone()),
    ("uptime", |row| row.figures.uptime.map(uptime)),
    ("items", |row| row.figures.curr_items.map(|items| items.to_string())),
    ("bytes", |row| row.figures.bytes.map(|bytes| bytes.to_string())),
    ("of limit", |row| row.figures.limit_maxbytes.map(|bytes| bytes.to_string())),
    ("filled", |row| percent(per_cent(row.figures.bytes?, row.figures.limit_maxbytes?))),
    ("connections", |row| row.figures.curr_connections.map(|open| open.to_string())),
    ("gets", |row| row.figures.cmd_get.map(|gets| gets.to_string())),
    ("hits", |row| row.figures.get_hits.map(|hits| hits.to_string())),
    ("misses", |row| row.figures.get_misses.map(|misses| misses.to_string())),
    ("hit rate", |row| percent(row.hit_rate)),
    ("leases", |row| row.leases.map(|leases| leases.to_string())),
    ("hit rate without leases", |row| percent(row.hit_rate_without_leases)),
    ("evictions", |row| row.figures.evictions.map(|evictions| evictions.to_string())),
];

/// Prints what each server counts, the ledger of the service if one answers, and the verdict.
pub(super) async fn print(servers: &ServerSettings, service: &Service) -> Result<(), Failed> {
    let inspector = inspector(servers)?;
    let figures = inspector.statistics(|_| true).await;
    let rows = inspector.servers().iter().zip(figures).map(|(address, figures)| {
        ServerRow::new(address.to_string(), None, figures.map_err(|error| error.to_string()))
    });
    let rows: Vec<_> = rows.collect();
    let mut text = table(&rows);
    match service.json::<Stats>("/stats") {
        Some(Stats { service: ledger, verdict }) => {
            let _ = write!(text, "\nservice at {}\n{}", service.listen, account(&ledger));
            let _ = writeln!(text, "\nverdict: {verdict}");
        }
        None => {
            let of_servers = Evidence::of_servers(rows.iter().map(|row| &row.figures));
            let _ = writeln!(text, "\nno service answers at {}", service.listen);
            let _ = writeln!(text, "\nverdict by memcached alone: {}", of_servers.verdict());
        }
    }
    print_out(text.as_bytes());
    if rows.iter().all(|row| row.error.is_some()) {
        return Err(Failed::Failure("no memcached answers".to_owned()));
    }
    Ok(())
}

/// A column for each server, and below it the servers that told nothing.
fn table(rows: &[ServerRow]) -> String {
    let mut lines = vec![vec!["server".to_owned()]];
    lines[0].extend(rows.iter().map(|row| row.server.clone()));
    for (name, cell) in LINES {
        let cells = rows.iter().map(|row| cell(row).unwrap_or_else(|| "-".to_owned()));
        lines.push(std::iter::once((*name).to_owned()).chain(cells).collect());
    }
    let mut text = aligned(&lines);
    for row in rows {
        if let Some(error) = &row.error {
            let _ = writeln!(text, "{}: {error}", row.server);
        }
    }
    text
}

/// The ledger, and that it adds up.
fn account(ledger: &Ledger) -> String {
    let Ledger { gets, hits, stale, misses, bypasses, .. } = ledger;
    let sum = format!("= {hits} hits + {stale} stale + {misses} misses + {bypasses} bypasses");
    let mut lines = vec![vec!["gets".to_owned(), format!("{gets} {sum}")]];
    if let Some(rate) = percent(ledger.hit_rate) {
        lines.push(vec!["hit rate".to_owned(), rate]);
    }
    let Ledger { loads, loads_failed, .. } = ledger;
    lines.push(vec!["loads".to_owned(), format!("{loads}, {loads_failed} of them failed")]);
    aligned(&lines)
}

/// Lines whose columns begin below one another.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(move |line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

fn percent(rate: Option<f64>) -> Option<String> {
    rate.map(|rate| format!("{rate:.2} %"))
}

fn uptime(seconds: u64) -> String {
    format_duration(Duration::from_secs(seconds)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_have_no_space_at_their_ends() {
        let lines = [["a", "bb", "c"], ["aaa", "b", ""]];
        let lines = lines.map(|line| line.map(str::to_owned).to_vec());
        assert_eq!(aligned(&lines), "a    bb  c\naaa  b\n");
    }
}
