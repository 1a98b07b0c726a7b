//! The pages of other origins that may read what this service answers.

use axum::http::{
    HeaderValue, Method, Uri,
    header::{AGE, CACHE_CONTROL, ETAG, IF_MATCH, IF_NONE_MATCH},
};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::headers::{CACHE_STATUS, SERVER_TIMING, X_CACHE, X_RESPONSE_TIME};

/// The word for every origin.
const ANY: &str = "*";

/// The origins whose pages may read; never with credentials, and never write.
#[derive(Clone, Debug)]
pub struct Origins(AllowOrigin);

impl Origins {
    /// Reads origins (`https://app.example.com`), or `*` alone for all.
    ///
    /// # Errors
    /// The one that is none.
    pub fn parse(origins: &[String]) -> Result<Self, &str> {
        if origins == [ANY] {
            return Ok(Self(AllowOrigin::any()));
        }
        let parsed = origins.iter().map(|text| origin(text).ok_or(text.as_str()));
        Ok(Self(AllowOrigin::list(parsed.collect::<Result<Vec<_>, _>>()?)))
    }

    pub(super) fn layer(self) -> CorsLayer {
        CorsLayer::new()
            .allow_origin(self.0)
            .allow_methods([Method::GET, Method::HEAD])
            .allow_headers([CACHE_CONTROL, IF_MATCH, IF_NONE_MATCH])
            .expose_headers([AGE, CACHE_STATUS, ETAG, SERVER_TIMING, X_CACHE, X_RESPONSE_TIME])
    }
}

/// An origin as browsers send it: scheme and authority, and nothing behind them.
fn origin(text: &str) -> Option<HeaderValue> {
    let uri: Uri = text.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let is_whole = format!("{scheme}://{authority}") == text && !authority.as_str().contains('@');
    if is_whole { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_an_authority_and_an_asterisk_is_alone() {
        let parse = |origins: &[&str]| {
            let origins: Vec<_> = origins.iter().map(|origin| (*origin).to_owned()).collect();
            Origins::parse(&origins).is_ok()
        };
        assert!(parse(&["*"]) && parse(&["https://a.example", "http://localhost:3000"]));
        for origin in [
            "",
            "a.example",
            "https://a.example/",
            "https://a.example/b",
            "null",
            "https://u@a.example",
        ] {
            assert!(!parse(&[origin]), "{origin}");
        }
        assert!(!parse(&["*", "https://a.example"]) && !parse(&["https://a.example", "*"]));
    }
}
