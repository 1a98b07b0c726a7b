//! `/events`: the figures of the service, once a second, for those who watch.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::{Request, State},
    http::header::AUTHORIZATION,
    response::{
        IntoResponse,
        sse::{Event, Sse},
    },
};
use futures_util::stream::unfold;
use tokio::time::{MissedTickBehavior, interval};

use super::{Result, Shared, problem::Problem};

/// Streams that are open at once; one more is answered 503. Each sends what all are told: a stream costs its bytes.
pub const STREAMS_MAX: usize = 64;

/// Between two moments.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells of each moment until the client leaves, or the service is about to end. A client that is slow misses some. Keys are
/// for those who may use the protected endpoints.
pub(super) async fn watch(State(context): Shared, request: Request) -> Result {
    if *context.draining.borrow() {
        return Err(Problem::Draining);
    }
    let is_allowed = context.access.check(&request);
    if request.headers().contains_key(AUTHORIZATION) {
        is_allowed.clone()?;
    }
    let place = context.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| Problem::TooManyStreams)?;
    let mut seconds = interval(PAUSE);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let moments = unfold((seconds, context, place), move |(mut seconds, context, place)| {
        let is_whole = is_allowed.is_ok();
        async move {
            seconds.tick().await;
            if *context.draining.borrow() {
                return None;
            }
            let moment = context.operator.moment().await;
            let event = Event::default().data(if is_whole { moment.whole } else { moment.open });
            Some((Ok::<_, Infallible>(event), (seconds, context, place)))
        }
    });
    Ok(Sse::new(moments).into_response())
}
