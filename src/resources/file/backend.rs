//! The backend that the values of a resource come from, as a file says it: a query or an origin.

use toml::Spanned;

use super::{
    fault::{At, Fault, Places},
    form::{ChangedByForm, FromForm, Named, ResourceForm, TextOr},
    setting::Setting,
};
use crate::resources::{signature::Signature, signature::is_name};

/// The backend that the values of a resource come from.
#[derive(Debug)]
pub enum Backend {
    /// A statement that a database runs.
    Query(QueryDeclared),
    /// A service that is asked over HTTP.
    Origin(OriginDeclared),
}

/// A query of a resource.
#[derive(Debug)]
pub struct QueryDeclared {
    /// The name of its database; `None` for our own.
    pub database: Option<String>,
    /// The statement, with `:name` where the value of a parameter goes.
    pub text: String,
    /// The columns that are JSON, where the database can't tell.
    pub json: Vec<String>,
    /// True if all rows are the value, and not one.
    pub has_all_rows: bool,
    /// The tables whose changes outdate entries.
    pub changed_by: Vec<ChangedBy>,
    /// Its place in the file.
    pub at: At,
}

/// A table whose changed rows outdate entries.
#[derive(Clone, Debug)]
pub struct ChangedBy {
    /// The table, after its schema and a dot if need be.
    pub table: String,
    /// The columns that hold the values of the parameters, in their order.
    pub columns: Vec<String>,
    /// Its place in the file.
    pub at: At,
}

/// An origin of a resource.
#[derive(Debug)]
pub struct OriginDeclared {
    /// Its URL in pieces.
    pub url: Vec<Piece>,
    /// Headers that each request has.
    pub headers: Vec<(String, Setting, At)>,
    /// The media type that its answers must have, if that is not JSON.
    pub media: Option<String>,
    /// Its place in the file.
    pub at: At,
}

/// A piece of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// The value of the parameter of this number.
    Value(usize),
}

pub(super) fn backend(
    form: ResourceForm,
    signature: &Signature,
    has_database: impl Fn(&str) -> bool,
    places: &Places<'_>,
    at: &At,
) -> Result<Backend, Fault> {
    let of_query = [form.database.as_ref(), form.rows.as_ref()].into_iter().flatten();
    let of_query =
        of_query.map(Spanned::span).chain(form.changed_by.iter().map(Spanned::span)).next();
    let of_origin = form.headers.keys().next().map(Spanned::span);
    let of_origin = of_origin.or(form.content_type.as_ref().map(Spanned::span));
    match (&form.query, &form.origin, of_query, of_origin) {
        (Some(_), Some(origin), ..) => Err(places
            .at(origin.span())
            .fault("origin: it takes either query or origin, and both are there")),
        (None, None, ..) => Err(at.fault("the resource has neither query nor origin")),
        (Some(_), None, _, Some(span)) => {
            Err(places.at(span).fault("headers and content_type are for a resource with an origin"))
        }
        (None, Some(_), Some(span), _) => Err(places
            .at(span)
            .fault("database, rows and changed_by are for a resource with a query")),
        (Some(query), None, ..) => {
            let query = self::query(query, &form, signature, has_database, places)?;
            Ok(Backend::Query(query))
        }
        (None, Some(origin), ..) => {
            Ok(Backend::Origin(self::origin(origin, &form, signature, places)?))
        }
    }
}

fn query(
    query: &Spanned<String>,
    form: &ResourceForm,
    signature: &Signature,
    has_database: impl Fn(&str) -> bool,
    places: &Places<'_>,
) -> Result<QueryDeclared, Fault> {
    let names: Vec<_> = signature.parameters().iter().map(|it| &*it.name).collect();
    let has_all_rows = match form.rows.as_ref().map(|rows| (rows.get_ref().as_str(), rows.span())) {
        None | Some(("one", _)) => false,
        Some(("all", _)) => true,
        Some((rows, span)) => {
            let takes = "it takes \"one\", as without it, or \"all\"";
            return Err(places.at(span).fault(format_args!("rows = {rows:?}: {takes}")));
        }
    };
    let database = form.database.as_ref();
    if let Some(name) = database.filter(|name| !has_database(name.get_ref())) {
        let (at, name) = (places.at(name.span()), name.get_ref());
        return Err(at.fault(format_args!("database = {name:?}: there is no [database.{name}]")));
    }
    let changed_by = form.changed_by.iter().map(|form| changed_by(form, &names, places));
    Ok(QueryDeclared {
        database: database.map(|name| name.get_ref().clone()),
        text: query.get_ref().clone(),
        json: form.json.clone(),
        has_all_rows,
        changed_by: changed_by.collect::<Result<_, _>>()?,
        at: places.at(query.span()),
    })
}

