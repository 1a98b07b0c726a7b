//! `/` and `/docs`: what a browser is shown, out of the binary itself.

use axum::{
    extract::Request,
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{ACCEPT, CONTENT_SECURITY_POLICY, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS},
    },
    middleware::{Next, from_fn},
    routing::get,
};
use serde_json::{Value, json};

use super::{Routes, document::Document, headers::JSON};
use crate::resources::Resources;

/// Nothing is run, shown or asked that is not of this service; no other page may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const GUARDS: [(HeaderName, &str); 3] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The type of a script that is too large to be compressed anew for each who asks: hits would wait for it.
pub(super) const LARGE: &str = "application/javascript; charset=utf-8";

/// Declares the files of `page`, each with its media type.
macro_rules! files {
    ($($name:literal $media:ident),+ $(,)?) => {
        [$(($name, $media, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/page/", $name)))),+]
    };
}

/// The files that the page asks for, under `/page/`.
const FILES: [(&str, &str, &str); 14] = files![
    "main.js" SCRIPT, "feed.js" SCRIPT, "words.js" SCRIPT, "plots.js" SCRIPT, "tables.js" SCRIPT,
    "try.js" SCRIPT, "life.js" SCRIPT, "queue.js" SCRIPT, "docs.js" SCRIPT, "page.css" STYLE,
    "vendor/uPlot.iife.min.js" SCRIPT, "vendor/uPlot.min.css" STYLE,
    "vendor/swagger-ui-bundle.js" LARGE, "vendor/swagger-ui.css" STYLE,
];

/// The routes of what a browser is shown.
pub(super) fn routes(resources: &Resources) -> Routes {
    let html = |text| Document::new(HeaderValue::from_static(HTML), text);
    let page = html(include_str!("../../page/index.html"));
    let index = Document::new(JSON, index(resources).to_string());
    let root = async move |headers: HeaderMap| {
        let shown = if wants_html(&headers) { page } else { index };
        ([(VARY, "accept")], shown.show(headers).await)
    };
    let docs = html(include_str!("../../page/docs.html"));
    let routes = Routes::new()
        .route("/", get(root))
        .route("/docs", get(async |headers| docs.show(headers).await));
    let routes = FILES.iter().fold(routes, |routes, (name, media, text)| {
        let file = Document::new(HeaderValue::from_static(media), *text);
        routes.route(&format!("/page/{name}"), get(async |headers| file.show(headers).await))
    });
    routes.layer(from_fn(async |request: Request, next: Next| (GUARDS, next.run(request).await)))
}

/// True if the client names HTML among what it takes, as browsers do and programs do not.
fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = accepted.flat_map(|value| value.split(','));
    ranges.any(|range| range.split(';').next().is_some_and(|media| media.trim() == "text/html"))
}

/// The service in short, for those who type `curl`.
fn index(resources: &Resources) -> Value {
    let paths = resources.iter().map(|it| it.definition.signature.path().to_owned());
    json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "resources": paths.collect::<Vec<_>>(),
        "links": {
            "page": "/", "docs": "/docs", "openapi": "/openapi.json", "statistics": "/stats",
            "events": "/events", "metrics": "/metrics", "alive": "/healthz", "ready": "/readyz",
        },
    })
}
