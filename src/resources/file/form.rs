//! The file as it is written (<https://toml.io/en/v1.0.0>).

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use toml::{Spanned, Value};

/// A table of named things.
pub(super) type Named<T> = BTreeMap<Spanned<String>, T>;

/// A text and where it stands.
pub(super) type Text = Option<Spanned<String>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileForm {
    #[serde(default)]
    pub(super) database: Named<DatabaseForm>,
    #[serde(default)]
    pub(super) resource: Named<ResourceForm>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DatabaseForm {
    pub(super) url: Text,
    pub(super) url_from: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourceForm {
    pub(super) path: Spanned<String>,
    #[serde(default)]
    pub(super) parameters: Named<TextOr<ParameterForm>>,
    pub(super) database: Text,
    pub(super) query: Text,
    pub(super) rows: Text,
    #[serde(default)]
    pub(super) json: Vec<String>,
    #[serde(default)]
    pub(super) changed_by: Vec<Spanned<ChangedByForm>>,
    pub(super) origin: Text,
    #[serde(default)]
    pub(super) headers: Named<TextOr<FromForm>>,
    pub(super) content_type: Text,
    pub(super) ttl: Text,
    pub(super) stale_while_revalidate: Text,
    pub(super) stale_if_error: Text,
    pub(super) negative_ttl: Text,
    pub(super) timeout: Text,
    pub(super) max_loads: Option<Spanned<i64>>,
    pub(super) max_waiting: Option<Spanned<i64>>,
    #[serde(default)]
    pub(super) token: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParameterForm {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) from: Option<String>,
    pub(super) default: Option<Value>,
    pub(super) min: Option<i64>,
    pub(super) max: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table, as in { table = \"products\", columns = { sku = \"sku\" } }"
)]
pub(super) struct ChangedByForm {
    pub(super) table: String,
    #[serde(default)]
    pub(super) columns: BTreeMap<String, String>,
}

/// The name of a variable of the environment.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FromForm {
    pub(super) from: String,
}

/// Something that may be written as a text.
#[derive(Debug)]
pub(super) enum TextOr<T> {
    Text(String),
    Table(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for TextOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either(PhantomData))
    }
}

struct Either<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
    type Value = TextOr<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string or a table")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(TextOr::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(TextOr::Table)
    }
}