fn changed_by(
    form: &Spanned<ChangedByForm>,
    names: &[&str],
    places: &Places<'_>,
) -> Result<ChangedBy, Fault> {
    let at = places.at(form.span());
    let ChangedByForm { table, columns } = form.get_ref();
    if let Some(name) = columns.keys().find(|name| !names.contains(&name.as_str())) {
        return Err(at.fault(format_args!("changed_by: {name} is no parameter of the resource")));
    }
    let column = |name: &&str| {
        let why = format_args!(
            "changed_by: it takes a column for each parameter, and there is none for {name}; without changed_by, \
             entries live by their TTL"
        );
        columns.get(*name).cloned().ok_or_else(|| at.fault(why))
    };
    let columns = names.iter().map(column).collect::<Result<_, _>>()?;
    Ok(ChangedBy { table: table.clone(), columns, at })
}

fn origin(
    origin: &Spanned<String>,
    form: &ResourceForm,
    signature: &Signature,
    places: &Places<'_>,
) -> Result<OriginDeclared, Fault> {
    let at = places.at(origin.span());
    let refused = |why: String| at.fault(format_args!("origin = {:?}: {why}", origin.get_ref()));
    let names: Vec<_> = signature.parameters().iter().map(|it| &*it.name).collect();
    let url = pieces(origin.get_ref(), &names).map_err(refused)?;
    let headers = headers(&form.headers, places)?;
    let media = match &form.content_type {
        Some(media) if !is_field(media.get_ref()) || !media.get_ref().contains('/') => {
            let why = "it takes a media type, such as text/html; charset=utf-8";
            return Err(places
                .at(media.span())
                .fault(format_args!("content_type = {:?}: {why}", media.get_ref())));
        }
        media => media.as_ref().map(|media| media.get_ref().clone()),
    };
    Ok(OriginDeclared { url, headers, media, at })
}

/// The URL in pieces: http or https, a host without a user, and a parameter wherever its name stands in braces.
fn pieces(url: &str, names: &[&str]) -> Result<Vec<Piece>, String> {
    let takes = "it takes a URL such as http://127.0.0.1:9000/weather/{city}";
    let after_scheme =
        url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).ok_or(takes)?;
    let host = after_scheme.split(['/', '?']).next().unwrap_or_default();
    if host.is_empty()
        || host.contains(['{', '}'])
        || url.contains('#')
        || !url.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err(takes.to_owned());
    }
    if host.contains('@') {
        return Err(
            "it takes no user and no password; a header may have them from the environment"
                .to_owned(),
        );
    }
    let (mut pieces, mut rest) = (Vec::new(), url);
    while let Some((text, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or(takes)?;
        let number = names.iter().position(|it| *it == name);
        let number = number
            .filter(|_| is_name(name))
            .ok_or_else(|| format!("{{{name}}} is no parameter of the resource"))?;
        pieces.extend([Piece::Text(text.to_owned()), Piece::Value(number)]);
        rest = after;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    match (0..names.len()).find(|number| !pieces.contains(&Piece::Value(*number))) {
        Some(lacking) => Err(format!(
            "it has no {{{0}}}, and {0} is a parameter of the resource",
            names[lacking]
        )),
        None => Ok(pieces),
    }
}

/// Headers that would change what a request is.
const HEADERS_TAKEN: [&str; 6] =
    ["host", "connection", "content-length", "transfer-encoding", "te", "upgrade"];

fn headers(
    forms: &Named<TextOr<FromForm>>,
    places: &Places<'_>,
) -> Result<Vec<(String, Setting, At)>, Fault> {
    let header = |(name, form): (&Spanned<String>, &TextOr<FromForm>)| {
        let at = places.at(name.span());
        let name = name.get_ref();
        let is_token = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        let is_taken = HEADERS_TAKEN.iter().any(|taken| name.eq_ignore_ascii_case(taken));
        if is_taken {
            return Err(at.fault(format_args!("headers.{name}: Aside makes this one itself")));
        }
        if name.is_empty() || !is_token {
            return Err(at.fault(format_args!("headers.{name:?}: it takes the name of a header")));
        }
        let setting = match form {
            TextOr::Text(value) if is_field(value) => Setting::Given(value.clone().into()),
            TextOr::Text(_) => {
                return Err(at.fault(format_args!(
                    "headers.{name}: it takes visible ASCII characters and spaces"
                )));
            }
            TextOr::Table(FromForm { from }) => Setting::From(from.clone()),
        };
        Ok((name.clone(), setting, at))
    };
    forms.iter().map(header).collect()
}

/// True if `text` can be the value of a header.
pub(super) fn is_field(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}
