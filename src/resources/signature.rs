//! The way in which a request names one thing of a resource: a path, and parameters in it and in the query string.

use std::sync::Arc;

use serde_json::Value;

use super::{
    argument::{Argument, Arguments},
    parameter::{Kind, Parameter, Place},
};

/// The sentence that says what a request should have said instead.
pub type Misread = Arc<str>;

/// The sentence about a number that names a thing.
const NUMBER: &str =
    "An id is a decimal number from 1 to 9223372036854775807 without sign or leading zeros.";

/// The path and the parameters of a resource. Clones share them.
#[derive(Clone, Debug)]
pub struct Signature(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    path: String,
    segments: Vec<Segment>,
    parameters: Vec<Parameter>,
    /// The sentence about query strings; `None` if they are nobody's concern.
    query_takes: Option<Misread>,
}

/// A segment of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// As it stands.
    Word(String),
    /// The value of the parameter of this name.
    Named(String),
}

/// The segments of a path such as `/products/{sku}`, or what is wrong with it.
///
/// # Errors
/// The reason, with the form that a path takes.
pub fn segments(path: &str) -> Result<Vec<Segment>, String> {
    let takes = "it takes a path of words and {parameters}, such as /products/{sku}";
    let is_word = |text: &str| {
        let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !matches!(text, "" | "." | "..") && text.bytes().all(is_sound)
    };
    let segment = |text: &str| match text.strip_prefix('{').and_then(|it| it.strip_suffix('}')) {
        Some(name) if is_name(name) => Ok(Segment::Named(name.to_owned())),
        None if is_word(text) => Ok(Segment::Word(text.to_owned())),
        _ => Err(takes.to_owned()),
    };
    let rest = path.strip_prefix('/').ok_or(takes)?;
    let segments: Vec<_> = rest.split('/').map(segment).collect::<Result<_, _>>()?;
    match segments[0] {
        Segment::Word(_) => Ok(segments),
        Segment::Named(_) => Err(format!("it begins with a parameter; {takes}")),
    }
}

