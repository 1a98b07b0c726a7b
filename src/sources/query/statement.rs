//! A statement of somebody else's, with a name after a colon where the value of a parameter goes.
//!
//! It is read only as far as that takes: what is quoted and what is a comment is told from the rest.
//! <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>, <https://sqlite.org/lang_expr.html#varparam>

use std::collections::BTreeSet;

/// A statement in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The value of the parameter of this number.
    Value(usize),
}

/// The words that a statement which reads begins with.
const FIRST_WORDS: [&str; 3] = ["SELECT", "WITH", "VALUES"];

impl Statement {
    /// Reads a statement whose parameters have these `names`, each of which it must use.
    ///
    /// # Errors
    /// The fault of it.
    pub(super) fn read(text: &str, names: &[&str]) -> Result<Self, String> {
        let mut pieces = vec![Piece::Text(String::new())];
        let (mut rest, mut first_word, mut has_ended) = (text, None, false);
        while let Some(token) = token(rest) {
            rest = &rest[token.len()..];
            let is_blank =
                token.trim().is_empty() || token.starts_with("--") || token.starts_with("/*");
            if !is_blank {
                first_word = first_word.or(Some(token));
                if has_ended && token != ";" {
                    return Err("it has two statements, and it takes one".to_owned());
                }
            }
            match token
                .strip_prefix(':')
                .filter(|name| !name.is_empty() && !name.starts_with([':', '=']))
            {
                _ if token == ";" => has_ended = true,
                Some(name) => {
                    let number = names.iter().position(|it| *it == name);
                    let unknown =
                        || format!("it has :{name}, which is no parameter of the resource");
                    pieces.extend([
                        Piece::Value(number.ok_or_else(unknown)?),
                        Piece::Text(String::new()),
                    ]);
                }
                None => {
                    if let Some(Piece::Text(text)) = pieces.last_mut() {
                        text.push_str(token);
                    }
                }
            }
        }
        let is_reading = |word: &&str| FIRST_WORDS.iter().any(|it| it.eq_ignore_ascii_case(word));
        if first_word.filter(is_reading).is_none() {
            return Err("it takes one statement that only reads: SELECT, WITH or VALUES".to_owned());
        }
        let statement = Self(pieces);
        let used = statement.values();
        match names.iter().enumerate().find(|(number, _)| !used.contains(number)) {
            Some((_, name)) => {
                Err(format!("it has no :{name}, and {name} is a parameter of the resource"))
            }
            None => Ok(statement),
        }
    }

    /// The numbers of the parameters that it has.
    fn values(&self) -> BTreeSet<usize> {
        let number = |piece: &Piece| match piece {
            Piece::Value(number) => Some(*number),
            Piece::Text(_) => None,
        };
        self.0.iter().filter_map(number).collect()
    }

    /// The statement with `mark` in place of each value.
    pub(super) fn text(&self, mark: impl Fn(usize) -> String) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Value(number) => mark(*number),
        };
        self.0.iter().map(piece).collect()
    }

    /// True if `word` stands in it in quotes.
    pub(super) fn quotes(&self, word: &str) -> bool {
        let text = self.text(|_| " ".to_owned());
        [('"', '"'), ('`', '`'), ('[', ']'), ('\'', '\'')]
            .iter()
            .any(|(begin, end)| text.contains(&format!("{begin}{word}{end}")))
    }
}

/// The first token of a statement: a quoted text, a comment, a name after a colon, a word, or one character.
fn token(text: &str) -> Option<&str> {
    let first = text.chars().next()?;
    let length = match first {
        '\'' | '"' | '`' => quoted(text, first, false),
        // PostgreSQL's strings with escapes.
        'e' | 'E' if text[1..].starts_with('\'') => 1 + quoted(&text[1..], '\'', true),
        '-' if text.starts_with("--") => text.find('\n').unwrap_or(text.len()),
        '/' if text.starts_with("/*") => comment(text),
        '$' => dollar_quoted(text).unwrap_or(1),
        // A cast, or an assignment.
        ':' if text.starts_with("::") || text.starts_with(":=") => 2,
        ':' => {
            1 + if text[1..].starts_with(|it: char| it.is_ascii_alphabetic()) {
                word(&text[1..])
            } else {
                0
            }
        }
        _ if is_of_word(first) => word(text),
        _ => first.len_utf8(),
    };
    Some(&text[..length])
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn word(text: &str) -> usize {
    text.find(|character| !is_of_word(character)).unwrap_or(text.len())
}

/// The length of a quoted text: to its end, or to the end of all.
fn quoted(text: &str, quote: char, has_escapes: bool) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if has_escapes && character == '\\' {
            characters.next();
        } else if character == quote {
            // Twice is itself.
            if characters.next_if(|(_, next)| *next == quote).is_none() {
                return at + 1;
            }
        }
    }
    text.len()
}

/// The length of a comment, which PostgreSQL lets be in another.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_u32, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a text in dollars: `$tag$ … $tag$`.
fn dollar_quoted(text: &str) -> Option<usize> {
    let tag_end = 1 + text[1..].find('$')?;
    let tag = &text[..=tag_end];
    let name = &tag[1..tag_end];
    let is_tag = name.chars().all(is_of_word) && !name.starts_with(|it: char| it.is_ascii_digit());
    let end = text[tag.len()..].find(tag).map(|at| tag.len() + at + tag.len());
    is_tag.then(|| end.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        Statement::read(text, &["a", "b"]).map(|it| it.text(|number| format!("${}", number + 1)))
    }

    #[test]
    fn a_name_after_a_colon_is_a_value_wherever_it_is_no_text() {
        for (given, made) in [
            ("SELECT :a, :b;", "SELECT $1, $2"),
            ("select :b+:a+:b -- :c; it's\n;", "select $2+$1+$2 -- :c; it's\n"),
            (
                "SELECT ':c', \":c\", 'it''s :c', :a::text, :b",
                "SELECT ':c', \":c\", 'it''s :c', $1::text, $2",
            ),
            (
                "/* :c /* ; */ ' */ WITH x AS (VALUES (:a)) SELECT :b FROM x",
                "/* :c /* ; */ ' */ WITH x AS (VALUES ($1)) SELECT $2 FROM x",
            ),
            (
                "SELECT $q$ :c ' $q$, E'\\' :c', x[1:2], :a, :b",
                "SELECT $q$ :c ' $q$, E'\\' :c', x[1:2], $1, $2",
            ),
            (
                "SELECT größe FROM t WHERE a=:a AND `:c` <> :b",
                "SELECT größe FROM t WHERE a=$1 AND `:c` <> $2",
            ),
        ] {
            assert_eq!(read(given).as_deref(), Ok(made));
        }
    }

    #[test]
    fn what_writes_or_is_two_statements_or_has_other_parameters_is_refused() {
        for (text, why) in [
            ("SELECT :a, :b; SELECT 1", "two statements"),
            ("DELETE FROM t WHERE a = :a AND b = :b", "only reads"),
            ("", "only reads"),
            ("-- nothing", "only reads"),
            ("SELECT :a", "no :b"),
            ("SELECT :a, :b, :c", "has :c"),
        ] {
            assert!(read(text).unwrap_err().contains(why), "{text}");
        }
    }

    #[test]
    fn no_text_at_all_is_read_past_its_end() {
        for text in [
            "'", "\"", "e'", "E'\\", "/*", "/*ü", "$", "$$", "$a$", ":", "::", "--", "ü", "$1$",
            "$ü",
        ] {
            let _ = read(text);
            let _ = read(&format!("SELECT {text}"));
        }
    }
}
