//! The file in which further resources are declared: what it says, checked as far as no database is needed for that.

mod backend;
mod fault;
mod form;
mod parameters;
mod policy;
mod setting;

use std::{collections::HashMap, path::Path};

use serde_json::json;
use toml::Spanned;

use self::{
    backend::backend,
    fault::Places,
    form::{DatabaseForm, FileForm, ResourceForm},
    parameters::parameters,
    policy::policy,
};
pub use self::{
    backend::{Backend, ChangedBy, OriginDeclared, Piece, QueryDeclared},
    fault::{At, Fault},
    setting::Setting,
};
use super::{
    definition::Definition,
    signature::{Segment, Signature, segments},
};
use crate::cache::{Form, Policy};

/// Most bytes of the file.
const FILE_BYTES_MAX: usize = 1 << 20;

/// Most resources in it.
const RESOURCES_MAX: usize = 256;

/// Names and spaces of keys that are taken.
pub const NAMES_TAKEN: [&str; 8] =
    ["users", "user", "calculations", "calculation", "sessions", "session", "demo", "aside"];

/// First words of the paths that are taken.
pub const WORDS_TAKEN: [&str; 15] = [
    "users",
    "calculations",
    "sessions",
    "cache",
    "jobs",
    "metrics",
    "stats",
    "openapi.json",
    "healthz",
    "readyz",
    "favicon.ico",
    "robots.txt",
    "docs",
    "events",
    "page",
];

/// All that a file declares.
#[derive(Debug, Default)]
pub struct Declared {
    /// Databases beside our own, by name.
    pub databases: HashMap<String, (Setting, At)>,
    /// Resources, in the order of their names.
    pub resources: Vec<DeclaredResource>,
}

/// A resource that a file declares.
#[derive(Debug)]
pub struct DeclaredResource {
    /// All that can be said of it without its source.
    pub definition: Definition,
    /// The backend that its values come from.
    pub backend: Backend,
    /// Its place in the file.
    pub at: At,
}

impl DeclaredResource {
    /// True if triggers note what changes of tables outdate.
    pub fn is_noted(&self) -> bool {
        matches!(&self.backend, Backend::Query(query) if !query.changed_by.is_empty())
    }
}

impl Declared {
    /// Reads the file at `path`. Where it does not say otherwise, `policy` applies.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn read(path: &Path, policy: &Policy) -> Result<Self, Fault> {
        let name = path.display().to_string();
        let unread = |why: &dyn std::fmt::Display| Places::whole(&name).fault(why);
        let bytes = std::fs::read(path).map_err(|error| unread(&error))?;
        if bytes.len() > FILE_BYTES_MAX {
            return Err(unread(&"the file is longer than 1 MiB"));
        }
        let text = String::from_utf8(bytes).map_err(|_| unread(&"the file is not UTF-8"))?;
        Self::parse(&name, &text, policy)
    }

    /// Reads the `text` of the file `name`.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn parse(name: &str, text: &str, policy: &Policy) -> Result<Self, Fault> {
        let places = Places::of(name, text);
        let file: FileForm = toml::from_str(text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            let line = places.line(&span);
            places.at(span).fault(format_args!("{}, in {line:?}", error.message()))
        })?;
        let mut declared = Self::default();
        for (name, form) in file.database {
            let at = places.at(name.span());
            let setting = url(&name, form, &at)?;
            declared.databases.insert(name.into_inner(), (setting, at));
        }
        let mut shapes = HashMap::new();
        for (name, form) in file.resource {
            let at = places.at(form.path.span());
            let resource = resource(&name, form, &declared.databases, &places, policy)?;
            let signature = &resource.definition.signature;
            if let Some(other) = shapes.insert(signature.shape(), name.get_ref().clone()) {
                let (path, why) = (signature.path(), "which can't be told from it");
                return Err(at.fault(format_args!("path = {path:?}: {other} has a path {why}")));
            }
            if declared.resources.len() == RESOURCES_MAX {
                return Err(at.fault(format_args!("there are more than {RESOURCES_MAX} resources")));
            }
            declared.resources.push(resource);
        }
        Ok(declared)
    }
}

/// The URL of a database.
fn url(name: &Spanned<String>, form: DatabaseForm, at: &At) -> Result<Setting, Fault> {
    match (form.url, form.url_from) {
        (Some(url), None) => Ok(Setting::Given(url.into_inner().into())),
        (None, Some(name)) => Ok(Setting::From(name.into_inner())),
        _ => {
            let takes = "it takes either url or url_from";
            Err(at.fault(format_args!("[database.{}]: {takes}", name.get_ref())))
        }
    }
}

fn resource(
    name: &Spanned<String>,
    form: ResourceForm,
    databases: &HashMap<String, (Setting, At)>,
    places: &Places<'_>,
    policy_else: &Policy,
) -> Result<DeclaredResource, Fault> {
    let at = places.at(name.span());
    let name = name.get_ref();
    let is_sound = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    if name.len() > 40
        || !name.starts_with(|first: char| first.is_ascii_lowercase())
        || !name.bytes().all(is_sound)
    {
        let takes = "a name takes a lower-case letter, and up to 39 of those, digits, _ and -";
        return Err(at.fault(format_args!("[resource.{name}]: {takes}")));
    }
    if NAMES_TAKEN.contains(&&**name) {
        return Err(at.fault(format_args!(
            "[resource.{name}]: the name is taken by a resource that is built in"
        )));
    }
    let path = form.path.get_ref();
    let at_path = places.at(form.path.span());
    let refused = |why| at_path.fault(format_args!("path = {path:?}: {why}"));
    let segments = segments(path).map_err(refused)?;
    if let Some(Segment::Word(word)) = segments
        .first()
        .filter(|first| matches!(first, Segment::Word(word) if WORDS_TAKEN.contains(&&**word)))
    {
        return Err(refused(format!("/{word} is taken by what is built in")));
    }
    let parameters = parameters(&form.parameters, &segments, places, &at_path)?;
    let policy = policy(&form, policy_else, places)?;
    let (signature, is_protected) = (Signature::new(path, parameters), form.token);
    let backend = backend(form, &signature, |name| databases.contains_key(name), places, &at)?;
    let mut definition = Definition::new(name, signature, policy);
    definition.is_protected = is_protected;
    match &backend {
        Backend::Query(query) if query.has_all_rows => {
            definition.policy.form = Form::Array;
            (definition.absent, definition.schema) = (None, json!({ "type": "array" }));
        }
        Backend::Query(_) => definition.schema = json!({ "type": "object" }),
        Backend::Origin(origin) => {
            definition.policy.form = Form::Any;
            if let Some(media) = &origin.media {
                definition.media = media.as_str().into();
            }
        }
    }
    Ok(DeclaredResource { definition, backend, at })
}
