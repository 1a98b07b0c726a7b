//! The figures of all servers as text, for terminals.

use std::{fmt::Write, time::Duration};

use humantime::format_duration;

use super::{ServerRow, per_cent};

/// The cell of a server in one line of the table.
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

/// A column for each server, and below it the servers that told nothing.
pub fn table(rows: &[ServerRow]) -> String {
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

/// Lines whose columns begin below one another.
pub fn aligned(lines: &[Vec<String>]) -> String {
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

/// A rate with its sign.
pub fn percent(rate: Option<f64>) -> Option<String> {
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
