//! A mistake in the arguments, in one line instead of clap's many.

use std::env;

use clap::error::ErrorKind;

use super::command::{Failed, REFUSED};

/// The beginning of clap's text where it stops to say what is wrong.
const ENDS: [&str; 2] = ["Usage:", "For more information"];

/// Refuses a mistake in one line. A caller who names no subcommand where one is needed is shown them all.
pub(super) fn refused(error: &clap::Error) -> Failed {
    match (error.kind(), unreadable_variable()) {
        (ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, _) => {
            // To standard error; where that can't be written, nobody can be told so.
            let _ = error.print();
            Failed::Told(REFUSED)
        }
        (ErrorKind::InvalidUtf8, Some(name)) => {
            Failed::Refused(format!("the value of {name} is not UTF-8"))
        }
        _ => Failed::Refused(one_line(&error.to_string())),
    }
}

/// One of our variables whose value is not UTF-8. clap does not say which it is.
fn unreadable_variable() -> Option<String> {
    let mut names = env::vars_os().filter(|(_, value)| value.to_str().is_none());
    names.find_map(|(name, _)| name.into_string().ok().filter(|name| name.starts_with("ASIDE_")))
}

/// All that is wrong: what is missing, what is taken, and what may have been meant stand on lines of their own.
fn one_line(text: &str) -> String {
    let lines = text.strip_prefix("error: ").unwrap_or(text).lines().map(str::trim);
    let lines = lines.take_while(|line| !ENDS.iter().any(|end| line.starts_with(end)));
    let before = |line: &str| if line.starts_with("tip:") { "; " } else { " " };
    let lines = lines.filter(|line| !line.is_empty());
    lines.flat_map(|line| [before(line), line]).collect::<String>().trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_says_what_is_wrong_is_kept() {
        for (text, line) in [
            ("error: no\n\nFor more information, try '--help'.\n", "no"),
            ("error: needs:\n  <A>\n  <B>\n\nUsage: aside\n\nFor more", "needs: <A> <B>"),
            (
                "error: bad\n  [possible values: a, b]\n\n  tip: c\n",
                "bad [possible values: a, b]; tip: c",
            ),
        ] {
            assert_eq!(one_line(text), line);
        }
    }
}
