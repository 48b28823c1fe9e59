//! A tolerant reader of JSON objects as models write them.
//!
//! It reads strict JSON as every other reader does. Beyond that it takes what can be understood in one way only:
//! commas too many or missing, single and typographic quotes (with apostrophes inside), bare words, comments, raw line
//! breaks in strings. It never rewrites the text first, so an apostrophe can't turn into a quote.

use crate::repair::Repair;

/// Deeper nesting is no verdict; the limit keeps recursion off the end of the stack.
const MAX_DEPTH: usize = 32;

/// The longest word without quotes, in bytes; longer ones are prose.
const MAX_WORD: usize = 64;

/// A value as written. Keys keep their order and may repeat.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// Always finite.
    Number(f64),
    /// Anything else without quotes: `NaN`, `4/5`, `model-1`.
    Word(String),
    Text(String),
    List(Vec<Value>),
    Object(Entries),
}

/// The entries of an object, in the order written.
pub(super) type Entries = Vec<(String, Value)>;

impl Value {
    /// A few words for an error message.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Word(word) => word.clone(),
            Self::Text(text) if text.chars().count() > 40 => {
                format!("{:?}...", text.chars().take(40).collect::<String>())
            }
            Self::Text(text) => format!("{text:?}"),
            Self::List(items) => format!("a list of {}", items.len()),
            Self::Object(entries) => format!("an object of {}", entries.len()),
        }
    }
}

/// Why reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The text ended first.
    End,
    /// What stands here can't be read.
    Syntax,
}

/// What was read from an opening brace on.
#[derive(Debug)]
pub(super) struct Found {
    /// The entries that were complete.
    pub(super) entries: Entries,
    /// Where reading went on to: after the closing brace or, with a fault, after the last complete entry.
    pub(super) end: usize,
    /// How far the reader looked, for the bill.
    pub(super) looked: usize,
    /// `None` when the object was closed.
    pub(super) fault: Option<Fault>,
    /// What was tolerated on the way.
    pub(super) repairs: Vec<Repair>,
}

