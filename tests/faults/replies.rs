//! Replies that are no replies: cut off, in pieces, doubled, garbage, or somebody else's.

use support::{
    aside::Aside,
    memcached::Memcached,
    proxy::{End, Proxy},
};

use crate::{
    fault::{self, Fault},
    slow::breaks,
    trial::{Outcome, READS, Trial},
};

const FAILURES: &str = "aside_memcached_failures_total";
const CROSSTALK: &str = "aside_memcached_crosstalk_total";

#[tokio::test]
async fn reset_in_the_middle_of_a_value() {
    let outcome = breaks(Fault::Cut(End::Reset)).await;
    outcome.enter("connections are reset in the middle of a value", FAILURES);
}

#[tokio::test]
async fn half_closed_in_the_middle_of_a_value() {
    let outcome = breaks(Fault::Cut(End::HalfClose)).await;
    outcome.enter("connections are half-closed in the middle of a value", FAILURES);
}

#[tokio::test]
async fn silent_in_the_middle_of_a_value() {
    let outcome = breaks(Fault::Cut(End::Silence)).await;
    outcome.enter("values stop half-way and nothing follows", FAILURES);
}

/// A fault that need not put the server out of service. It is not one of time, so that operations have more
/// of it than a busy machine can take from them.
pub(crate) async fn bears(fault: Fault) -> Outcome {
    let memcached = Memcached::start().await;
    let proxy = Proxy::start(&memcached.address());
    let settings = ["--memcached", &proxy.address().to_string(), "--memcached-timeout", "2s"];
    let aside = Aside::start(&settings).await;
    let mut trial = Trial::start(&aside).await;
    trial.begins();
    fault.on(&proxy);
    trial.reads(READS).await;
    trial.ends();
    proxy.mend();
    trial.recovers().await
}

#[tokio::test]
async fn in_pieces_of_one_byte() {
    let outcome = bears(Fault::Sliced).await;
    outcome.enter("replies come in pieces of one byte", "aside_hit_seconds_count");
    let hits = outcome.seen()["HIT"];
    assert!(hits > 0.9, "they are put together: {hits}");
}

#[tokio::test]
async fn doubled() {
    let outcome = bears(Fault::Altered(fault::doubled)).await;
    outcome.enter("replies come twice", CROSSTALK);
}

#[tokio::test]
async fn with_bytes_behind_them() {
    let outcome = bears(Fault::Altered(fault::with_more)).await;
    outcome.enter("bytes follow the reply that belong to none", FAILURES);
}

#[tokio::test]
async fn garbage() {
    breaks(Fault::Altered(fault::garbage)).await.enter("it answers garbage", FAILURES);
}

#[tokio::test]
async fn garbage_but_not_to_probes() {
    let outcome = breaks(Fault::Altered(fault::garbage_for_values)).await;
    outcome.enter("it answers garbage, but not to probes", FAILURES);
}

#[tokio::test]
async fn of_another_user() {
    let outcome = breaks(Fault::Altered(fault::of_another)).await;
    outcome.enter("it answers with another user's entry", CROSSTALK);
}
