//! An error as it is written: a problem (RFC 9457).

use axum::http::{HeaderValue, StatusCode};
use problem_details::ProblemDetails;

/// No cache, not even the browser's own, may keep the answer.
pub const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// A problem whose title is the phrase of the status in RFC 9110; the `http` crate has two older ones.
pub fn details(status: StatusCode, detail: String) -> ProblemDetails {
    let details = ProblemDetails::from_status_code(status).with_detail(detail);
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => details.with_title("Content Too Large"),
        StatusCode::UNPROCESSABLE_ENTITY => details.with_title("Unprocessable Content"),
        _ => details,
    }
}

/// A closed set of problems, each with its status and with the sentence that clients are told.
#[macro_export]
macro_rules! problems {
    ($(#[$doc:meta])* $name:ident {
        $($case:ident $(($value:ty))? = $status:ident, $sentence:literal;)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        pub(super) enum $name { $(#[error($sentence)] $case $(($value))?),+ }

        impl $name {
            /// The status of the answer.
            pub(super) fn status(&self) -> axum::http::StatusCode {
                match self { $(Self::$case { .. } => axum::http::StatusCode::$status),+ }
            }
        }
    };
}
