//! `aside cache explain`.

use std::{fmt::Write, time::Duration};

use humantime::format_duration;

use crate::{
    app,
    cache::{Condition, Explanation, Key, Policy},
    cli::command::{self, Failed, Result, inspector},
    config::ServerSettings,
    operator::{self, AtServer},
};

/// Prints where `key` lives and why, and what is there. An absent key is an answer, too.
pub(super) async fn print(servers: &ServerSettings, key: &Key, policy: Policy) -> Result {
    let inspector = inspector(servers)?;
    let places = operator::explain(&inspector, key, kept_stale_s(key, policy)).await;
    if places.iter().all(|place| place.entry.is_none()) {
        let told = places.iter().filter_map(|place| Some((&place.server, place.error.as_ref()?)));
        let told = told.map(|(server, error)| format!("{server}: {error}"));
        return Err(Failed::Failure(told.collect::<Vec<_>>().join("; ")));
    }
    let mut text = String::new();
    line(&mut text, "key", key);
    for place in &places {
        describe(&mut text, place);
    }
    command::print(text)
}

/// The time for which entries of the key's resource are kept after their fresh life; those of none as `policy` has it.
fn kept_stale_s(key: &Key, policy: Policy) -> u32 {
    let mut definitions = app::definitions(policy.clone());
    let declared = app::declared(None, &policy).into_iter().flat_map(|it| it.resources);
    definitions.extend(declared.map(|it| it.definition));
    let resource = definitions.iter().find(|resource| resource.has_key(key.as_str()));
    resource.map_or(&policy, |resource| &resource.policy).kept_stale_s()
}

fn describe(out: &mut String, place: &AtServer) {
    let AtServer { server, score, why, entry, error } = place;
    out.push('\n');
    line(out, "server", server);
    line(out, "why", format_args!("{why}; score {score}"));
    if let Some(error) = error {
        line(out, "error", error);
    }
    let Some(entry) = entry else { return };
    line(out, "state", state(entry));
    let Some(bytes) = entry.bytes else { return };
    line(out, "size", format_args!("{bytes} bytes"));
    if let Some(age_s) = entry.age_s {
        line(out, "age", seconds(age_s));
    }
    match entry.left_s {
        Some(left_s) => line(out, "time left", seconds(left_s.into())),
        None => line(out, "time left", "for ever"),
    }
    line(out, "lease", if entry.lease_given == Some(true) { "given" } else { "not given" });
    match (entry.was_read, entry.last_read_s) {
        (Some(true), Some(read_s)) => {
            line(out, "last read", format_args!("{} ago, or later", seconds(read_s)));
        }
        (Some(false), _) => line(out, "last read", "never"),
        _ => {}
    }
}

fn state(entry: &Explanation) -> String {
    let fresh_s = entry.fresh_s.unwrap_or(0);
    let fresh = seconds(fresh_s.unsigned_abs());
    match entry.state {
        Condition::Fresh => format!("fresh for {fresh}"),
        Condition::Negative => format!("negative: says \"no such thing\" for {fresh}"),
        Condition::Stale => format!("stale since {fresh}"),
        Condition::Loading => "loading: a placeholder for whoever holds the lease".to_owned(),
        Condition::Plain => "plain: no entry of the cache's own".to_owned(),
        Condition::Absent => "absent".to_owned(),
    }
}

fn seconds(seconds: u64) -> impl std::fmt::Display {
    format_duration(Duration::from_secs(seconds))
}

/// One line, its value aligned with the others'.
fn line(out: &mut String, name: &str, value: impl std::fmt::Display) {
    // Writing to a string never fails.
    let _ = writeln!(out, "{name:<10} {value}");
}
