//! The one list of what is served through the cache: routes, keys, ledgers, metrics, explanations, warm-ups and the
//! description of the interface walk it.

mod any_source;
mod argument;
mod definition;
pub mod file;
mod parameter;
mod signature;

use std::sync::Arc;

pub use self::{
    any_source::{AnySource, Numbered},
    argument::{Argument, Arguments, RESERVED},
    definition::Definition,
    parameter::{Kind, Parameter, Place},
    signature::{Misread, Segment, Signature, is_name, last_number, segments},
};
use crate::{cache::Cache, metrics::CacheMetrics};

/// A resource that is served: its declaration and the stack in front of its source.
#[derive(Clone)]
pub struct Resource {
    /// Its declaration.
    pub definition: Definition,
    /// The source.
    pub source: AnySource,
    /// The stack in front of the source.
    pub cache: Cache<Arguments>,
    /// The counts of the stack.
    pub metrics: CacheMetrics,
}

/// All resources, in the order of the list. Clones share them.
pub type Resources = Arc<[Resource]>;

/// The resource of this name.
pub fn named<'a>(resources: &'a [Resource], name: &str) -> Option<&'a Resource> {
    resources.iter().find(|resource| *resource.definition.name == *name)
}
