//! What several operations take.

use utoipa::{
    IntoParams,
    openapi::{
        KnownFormat, ObjectBuilder, Required, SchemaFormat, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

macro_rules! parameters {
    ($($(#[$doc:meta])* $name:ident: [$($parameter:expr),+ $(,)?];)+) => {$(
        $(#[$doc])*
        pub(in crate::http) enum $name {}

        impl IntoParams for $name {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                vec![$($parameter),+]
            }
        }
    )+};
}

parameters! {
    /// An id in a path.
    Id: [number("id", "A decimal number without sign or leading zeros.")];

    /// A number in a path.
    N: [number("n", "A decimal number without sign or leading zeros.")];

    /// The id of a session in a path.
    SessionId: [of_path("id", "The id that the log-in answered; whoever knows it is logged in.")
        .schema(Some(text().pattern(Some("^[A-Za-z0-9_-]{43}$"))))
        .build()];

    /// What a read may ask of the cache.
    Reading: [
        of_header(
            "Cache-Control",
            "`no-cache`, `no-store`, `max-age`, `max-stale`, `min-fresh` and `only-if-cached` are honoured \
             (RFC 9111 §5.2.1).",
        ),
        if_none_match(),
        if_match(),
    ];

    /// What the client has already.
    IfNoneMatch: [if_none_match()];

    /// Which version a write is meant for.
    Version: [
        if_match(),
        of_header("If-None-Match", "Tags in double quotes, or `*`; 412 if the user has one of them."),
    ];
}

fn number(name: &str, description: &str) -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(1))
        .maximum(Some(i64::MAX));
    of_path(name, description).schema(Some(schema)).build()
}

fn of_path(name: &str, description: &str) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
}

fn if_none_match() -> Parameter {
    of_header("If-None-Match", "Tags, or `*`; 304 if the answer has one of them.")
}

fn if_match() -> Parameter {
    of_header(
        "If-Match",
        "Tags in double quotes, or `*`; 412 unless what is there has one of them. Without it, any version is meant.",
    )
}

fn of_header(name: &str, description: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(text()))
        .build()
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}
