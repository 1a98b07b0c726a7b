//! Text from outside, as a terminal or a log may be given it.

use std::fmt::{self, Display, Write};

/// True if a terminal obeys this character instead of showing it: a control character, a line separator, or one that
/// turns the direction of what follows.
pub fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}')
        || is_bidirectional_control(character)
}

/// True if this is one of Unicode's `Bidi_Control`, which can make a text look like another.
pub fn is_bidirectional_control(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text whose [obeyed](is_obeyed) characters are displayed as escapes, such as `\n` and `\u{202e}`.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if is_obeyed(character) {
                Display::fmt(&character.escape_default(), f)?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_obeyed_is_escaped_and_all_else_is_shown() {
        for (text, escaped) in [
            ("süß 😀 नमस्ते \\ \"", "süß 😀 नमस्ते \\ \""),
            ("a\r\n\tb\0", "a\\r\\n\\tb\\u{0}"),
            ("\u{1b}[2J\u{9b}1m", "\\u{1b}[2J\\u{9b}1m"),
            (
                "\u{2028}\u{202e}\u{2066}\u{200f}\u{61c}",
                "\\u{2028}\\u{202e}\\u{2066}\\u{200f}\\u{61c}",
            ),
            ("\u{200d}", "\u{200d}"),
        ] {
            assert_eq!(Escaped(text).to_string(), escaped);
        }
    }
}
