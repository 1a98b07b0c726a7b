//! `aside jobs produce`: puts things on the warm-up queue.

use std::{ops::RangeInclusive, path::PathBuf};

use clap::Args;

use crate::{
    app,
    cache::Policy,
    cli::command::{Failed, Result, complain, print},
    config::QueueAddress,
    jobs::UNNAMED,
    resources::Signature,
};

/// Most ids in one call.
const IDS_MAX: u64 = 1_000_000;

/// The sentence about an id of a numbered resource.
const IDS_TAKEN: &str = "it takes ids from 1 to 9223372036854775807";

/// Ids that are put on the queue at once.
const BATCH: usize = 10_000;

/// The things, and the queue that they are put on.
#[derive(Args, Debug)]
pub(in crate::cli) struct Produce {
    /// Ids, from 1; of a resource of your own what comes after its name in /cache/{resource}/...
    #[arg(value_name = "ID")]
    ids: Vec<String>,

    /// Ids from the first to the last, as in 1..=1000; at most a million
    #[arg(long, value_name = "FIRST..=LAST", value_parser = range)]
    range: Option<RangeInclusive<i64>>,

    /// Resource that they are of
    #[arg(long, default_value = UNNAMED, value_name = "NAME")]
    resource: String,

    /// File that declares resources of your own; without it aside.toml in the working directory, if there is one
    #[arg(long, env = "ASIDE_RESOURCES", value_name = "FILE")]
    resources: Option<PathBuf>,

    /// Database whose queue is used unless --queue names one
    #[arg(
        long,
        env = "ASIDE_DATABASE",
        hide_env_values = true,
        default_value = "sqlite://aside.db",
        value_name = "URL"
    )]
    database: String,

    #[command(flatten)]
    queue: QueueAddress,
}

fn range(text: &str) -> Result<RangeInclusive<i64>, String> {
    let ends = text.split_once("..=").and_then(|(first, last)| {
        let (first, last) = (id(first)?, id(last)?);
        (first <= last && first.abs_diff(last) < IDS_MAX).then_some(first..=last)
    });
    ends.ok_or_else(|| "it takes FIRST..=LAST, as in 1..=1000, at most a million ids".to_owned())
}

fn id(text: &str) -> Option<i64> {
    text.parse().ok().filter(|id| *id > 0)
}

impl Produce {
    /// The signature of the resource.
    fn signature(&self) -> Result<Signature> {
        let policy = Policy::default();
        let declared =
            app::declared(self.resources.as_deref(), &policy).map_err(Failed::refused)?;
        let mut all = app::definitions(policy);
        all.extend(declared.resources.into_iter().map(|it| it.definition));
        let found = all.iter().find(|it| *it.name == *self.resource);
        found.map(|it| it.signature.clone()).ok_or_else(|| {
            let names: Vec<_> = all.iter().map(|it| &*it.name).collect();
            let takes = format!("it takes {}", names.join(" or "));
            Failed::refused(format!(
                "invalid value '{}' for '--resource <NAME>': {takes}",
                self.resource
            ))
        })
    }

    pub(super) async fn run(&self) -> Result {
        let signature = self.signature()?;
        let range = self.range.clone().into_iter().flatten().map(|id| id.to_string());
        let ids: Vec<_> = self.ids.iter().cloned().chain(range).collect();
        for id in &ids {
            signature.read_rest(id).map_err(|takes| {
                let takes = if signature.is_numbered() { IDS_TAKEN } else { &takes };
                Failed::refused(format!("invalid value '{id}' for '[ID]...': {takes}"))
            })?;
        }
        if ids.is_empty() {
            return Err(Failed::refused("nothing is named: it takes ids, or --range FIRST..=LAST"));
        }
        let queue = app::queue(&self.queue, &self.database).map_err(Failed::refused)?;
        let (place, all) = (queue.place(), ids.len());
        let mut queued = 0;
        for batch in ids.chunks(BATCH) {
            // Those before are stored; a caller who tries again must know how many.
            queue.push(&self.resource, batch).await.map_err(|error| {
                Failed::Failure(format!("{error} ({place}); queued {queued} of {all}"))
            })?;
            queued += batch.len();
        }
        // They are stored: a caller who took this for a failure would try again, and queue them twice.
        let said = format!("queued {queued} on {place}");
        if let Err(Failed::Failure(why)) = print(format!("{said}\n")) {
            complain(&format!("{why}; {said}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_at_most_a_million_ids_from_one_on() {
        assert_eq!(range("1..=3"), Ok(1..=3));
        assert_eq!(range("1..=1000000"), Ok(1..=1_000_000));
        for text in
            ["", "1", "1..3", "0..=3", "3..=1", "1..=1000001", "-1..=3", "a..=b", "1..=3..=5"]
        {
            assert!(range(text).is_err(), "{text}");
        }
    }
}
