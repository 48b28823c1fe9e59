//! Values typed on the command line: texts, as they are or as `@FILE`, and counts.

use std::convert::Infallible;
use std::fs;
use std::ops::RangeInclusive;
use std::str::FromStr;

use anyhow::{Context as _, Result};

/// A text on the command line: typed (`TEXT`, or `@@TEXT` for one that begins with `@`) or in a file (`@FILE`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text {
    /// The text itself.
    Typed(String),
    /// The path of the file that holds it.
    File(String),
}

impl FromStr for Text {
    type Err = Infallible;

    fn from_str(argument: &str) -> Result<Self, Infallible> {
        Ok(match argument.strip_prefix('@') {
            Some(literal) if literal.starts_with('@') => Text::Typed(literal.to_owned()),
            Some(path) => Text::File(path.to_owned()),
            None => Text::Typed(argument.to_owned()),
        })
    }
}

impl Text {
    /// The text. A file is read whole and byte for byte: a closing line break is part of a response.
    ///
    /// # Errors
    /// The file cannot be read, or is not UTF-8.
    pub(crate) fn read(&self) -> Result<String> {
        match self {
            Text::Typed(text) => Ok(text.clone()),
            Text::File(path) => fs::read_to_string(path).with_context(|| format!("cannot read {path}")),
        }
    }
}

/// `NAME=TEXT` or `NAME=@FILE`; the name ends at the first `=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedText {
    /// What stands before the first `=`.
    pub(crate) name: String,
    /// What stands after it.
    pub(crate) text: Text,
}

impl FromStr for NamedText {
    type Err = String;

    fn from_str(argument: &str) -> Result<Self, String> {
        let (name, text) = argument
            .split_once('=')
            .ok_or_else(|| "expected NAME=TEXT or NAME=@FILE, found no `=`".to_owned())?;
        let text = match text.parse() {
            Ok(text) => text,
            Err(never) => match never {},
        };
        Ok(NamedText {
            name: name.to_owned(),
            text,
        })
    }
}

/// A number of at least one, or two of them with a hyphen between: the least and the most.
pub(crate) fn counts(text: &str) -> Result<RangeInclusive<usize>, String> {
    let number = |part: &str| match part.trim().parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err(format!("expected a number, or two such as 4-8, got {text:?}")),
    };
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    let (least, most) = (number(least)?, number(most)?);
    if least > most {
        return Err(format!("expected the smaller number first, got {text:?}"));
    }
    Ok(least..=most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_one_number_or_two_in_order() {
        assert_eq!((counts("4"), counts("4-8")), (Ok(4..=4), Ok(4..=8)));
        for (text, expect) in [
            ("0", "at least 1"),
            ("8-4", "smaller"),
            ("four", "expected a number"),
            ("4-", "4-8"),
        ] {
            let error = counts(text).unwrap_err();
            assert!(error.contains(expect), "{text}: {error}");
        }
    }

    #[test]
    fn a_text_is_typed_or_in_a_file() {
        let check = |argument: &str, expect: Text| assert_eq!(argument.parse(), Ok(expect), "{argument}");
        check("plain", Text::Typed("plain".to_owned()));
        check("", Text::Typed(String::new()));
        check("@a b.txt", Text::File("a b.txt".to_owned()));
        check("@@home", Text::Typed("@home".to_owned()));
        check("@@@", Text::Typed("@@".to_owned()));
        check("mail@home", Text::Typed("mail@home".to_owned()));
    }

    #[test]
    fn a_name_ends_at_the_first_equals_sign() {
        let named: NamedText = "a=b=c".parse().expect("has a name");
        assert_eq!(
            named,
            NamedText {
                name: "a".to_owned(),
                text: Text::Typed("b=c".to_owned())
            }
        );
        assert!("no sign".parse::<NamedText>().is_err());
    }
}