/// Reads the object whose opening brace is at byte `start` of `text`.
pub(super) fn read_object(text: &str, start: usize) -> Found {
    let mut reader = Reader {
        text,
        at: start,
        repairs: Vec::new(),
    };
    let mut entries = Vec::new();
    let mut end = start + 1;
    let fault = reader.object(0, &mut entries, &mut end).err();
    if fault.is_none() {
        end = reader.at;
    }
    Found {
        entries,
        end,
        looked: reader.at - start,
        fault,
        repairs: reader.repairs,
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    repairs: Vec<Repair>,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self, c: char) {
        self.at += c.len_utf8();
    }

    /// Notes a repair once; only repairs without data come here, so the list stays short.
    fn note(&mut self, repair: Repair) {
        if !self.repairs.contains(&repair) {
            self.repairs.push(repair);
        }
    }

    /// Skips white space and comments.
    fn trivia(&mut self) -> Result<(), Fault> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            let rest = &rest[blank..];
            let comment = if rest.starts_with("//") {
                rest.find('\n')
            } else if rest.starts_with("/*") {
                rest.find("*/").map(|length| length + 2)
            } else {
                self.at += blank;
                return Ok(());
            };
            let Some(comment) = comment else {
                self.at = self.text.len();
                return Err(Fault::End);
            };
            self.at += blank + comment;
            self.note(Repair::Comment);
        }
    }

    /// Reads `open entry, entry, ... close`. `entry` is called at the first character of each.
    fn sequence(
        &mut self,
        close: char,
        mut entry: impl FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let (mut after_value, mut after_comma) = (false, false);
        loop {
            self.trivia()?;
            let c = self.peek().ok_or(Fault::End)?;
            if c == close {
                self.bump(c);
                if after_comma {
                    self.note(Repair::TrailingComma);
                }
                return Ok(());
            }
            if c == ',' {
                self.bump(c);
                if !after_value {
                    self.note(Repair::TrailingComma);
                }
                (after_value, after_comma) = (false, true);
                continue;
            }
            let missing_comma = after_value;
            entry(self)?;
            if missing_comma {
                self.note(Repair::MissingComma);
            }
            (after_value, after_comma) = (true, false);
        }
    }

    /// Reads from the opening brace to the closing one; `end` follows the complete entries.
    fn object(&mut self, depth: usize, entries: &mut Entries, end: &mut usize) -> Result<(), Fault> {
        self.bump('{');
        self.sequence('}', |reader| {
            let key = reader.key()?;
            reader.trivia()?;
            match reader.peek().ok_or(Fault::End)? {
                ':' => reader.bump(':'),
                _ => return Err(Fault::Syntax),
            }
            reader.trivia()?;
            let value = reader.value(depth + 1)?;
            entries.push((key, value));
            *end = reader.at;
            Ok(())
        })
    }

    fn key(&mut self) -> Result<String, Fault> {
        if let Some(text) = self.string()? {
            return Ok(text);
        }
        let key = self.word()?.to_owned();
        self.note(Repair::BareWord);
        Ok(key)
    }

    fn value(&mut self, depth: usize) -> Result<Value, Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::Syntax);
        }
        match self.peek().ok_or(Fault::End)? {
            '{' => {
                let mut entries = Vec::new();
                self.object(depth, &mut entries, &mut 0)?;
                Ok(Value::Object(entries))
            }
            '[' => {
                self.bump('[');
                let mut items = Vec::new();
                self.sequence(']', |reader| {
                    items.push(reader.value(depth + 1)?);
                    Ok(())
                })?;
                Ok(Value::List(items))
            }
            _ => match self.string()? {
                Some(text) => Ok(Value::Text(text)),
                None => self.bare(),
            },
        }
    }

    /// A number, a literal, or another word without quotes.
    fn bare(&mut self) -> Result<Value, Fault> {
        let word = self.word()?;
        let value = match word {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => number(word).map_or_else(|| Value::Word(word.to_owned()), Value::Number),
        };
        if matches!(value, Value::Word(_)) {
            self.note(Repair::BareWord);
        }
        Ok(value)
    }

    /// The characters up to the next mark of structure, without white space around them.
    fn word(&mut self) -> Result<&str, Fault> {
        let rest = &self.text[self.at..];
        let stop = rest
            .char_indices()
            .find(|&(i, c)| {
                matches!(
                    c,
                    ',' | ':' | '{' | '}' | '[' | ']' | '"' | '\'' | '“' | '”' | '‘' | '\n' | '\r'
                ) || rest[i..].starts_with("//")
                    || rest[i..].starts_with("/*")
                    || i > MAX_WORD
            })
            .map(|(i, _)| i)
            .ok_or(Fault::End)?;
        let word = rest[..stop].trim_end();
        if stop > MAX_WORD
            || !word.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '.'))
        {
            return Err(Fault::Syntax);
        }
        self.at += word.len();
        Ok(word)
    }

    /// A string in any kind of quotes, or `None` where none begins.
    fn string(&mut self) -> Result<Option<String>, Fault> {
        let (open, closers, repair): (char, &[char], Option<Repair>) = match self.peek() {
            Some('"') => ('"', &['"'], None),
            Some('\'') => ('\'', &['\''], Some(Repair::SingleQuotes)),
            Some(c @ ('“' | '”' | '„')) => (c, &['”', '“', '"'], Some(Repair::TypographicQuotes)),
            Some(c @ ('‘' | '’')) => (c, &['’', '\''], Some(Repair::TypographicQuotes)),
            _ => return Ok(None),
        };
        self.bump(open);
        let mut out = String::new();
        loop {
            let c = self.peek().ok_or(Fault::End)?;
            self.bump(c);
            match c {
                '\\' => self.escape(&mut out)?,
                // An apostrophe inside a word is followed by a letter, a closing quote by a mark of structure.
                _ if closers.contains(&c) && (c == '"' || self.at_structure()) => break,
                _ => {
                    if c < ' ' {
                        self.note(Repair::LooseString);
                    }
                    out.push(c);
                }
            }
        }
        if let Some(repair) = repair {
            self.note(repair);
        }
        Ok(Some(out))
    }

    fn at_structure(&self) -> bool {
        self.rest()
            .trim_start()
            .chars()
            .next()
            .is_none_or(|c| matches!(c, ',' | ':' | '}' | ']'))
    }

    /// Reads what follows a backslash.
    fn escape(&mut self, out: &mut String) -> Result<(), Fault> {
        let c = self.peek().ok_or(Fault::End)?;
        self.bump(c);
        match c {
            '"' | '\\' | '/' => out.push(c),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'u' => {
                let c = self.unicode_escape();
                if c.is_none() {
                    self.note(Repair::LooseString);
                }
                out.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            _ => {
                self.note(Repair::LooseString);
                out.push(c);
            }
        }
        Ok(())
    }

    /// Four hexadecimal digits, or twice four for a surrogate pair.
    fn unicode_escape(&mut self) -> Option<char> {
        let first = self.four_digits()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        let before_second = self.at;
        let second = self.rest().starts_with("\\u").then(|| {
            self.at += 2;
            self.four_digits()
        });
        match second.flatten() {
            Some(second) if (0xdc00..0xe000).contains(&second) => {
                char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
            }
            _ => {
                self.at = before_second;
                None
            }
        }
    }

    fn four_digits(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}

/// A finite number in digits; `nan` and `inf`, which the standard library would take, are words.
pub(super) fn number(text: &str) -> Option<f64> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    text.parse::<f64>()
        .ok()
        .filter(|value| plain && value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads an object into compact text, with what was tolerated.
    fn show(value: &Value) -> String {
        match value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(value) => value.to_string(),
            Value::Word(word) => format!("<{word}>"),
            Value::Text(text) => format!("{text:?}"),
            Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(",")),
            Value::Object(entries) => show_entries(entries),
        }
    }

    fn show_entries(entries: &Entries) -> String {
        let parts: Vec<String> = entries
            .iter()
            .map(|(key, value)| format!("{key}:{}", show(value)))
            .collect();
        format!("{{{}}}", parts.join(","))
    }

    fn check(text: &str, expect: &str, repairs: &[Repair]) {
        let found = read_object(text, 0);
        assert_eq!(found.fault, None, "{text}");
        assert_eq!(
            (show_entries(&found.entries).as_str(), found.end),
            (expect, text.len()),
            "{text}"
        );
        assert_eq!(found.repairs, repairs, "{text}");
    }

    #[test]
    fn strict_json_is_read_without_repairs() {
        check(r#"{}"#, "{}", &[]);
        check(
            r#"{"a": [1, -2.5e1, true, false, null], "b": {"c": "d"}}"#,
            "{a:[1,-25,true,false,null],b:{c:\"d\"}}",
            &[],
        );
        check(
            r#"{"a": "\"\\\/\b\f\n\r\té\ud83d\ude00"}"#,
            "{a:\"\\\"\\\\/\\u{8}\\u{c}\\n\\r\\té😀\"}",
            &[],
        );
        check("{\n\t\"a\" :\r\n1 }", "{a:1}", &[]);
        check(r#"{"a": 1, "a": 2}"#, "{a:1,a:2}", &[]);
    }

    #[test]
    fn slips_with_one_reading_are_tolerated() {
        check(r#"{"a": 1,}"#, "{a:1}", &[Repair::TrailingComma]);
        check(r#"{"a": [1,,2,], }"#, "{a:[1,2]}", &[Repair::TrailingComma]);
        check(
            "{\"a\": 1\n\"b\": [1 \"x\"]}",
            "{a:1,b:[1,\"x\"]}",
            &[Repair::MissingComma],
        );
        check(
            "{a: model-1, b: NaN, c: 4/5}",
            "{a:<model-1>,b:<NaN>,c:<4/5>}",
            &[Repair::BareWord],
        );
        check(
            "{\"a\": 4, // good\n/* so */ \"b\": 2 // bad\n}",
            "{a:4,b:2}",
            &[Repair::Comment],
        );
        check("{\"a\": \"x\ny\"}", "{a:\"x\\ny\"}", &[Repair::LooseString]);
        check(r#"{"a": "it\'s"}"#, "{a:\"it's\"}", &[Repair::LooseString]);
        check(r#"{"a": "\ud800!"}"#, "{a:\"\u{fffd}!\"}", &[Repair::LooseString]);
        check("{“a”: ‘it’s’}", "{a:\"it’s\"}", &[Repair::TypographicQuotes]);
    }

    #[test]
    fn apostrophes_stay_apostrophes() {
        let single = [Repair::SingleQuotes];
        check("{'bob's': 4}", "{bob's:4}", &single);
        check(
            "{'a': 'it's the writers' choice', 'b': 1}",
            "{a:\"it's the writers' choice\",b:1}",
            &single,
        );
        check("{\"bob's\": 4}", "{bob's:4}", &[]);
        check(r#"{'a': 'say "hi"'}"#, "{a:\"say \\\"hi\\\"\"}", &single);
    }

    #[test]
    fn faults_keep_the_complete_entries() {
        let check = |text: &str, fault: Fault, entries: &str, end: usize| {
            let found = read_object(text, 0);
            assert_eq!(found.fault, Some(fault), "{text}");
            assert_eq!(
                (show_entries(&found.entries).as_str(), found.end),
                (entries, end),
                "{text}"
            );
        };
        check(r#"{"a": {"b": 1}, "c": {"d": 2"#, Fault::End, "{a:{b:1}}", 14);
        check(r#"{"a": "b"#, Fault::End, "{}", 1);
        check(r#"{"a": 12"#, Fault::End, "{}", 1);
        check(r#"{"a" 1}"#, Fault::Syntax, "{}", 1);
        check("{x}", Fault::Syntax, "{}", 1);
        check("{{}}", Fault::Syntax, "{}", 1);
        check(r#"{"a": 1]"#, Fault::Syntax, "{a:1}", 7);
        check(r#"{"a": 1, /* "#, Fault::End, "{a:1}", 7);
        check(
            &format!("{{a: {}", "x".repeat(MAX_WORD + 9)),
            Fault::Syntax,
            "{}",
            1,
        );
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested = |depth: usize| format!("{{\"a\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(read_object(&nested(MAX_DEPTH), 0).fault, None);
        assert_eq!(read_object(&nested(MAX_DEPTH + 1), 0).fault, Some(Fault::Syntax));
        assert_eq!(
            read_object(&"{\"a\":".repeat(100_000), 0).fault,
            Some(Fault::Syntax)
        );
    }

    #[test]
    fn only_finite_digits_are_numbers() {
        let check = |text: &str, expect: Option<f64>| assert_eq!(number(text), expect, "{text}");
        check("4", Some(4.0));
        check("-0.5", Some(-0.5));
        check("1e2", Some(100.0));
        for text in [
            "NaN",
            "nan",
            "inf",
            "-Infinity",
            "1e999",
            "4/5",
            "",
            "0x4",
            "four",
        ] {
            check(text, None);
        }
    }
}