/// True of the name of a parameter: a letter, and up to 39 letters, digits and underscores.
pub fn is_name(text: &str) -> bool {
    text.len() <= 40
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl Signature {
    /// The signature of this path with these parameters: those of the path in its order, and then the others.
    pub fn new(path: &str, parameters: Vec<Parameter>) -> Self {
        let of_query = parameters.iter().filter(|it| it.place != Place::Path);
        let names: Vec<_> = of_query.map(|it| &*it.name).collect();
        let takes = match names[..] {
            [] => "The query string takes no parameters.".to_owned(),
            _ => format!("The query string takes {}, each once.", names.join(", ")),
        };
        Self::of(path, parameters, Some(takes.into()))
    }

    /// A path whose one parameter is a number from 1. Query strings are nobody's concern.
    pub fn numbered(path: &str) -> Self {
        let name = path.split(['{', '}']).nth(1).unwrap_or_default();
        let kind = Kind::Integer { min: 1, max: i64::MAX };
        let number = Parameter { takes: NUMBER.into(), ..Parameter::new(name, kind, Place::Path) };
        Self::of(path, vec![number], None)
    }

    fn of(path: &str, parameters: Vec<Parameter>, query_takes: Option<Misread>) -> Self {
        let segments = segments(path).unwrap_or_default();
        Self(Arc::new(Parts { path: path.to_owned(), segments, parameters, query_takes }))
    }

    /// The path as it was written.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The parameters in their order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.0.parameters
    }

    /// The word with which every path begins.
    pub fn first_word(&self) -> &str {
        match self.0.segments.first() {
            Some(Segment::Word(word)) => word,
            _ => "",
        }
    }

    /// True if `path` has as many segments, and the same words where there are words.
    pub fn fits(&self, path: &str) -> bool {
        // By bytes: it is on the way of each hit.
        let mut texts = path.as_bytes().split(|byte| *byte == b'/').skip(1);
        let mut segments = self.0.segments.iter();
        let is_fit = |segment: &Segment| match (segment, texts.next()) {
            (Segment::Word(word), Some(text)) => word.as_bytes() == text,
            (Segment::Named(_), Some(text)) => !text.is_empty(),
            (_, None) => false,
        };
        segments.all(is_fit) && texts.next().is_none()
    }

    /// The path with all parameters alike: two resources with the same one can't be told apart.
    pub fn shape(&self) -> String {
        let mut number = 0..;
        let segment = |segment: &Segment| match segment {
            Segment::Word(word) => format!("/{word}"),
            Segment::Named(_) => format!("/{{p{}}}", number.next().unwrap_or(0)),
        };
        self.0.segments.iter().map(segment).collect()
    }

    /// The path as a route: parameters of one place have one name, as routers ask for.
    pub fn route(&self) -> String {
        if self.is_numbered() { self.0.path.clone() } else { self.shape() }
    }

    /// The parameters of the path as a path of their own, in braces.
    pub fn rest(&self) -> String {
        let of_path = self.of_path();
        of_path.map(|parameter| format!("/{{{}}}", parameter.name)).collect()
    }

    fn of_path(&self) -> impl Iterator<Item = &Parameter> {
        self.0.parameters.iter().filter(|parameter| parameter.place == Place::Path)
    }

    /// Reads the values from the path and the query string of a request.
    ///
    /// # Errors
    /// [`Misread`].
    pub fn read(&self, path: &str, query: Option<&str>) -> Result<Arguments, Misread> {
        let mut segments = self.0.segments.iter();
        // What is more than the path has is more than its parameters take.
        let is_value = |_: &&str| !matches!(segments.next(), Some(Segment::Word(_)));
        self.arguments(path.split('/').skip(1).filter(is_value), query)
    }

    /// Reads the values from the rest of a path, which has nothing else: `A-1/de?limit=3`.
    ///
    /// # Errors
    /// [`Misread`].
    pub fn read_rest(&self, rest: &str) -> Result<Arguments, Misread> {
        let (path, query) =
            rest.split_once('?').map_or((rest, None), |(it, query)| (it, Some(query)));
        let is_empty = path.is_empty() && self.of_path().next().is_none();
        self.arguments(path.split('/').skip(usize::from(is_empty)), query)
    }

    /// The rest of a path from which [`Self::read_rest`] reads these values.
    pub fn write_rest(&self, arguments: &Arguments) -> String {
        let mut rest = String::new();
        let mut mark = '?';
        for (parameter, value) in self.0.parameters.iter().zip(arguments.values()) {
            match parameter.place {
                Place::Path if rest.is_empty() => {}
                Place::Path => rest.push('/'),
                Place::Query { .. } => {
                    rest.extend([
                        std::mem::replace(&mut mark, '&').to_string().as_str(),
                        &parameter.name,
                        "=",
                    ]);
                }
            }
            value.encode(&mut rest);
        }
        rest
    }

    /// The values that a JSON document has: that of the one parameter, or a list of those of all.
    pub fn of_json(&self, value: &Value) -> Option<Arguments> {
        let parameters = &self.0.parameters;
        let values = match value {
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        let of_both = parameters.iter().zip(values);
        let read = of_both.map(|(parameter, value)| parameter.kind.of_json(value));
        if values.len() == parameters.len() { read.collect() } else { None }
    }

    /// True if a number from 1 is all there is to say.
    pub fn is_numbered(&self) -> bool {
        self.0.query_takes.is_none()
    }

    fn arguments<'a>(
        &self,
        mut of_path: impl Iterator<Item = &'a str>,
        query: Option<&str>,
    ) -> Result<Arguments, Misread> {
        let query = query.filter(|query| !query.is_empty());
        let mut pairs = match (query, &self.0.query_takes) {
            (Some(query), Some(takes)) => self.pairs(query).ok_or_else(|| takes.clone())?,
            _ => Vec::new(),
        };
        let mut value = |parameter: &Parameter| {
            let sent = match &parameter.place {
                Place::Path => of_path.next(),
                Place::Query { default } => {
                    let at = pairs.iter().position(|(name, _)| **name == *parameter.name);
                    match (at.map(|at| pairs.swap_remove(at).1), default) {
                        (None, Some(default)) => return Ok(default.clone()),
                        (sent, _) => sent,
                    }
                }
            };
            sent.and_then(|sent| parameter.read(sent)).ok_or_else(|| parameter.takes.clone())
        };
        let arguments = self.0.parameters.iter().map(&mut value).collect::<Result<_, Misread>>()?;
        match of_path.next() {
            Some(_) => {
                Err(self.0.parameters.last().map_or_else(|| NUMBER.into(), |it| it.takes.clone()))
            }
            None => Ok(arguments),
        }
    }

    /// The pairs of a query string; `None` if one is of no parameter, or of one that another is of.
    fn pairs<'a>(&self, query: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=')?;
            let is_declared = |it: &Parameter| *it.name == *name && it.place != Place::Path;
            let is_new = !pairs.iter().any(|(other, _)| *other == name);
            if !is_new || !self.0.parameters.iter().any(is_declared) {
                return None;
            }
            pairs.push((name, value));
        }
        Some(pairs)
    }
}

