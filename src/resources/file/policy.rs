//! The lives and limits that a file gives a resource.

use std::{ops::RangeInclusive, time::Duration};

use toml::Spanned;

use super::{
    fault::{Fault, Places},
    form::{ResourceForm, Text},
};
use crate::{
    cache::Policy,
    config::{QUERIES_MAX, WAITING_MAX, life, timeout, ttl},
};

/// The policy of a resource: what it does not say is as in `policy`.
pub(super) fn policy(
    form: &ResourceForm,
    policy: &Policy,
    places: &Places<'_>,
) -> Result<Policy, Fault> {
    let duration =
        |name: &str, given: &Text, takes: fn(&str) -> Result<Duration, String>, otherwise| {
            let Some(given) = given else { return Ok(otherwise) };
            let refused = |why| {
                places.at(given.span()).fault(format_args!("{name} = {:?}: {why}", given.get_ref()))
            };
            takes(given.get_ref()).map_err(refused)
        };
    let policy = Policy {
        form: policy.form,
        ttl: duration("ttl", &form.ttl, ttl, policy.ttl)?,
        stale_while_revalidate: duration(
            "stale_while_revalidate",
            &form.stale_while_revalidate,
            life,
            policy.stale_while_revalidate,
        )?,
        stale_if_error: duration(
            "stale_if_error",
            &form.stale_if_error,
            life,
            policy.stale_if_error,
        )?,
        negative_ttl: duration("negative_ttl", &form.negative_ttl, life, policy.negative_ttl)?,
        load_timeout: duration("timeout", &form.timeout, timeout, policy.load_timeout)?,
        loads_max: count(
            "max_loads",
            form.max_loads.as_ref(),
            1..=QUERIES_MAX,
            policy.loads_max,
            places,
        )?,
        waiting_max: count(
            "max_waiting",
            form.max_waiting.as_ref(),
            0..=WAITING_MAX,
            policy.waiting_max,
            places,
        )?,
    };
    let refused = |why| {
        places.at(form.path.span()).fault(format_args!("the settings do not go together: {why}"))
    };
    policy.check().map_err(refused)?;
    Ok(policy)
}

fn count(
    name: &str,
    given: Option<&Spanned<i64>>,
    range: RangeInclusive<u64>,
    otherwise: usize,
    places: &Places<'_>,
) -> Result<usize, Fault> {
    let Some(given) = given else { return Ok(otherwise) };
    let number = u64::try_from(*given.get_ref()).ok().filter(|number| range.contains(number));
    number.and_then(|number| usize::try_from(number).ok()).ok_or_else(|| {
        let takes =
            format_args!("it takes a whole number from {} to {}", range.start(), range.end())
                .to_string();
        places.at(given.span()).fault(format_args!("{name} = {}: {takes}", given.get_ref()))
    })
}
