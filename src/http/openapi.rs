//! `GET /openapi.json`: the routes for people who generate clients from them.

use serde_json::{Map, Value, json};

use super::{document::Document, headers::JSON};
use crate::resources::{Argument, Definition, Kind, Parameter, Place, Resource, Resources};

/// The document as it is written by hand; tests hold it against the routes, the problems and real answers. Its
/// `x-resource` is what it says of each resource, with the names in double braces.
const WRITTEN: &str = include_str!("openapi.json");

/// The document with all `resources`.
pub(super) fn document(resources: &Resources) -> Document {
    // It is JSON, and maps with text for keys always serialise.
    let mut document: Value = serde_json::from_str(WRITTEN).unwrap_or_default();
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    let template = document["x-resource"].take();
    for Resource { definition, .. } in resources.iter() {
        let path = definition.signature.path();
        for (part, path) in [("read", path), ("cache", &definition.cache_path())] {
            for (method, operation) in filled(&template[part], definition) {
                document["paths"][path][method] = operation;
            }
        }
    }
    document.as_object_mut().and_then(|document| document.remove("x-resource"));
    Document::new(JSON, serde_json::to_vec(&document).unwrap_or_default())
}

/// The operations of `template` for `resource`. Nothing that is filled in needs to be escaped in JSON.
fn filled(template: &Value, resource: &Definition) -> Map<String, Value> {
    let filled = [
        ("{{name}}", &resource.name),
        ("{{space}}", &resource.space),
        ("{{absent}}", resource.absent.as_ref().unwrap_or(&resource.name)),
    ]
    .iter()
    .fold(template.to_string(), |text, (name, word)| text.replace(name, word));
    let mut operations: Map<String, Value> = serde_json::from_str(&filled).unwrap_or_default();
    for operation in operations.values_mut() {
        let parameters = resource.signature.parameters().iter().map(parameter);
        if let Some(all) = operation["parameters"].as_array_mut() {
            all.splice(..0, parameters);
        }
        let is_read = !operation["responses"]["304"].is_null();
        if is_read {
            let content = json!({ &*resource.media: { "schema": resource.schema } });
            operation["responses"]["200"]["content"] = content;
        }
        if !resource.signature.is_numbered() {
            operation["responses"]["400"] =
                problem("A parameter is not what it takes, or a precondition is not.");
            if is_read {
                operation["responses"]["502"] =
                    problem("The service behind it gave no answer that is of use.");
            }
        }
        if is_read && resource.is_protected {
            operation["security"] = json!([{ "token": [] }]);
            operation["responses"]["401"] =
                json!({ "$ref": "#/components/responses/Unauthorized" });
        }
        if resource.absent.is_none()
            && let Some(responses) = operation["responses"].as_object_mut()
        {
            responses.remove("404");
        }
    }
    operations
}

/// A parameter as OpenAPI has it.
fn parameter(parameter: &Parameter) -> Value {
    let schema = match parameter.kind {
        Kind::Integer { min, max } => {
            json!({ "type": "integer", "format": "int64", "minimum": min, "maximum": max })
        }
        // Characters, of which no text of 200 bytes has more.
        Kind::Text => json!({ "type": "string", "minLength": 1, "maxLength": 200 }),
        Kind::Uuid => json!({ "type": "string", "format": "uuid" }),
    };
    let mut described = json!({
        "name": &*parameter.name, "in": "path", "description": &*parameter.takes, "required": true, "schema": schema
    });
    if let Place::Query { default } = &parameter.place {
        described["in"] = "query".into();
        described["required"] = default.is_none().into();
        if let Some(default) = default {
            described["schema"]["default"] = match default {
                Argument::Integer(number) => (*number).into(),
                Argument::Text(text) => (**text).into(),
            };
        }
    }
    described
}

fn problem(description: &str) -> Value {
    let content = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
    json!({ "description": description, "content": { "application/problem+json": content } })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use aside_edge::details;

    use super::{super::problem::Problem::*, *};
    use crate::database::NotReady;

    #[test]
    fn each_problem_is_in_the_document_as_it_is_said() {
        let document: Value = serde_json::from_str(WRITTEN).unwrap();
        let examples = document["components"]["examples"].as_object().unwrap();
        let told: BTreeSet<_> =
            examples.values().map(|example| example["value"].to_string()).collect();
        let named = [
            NoSuchUser,
            NoSuchSession,
            RepeatedCookie,
            NoSessions,
            SessionsUnavailable,
            NotCached,
            Overloaded,
            SourceUnavailable,
            SourceTimeout,
            InvalidPrecondition,
            MalformedJson,
            NotJson,
            NotPatch,
            InvalidFields,
            EmailTaken,
            Changed,
            NotWritable,
            CacheUnavailable,
            QueueFull,
            QueueUnavailable,
            Unauthorized,
            Closed,
            ForeignHost,
            Draining,
            TooManyStreams,
            Faulty,
            Internal,
        ];
        for problem in &named {
            assert!(examples.contains_key(&format!("{problem:?}")), "{problem:?}");
        }
        let not_ready = [
            NotReady::Gone,
            NotReady::Replaced,
            NotReady::Silent,
            NotReady::Corrupt,
            NotReady::OtherServers,
            NotReady::Failing,
        ];
        let said =
            named.into_iter().chain(not_ready.map(DatabaseNotReady)).chain([NotAllForgotten(0)]);
        for problem in said {
            let said = json!(details(problem.status(), problem.to_string())).to_string();
            assert!(told.contains(&said), "{said}");
        }
    }
}
