//! What writes answer, and what they leave in the database.

use support::{answer::Answer, aside::Place, eventually};

/// Asserts what `Cache-Status` says of a write of `key`.
#[track_caller]
pub(crate) fn assert_written(answer: &Answer, key: &str, detail: &str) {
    let status = answer.cache_status();
    let told = ["fwd", "key", "detail"].map(|parameter| status[parameter].as_str());
    assert_eq!((told, status.len()), (["method", key, detail], 3), "{status:?}");
}

/// The bits of up to three places, of `servers`.
pub(crate) const ALL_PLACES: &str = "sum(CASE place WHEN 0 THEN 1 WHEN 1 THEN 2 ELSE 4 END)";

/// Changes that are not forgotten everywhere.
pub(crate) async fn missing(place: &Place) -> i64 {
    number(place, "SELECT count(*) FROM changes WHERE missing <> 0").await
}

/// Waits until every change is forgotten everywhere.
pub(crate) async fn all_forgotten(place: &Place) {
    eventually("nothing is missing", async || (missing(place).await == 0).then_some(())).await;
}

/// The one number that `query` gives.
pub(crate) async fn number(place: &Place, query: &'static str) -> i64 {
    place.number(query).await
}
