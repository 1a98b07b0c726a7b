//! The body of a request as a value: a JSON object, of a bounded size, with no unknown fields.

use std::{fmt, marker::PhantomData};

use axum::{
    Json,
    extract::{FromRequest, Request, rejection::JsonRejection},
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::problem::Problem;

/// A request's body. Its size and the time it may take are the edge's to bound.
pub(super) struct Input<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let parsed = Json::<Object<T>>::from_request(request, state).await;
        parsed.map(|Json(Object(value))| Self(value)).map_err(|rejection| match rejection {
            JsonRejection::JsonDataError(_) => Problem::InvalidFields,
            JsonRejection::MissingJsonContentType(_) => Problem::NotJson,
            // A body that could not be read whole is answered by the edge, in its own words.
            _ => Problem::MalformedJson,
        })
    }
}

/// A value that is written as an object. By itself, serde takes the fields of a struct from an array, too, by their order.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields))
    }
}
