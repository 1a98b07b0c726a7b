//! `aside jobs produce`: puts users on the warm-up queue.

use std::{ops::RangeInclusive, process::ExitCode, str::FromStr};

use clap::Args;

use crate::{
    app,
    cli::output::{complain, print, refuse},
    config::QueueAddress,
};

/// Most users in one call.
const USERS_MAX: u64 = 1_000_000;

/// Users that are put on the queue at once.
const BATCH: usize = 10_000;

/// Which users, and which queue.
#[derive(Args, Debug)]
pub(in crate::cli) struct Produce {
    /// Ids of users
    #[arg(value_name = "ID", value_parser = id)]
    ids: Vec<i64>,

    /// Ids of users from the first to the last, as in 1..=1000; at most a million
    #[arg(long, value_name = "FIRST..=LAST")]
    range: Option<Range>,

    /// Database whose queue is used unless --queue names one
    #[arg(long, env = "ASIDE_DATABASE", default_value = "sqlite://aside.db", value_name = "URL")]
    database: String,

    #[command(flatten)]
    queue: QueueAddress,
}

/// Ids from the first to the last.
#[derive(Clone, Debug)]
struct Range(RangeInclusive<i64>);

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let takes = "it takes FIRST..=LAST, as in 1..=1000, at most a million ids";
        let ends = text.split_once("..=").and_then(|(first, last)| {
            let (first, last) = (id(first).ok()?, id(last).ok()?);
            (first <= last && first.abs_diff(last) < USERS_MAX).then_some(first..=last)
        });
        ends.map(Self).ok_or_else(|| takes.to_owned())
    }
}

fn id(text: &str) -> Result<i64, String> {
    let parsed = text.parse().ok().filter(|id| *id > 0);
    parsed.ok_or_else(|| format!("it takes ids from 1 to {}", i64::MAX))
}

impl Produce {
    pub(super) async fn run(&self) -> ExitCode {
        let range = self.range.iter().flat_map(|Range(range)| range.clone());
        let users: Vec<i64> = self.ids.iter().copied().chain(range).collect();
        if users.is_empty() {
            return refuse("no user is named: it takes ids, or --range FIRST..=LAST");
        }
        let queue = match app::queue_to_fill(&self.queue, &self.database) {
            Ok(queue) => queue,
            Err(error) => return refuse(&error.to_string()),
        };
        let mut queued = 0;
        for batch in users.chunks(BATCH) {
            if let Err(error) = queue.push(batch).await {
                // Those before are stored; whoever calls again must know how many.
                let (place, all) = (queue.place(), users.len());
                complain(&format!("{error} ({place}); queued {queued} of {all}"));
                return ExitCode::FAILURE;
            }
            queued += batch.len();
        }
        // They are stored: whoever took this for a failure would call again, and queue them twice.
        let said = format!("queued {queued} on {}", queue.place());
        if let Err(why) = print(format!("{said}\n")) {
            complain(&format!("{why}; {said}"));
        }
        ExitCode::SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_at_most_a_million_ids_from_one_on() {
        assert_eq!("1..=3".parse::<Range>().unwrap().0, 1..=3);
        assert_eq!("1..=1000000".parse::<Range>().unwrap().0, 1..=1_000_000);
        for text in
            ["", "1", "1..3", "0..=3", "3..=1", "1..=1000001", "-1..=3", "a..=b", "1..=3..=5"]
        {
            assert!(text.parse::<Range>().is_err(), "{text}");
        }
    }
}