/// The number at the end of a path, if it is canonical: digits of an `i64` from 1, without leading zeros.
///
/// # Errors
/// [`Misread`].
pub fn last_number(path: &str) -> Result<i64, Misread> {
    let last = path.rsplit('/').next().unwrap_or_default();
    match (Kind::Integer { min: 1, max: i64::MAX }).of_text(last) {
        Some(Argument::Integer(number)) => Ok(number),
        _ => Err(NUMBER.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn products() -> Signature {
        let limit = Kind::Integer { min: 1, max: 100 };
        let default = Some(Argument::Integer(10));
        Signature::new(
            "/shops/{shop}/products/{sku}",
            vec![
                Parameter::new("shop", Kind::Integer { min: 1, max: 9 }, Place::Path),
                Parameter::new("sku", Kind::Text, Place::Path),
                Parameter::new("limit", limit, Place::Query { default }),
                Parameter::new("q", Kind::Text, Place::Query { default: None }),
            ],
        )
    }

    #[test]
    fn values_come_from_the_path_and_the_query_string_in_the_order_of_the_parameters() {
        let read =
            |query| Ok::<_, Misread>(products().read("/shops/3/products/a%2Fb", query)?.key("p"));
        assert_eq!(read(Some("q=x+y&limit=5")).unwrap().as_str(), "p:3:a%2Fb:5:x%20y");
        assert_eq!(read(Some("q=x")).unwrap().as_str(), "p:3:a%2Fb:10:x");
        for query in
            ["", "limit=5", "q=1&q=2", "q=1&other=1", "q=1&", "q", "q=1&limit=0", "sku=1&q=1"]
        {
            assert!(read(Some(query)).is_err(), "{query}");
        }
        assert!(products().read("/shops/10/products/a", Some("q=1")).is_err());
    }

    #[test]
    fn the_rest_of_a_path_names_the_same() {
        let signature = products();
        let arguments = signature.read("/shops/3/products/%C3%BC%3F", Some("q=a%26b")).unwrap();
        let rest = signature.write_rest(&arguments);
        assert_eq!(rest, "3/%C3%BC%3F?limit=10&q=a%26b");
        assert_eq!(signature.read_rest(&rest), Ok(arguments));
        assert!(signature.read_rest("3/a/b?q=1").is_err());
        let bare = Signature::new("/status", Vec::new());
        let nothing = bare.read("/status", None).unwrap();
        assert_eq!(bare.write_rest(&nothing), "");
        assert_eq!(bare.read_rest(""), Ok(nothing));
        assert!(bare.read("/status", Some("a=1")).is_err());
    }

    #[test]
    fn a_numbered_thing_has_one_name_and_any_query_string() {
        let users = Signature::numbered("/users/{id}");
        assert_eq!(users.read("/users/42", Some("a=1&a=2")).unwrap().number(), Some(42));
        for text in ["", "0", "-1", "007", "%31", "1/", "9223372036854775808"] {
            assert_eq!(users.read(&format!("/users/{text}"), None), Err(NUMBER.into()), "{text}");
            assert_eq!(last_number(&format!("/users/{text}")), Err(NUMBER.into()), "{text}");
        }
        assert_eq!(last_number("/users/9223372036854775807"), Ok(i64::MAX));
    }

    #[test]
    fn a_path_has_words_and_parameters() {
        for path in ["/a", "/a.b/{c}", "/a/{b}/{c_1}/~d"] {
            assert_eq!(Signature::new(path, Vec::new()).path(), path);
            assert!(segments(path).is_ok(), "{path}");
        }
        for path in [
            "", "a", "/", "/a/", "//a", "/{a}", "/a/{b", "/a/{1}", "/a/x{b}", "/a b", "/..",
            "/a/{}",
        ] {
            assert!(segments(path).is_err(), "{path}");
        }
        assert_eq!(products().shape(), "/shops/{p0}/products/{p1}");
        assert_eq!(products().rest(), "/{shop}/{sku}");
    }
}
