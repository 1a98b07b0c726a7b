//! The resources as they are read: by routes of the router, and past it.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, Method},
    response::{IntoResponse, Response},
    routing::get,
};
use memchr::memchr;

use super::{Routes, cached, headers};
use crate::resources::{Resource, Resources};

/// A resource as it is read.
#[derive(Clone)]
pub(super) struct Read(Arc<(Resource, HeaderValue)>);

/// The resources that can be told by the first word of a path: a `GET` of one needs no router, which costs a hit a fifth
/// of its instructions. Everything else about them does, as another method.
#[derive(Default)]
pub(super) struct Reads(BTreeMap<String, Read>);

impl Read {
    fn new(resource: &Resource) -> Self {
        let media = HeaderValue::from_str(&resource.definition.media).unwrap_or(headers::JSON);
        Self(Arc::new((resource.clone(), media)))
    }

    pub(super) async fn answer(&self, request: Request) -> Response {
        cached::answer(&self.0.0, &self.0.1, request).await.into_response()
    }
}

impl Reads {
    /// Those of `resources` that anybody may read, and that share their first word with none.
    pub(super) fn new(resources: &Resources) -> Self {
        let word = |it: &Resource| it.definition.signature.first_word().to_owned();
        let is_alone = |it: &&Resource| {
            let same = resources.iter().filter(|other| word(other) == word(it));
            !it.definition.is_protected && same.count() == 1
        };
        let alone = resources.iter().filter(is_alone);
        Self(alone.map(|resource| (word(resource), Read::new(resource))).collect())
    }

    /// The resource that `request` reads.
    pub(super) fn of(&self, request: &Request) -> Option<&Read> {
        let path = request.uri().path();
        let rest = path.strip_prefix('/')?;
        let word = memchr(b'/', rest.as_bytes()).map_or(rest, |end| &rest[..end]);
        let read = self.0.get(word)?;
        let fits = request.method() == Method::GET && read.0.0.definition.signature.fits(path);
        fits.then_some(read)
    }
}

/// The route of each resource that is protected, or of each that is not.
pub(super) fn routes(resources: &Resources, is_protected: bool) -> Routes {
    let served = resources.iter().filter(|it| it.definition.is_protected == is_protected);
    served.fold(Router::new(), |router, resource| {
        let read = Read::new(resource);
        let show = async move |request| read.answer(request).await;
        router.route(&resource.definition.signature.route(), get(show))
    })
}
