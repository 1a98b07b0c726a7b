//! The body of a request as a value: JSON, of a bounded size, with no unknown fields.

use axum::{
    Json,
    extract::{FromRequest, Request, rejection::JsonRejection},
};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// A request's body. Its size and the time it may take are the edge's to bound.
pub(super) struct Input<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let parsed = Json::<T>::from_request(request, state).await;
        parsed.map(|Json(value)| Self(value)).map_err(|rejection| match rejection {
            JsonRejection::JsonDataError(_) => Problem::InvalidFields,
            JsonRejection::MissingJsonContentType(_) => Problem::NotJson,
            // What could not be read whole the edge answers in its own words.
            _ => Problem::MalformedJson,
        })
    }
}
