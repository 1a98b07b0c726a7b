//! The parameters that a file declares.

use toml::{Spanned, Value};

use super::{
    fault::{At, Fault, Places},
    form::{Named, ParameterForm, TextOr},
};
use crate::resources::{
    argument::Argument,
    parameter::{Kind, Parameter, Place},
    signature::{Segment, is_name},
};

/// Most parameters of a resource.
const PARAMETERS_MAX: usize = 8;

/// The parameters of a path, in its order, and then those of the query string, by name. One that the path has and nobody
/// declares is a text.
pub(super) fn parameters(
    forms: &Named<TextOr<ParameterForm>>,
    segments: &[Segment],
    places: &Places<'_>,
    at_path: &At,
) -> Result<Vec<Parameter>, Fault> {
    let named = segments.iter().filter_map(|segment| match segment {
        Segment::Named(name) => Some(name),
        Segment::Word(_) => None,
    });
    let mut parameters: Vec<Parameter> = Vec::new();
    for name in named {
        if parameters.iter().any(|it| *it.name == **name) {
            return Err(at_path.fault(format_args!("the path has {{{name}}} twice")));
        }
        let place = Place::Path;
        parameters.push(match forms.get_key_value(name.as_str()) {
            None => Parameter::new(name, Kind::Text, place),
            Some((name, TextOr::Text(kind))) => {
                let kind = kind_of(kind, None, None).map_err(|why| refused(name, places, why))?;
                Parameter::new(name.get_ref(), kind, place)
            }
            Some((name, TextOr::Table(form))) => declared(name, form, true, places)?,
        });
    }
    for (name, form) in forms {
        if parameters.iter().any(|it| *it.name == **name.get_ref()) {
            continue;
        }
        parameters.push(match form {
            TextOr::Table(form) => declared(name, form, false, places)?,
            TextOr::Text(_) => {
                let why =
                    "the path has no such parameter; one of the query string says from = \"query\"";
                return Err(refused(name, places, why.to_owned()));
            }
        });
    }
    match parameters.get(PARAMETERS_MAX) {
        None => Ok(parameters),
        Some(_) => {
            Err(at_path.fault(format_args!("there are more than {PARAMETERS_MAX} parameters")))
        }
    }
}

fn refused(name: &Spanned<String>, places: &Places<'_>, why: String) -> Fault {
    places.at(name.span()).fault(format_args!("parameters.{}: {why}", name.get_ref()))
}

fn declared(
    name: &Spanned<String>,
    form: &ParameterForm,
    is_in_path: bool,
    places: &Places<'_>,
) -> Result<Parameter, Fault> {
    let refused = |why: &str| refused(name, places, why.to_owned());
    if !is_name(name.get_ref()) {
        return Err(refused("a name takes a letter, and up to 39 letters, digits and underscores"));
    }
    let kind = kind_of(form.kind.as_deref().unwrap_or("text"), form.min, form.max);
    let kind = kind.map_err(|why| refused(&why))?;
    let place = match (form.from.as_deref(), is_in_path) {
        (None | Some("path"), true) => Place::Path,
        (Some("query"), false) => {
            Place::Query { default: default(form, kind).map_err(|why| refused(&why))? }
        }
        (Some("query"), true) => return Err(refused("from = \"query\": the path has it")),
        (None | Some("path"), false) => {
            return Err(refused(
                "the path has no such parameter; one of the query string says from = \"query\"",
            ));
        }
        (Some(_), _) => return Err(refused("from takes \"path\" or \"query\"")),
    };
    if place == Place::Path && form.default.is_some() {
        return Err(refused("default is for a parameter of the query string"));
    }
    Ok(Parameter::new(name.get_ref(), kind, place))
}

fn kind_of(name: &str, min: Option<i64>, max: Option<i64>) -> Result<Kind, String> {
    let (least, most) = (min.unwrap_or(i64::MIN), max.unwrap_or(i64::MAX));
    match name {
        "integer" if least > most => Err("min is greater than max".to_owned()),
        "integer" => Ok(Kind::Integer { min: least, max: most }),
        "text" | "uuid" if min.or(max).is_some() => {
            Err("min and max are for an integer".to_owned())
        }
        "text" => Ok(Kind::Text),
        "uuid" => Ok(Kind::Uuid),
        _ => Err(format!("type {name:?}: it takes integer, text or uuid")),
    }
}

fn default(form: &ParameterForm, kind: Kind) -> Result<Option<Argument>, String> {
    let Some(default) = &form.default else { return Ok(None) };
    let value = match default {
        Value::Integer(number) => kind.of_json(&(*number).into()),
        Value::String(text) => kind.of_json(&text.as_str().into()),
        _ => None,
    };
    value.map(Some).ok_or_else(|| format!("default = {default}: it takes {}", kind.takes()))
}
