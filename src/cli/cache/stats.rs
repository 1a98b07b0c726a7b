//! `aside cache stats`.

use std::fmt::Write;

use serde::Deserialize;

use crate::{
    cli::{
        command::{self, Failed, Result, inspector},
        service::Service,
    },
    config::ServerSettings,
    operator::{Evidence, Ledger, ServerRow, aligned, percent, table},
};

/// The part of a service's `/stats` that is read.
#[derive(Deserialize)]
struct Stats {
    service: Ledger,
    verdict: String,
}

/// Prints what each server counts, the ledger of the service if one answers, and the verdict.
pub(super) async fn print(servers: &ServerSettings, service: &Service) -> Result {
    let inspector = inspector(servers)?;
    let figures = inspector.statistics(|_| true).await;
    let rows = inspector.servers().iter().zip(figures);
    let rows: Vec<_> = rows.map(|(at, figures)| ServerRow::new(at, None, figures)).collect();
    let mut text = table(&rows);
    match service.json::<Stats>("/stats").await {
        Some(Stats { service: ledger, verdict }) => {
            let _ = write!(text, "\nservice at {}\n{}", service.listen, account(&ledger));
            let _ = writeln!(text, "\nverdict: {verdict}");
        }
        None => {
            let of_servers = Evidence::of_servers(&rows);
            let _ = writeln!(text, "\nno service answers at {}", service.listen);
            let _ = writeln!(text, "\nverdict by memcached alone: {}", of_servers.verdict());
        }
    }
    command::print(text)?;
    if rows.iter().all(|row| row.error.is_some()) {
        return Err(Failed::Failure("no memcached answers".to_owned()));
    }
    Ok(())
}

/// The ledger, and that it adds up.
fn account(ledger: &Ledger) -> String {
    let Ledger { gets, hits, stale, misses, bypasses, loads, loads_failed, .. } = ledger;
    let sum = format!("= {hits} hits + {stale} stale + {misses} misses + {bypasses} bypasses");
    let mut lines = vec![vec!["gets".to_owned(), format!("{gets} {sum}")]];
    if let Some(rate) = percent(ledger.hit_rate) {
        lines.push(vec!["hit rate".to_owned(), rate]);
    }
    lines.push(vec!["loads".to_owned(), format!("{loads}, {loads_failed} of them failed")]);
    aligned(&lines)
}
