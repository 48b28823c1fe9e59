//! Comma-separated values, as RFC 4180 has them: what spreadsheets read and write.

use anyhow::{Result, bail};

/// A row as a line. A field that a spreadsheet would take for a formula gets an apostrophe in front: responses come
/// from models, and a table of them must not compute.
pub(crate) fn line(fields: &[&str]) -> String {
    let quoted: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    quoted.join(",") + "\r\n"
}

const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A field without the apostrophe that [`line()`] puts before formulas.
pub(crate) fn plain(field: &str) -> &str {
    match field.strip_prefix('\'') {
        Some(rest) if rest.starts_with(FORMULA) => rest,
        _ => field,
    }
}

fn quoted(field: &str) -> String {
    let field = if field.starts_with(FORMULA) {
        format!("'{field}")
    } else {
        field.to_owned()
    };
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field
    }
}

/// The rows of a table, the first of them the names of the columns. Commas or semicolons, as the first line has them.
///
/// # Errors
/// A quotation mark is never closed, or stands inside a field without quotation marks.
pub(crate) fn rows(text: &str) -> Result<Vec<Vec<String>>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let head = text.lines().next().unwrap_or_default();
    let separator = if head.contains(';') && !head.contains(',') {
        ';'
    } else {
        ','
    };
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut field = String::new();
    let mut characters = text.chars().peekable();
    let mut started = false;
    while let Some(character) = characters.next() {
        match character {
            '"' if field.is_empty() && !started => {
                started = true;
                loop {
                    match characters.next() {
                        None => bail!("a quotation mark in row {} is never closed", rows.len() + 1),
                        Some('"') if characters.peek() == Some(&'"') => {
                            characters.next();
                            field.push('"');
                        }
                        Some('"') => break,
                        Some(other) => field.push(other),
                    }
                }
            }
            '"' => bail!("a quotation mark stands inside a field of row {}", rows.len() + 1),
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
                started = false;
            }
            other if other == separator => {
                row.push(std::mem::take(&mut field));
                started = false;
            }
            other => {
                started = true;
                field.push(other);
            }
        }
    }
    if !field.is_empty() || !row.is_empty() {
        row.push(field);
        rows.push(row);
    }
    rows.retain(|row| row.iter().any(|field| !field.is_empty()));
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let fields = ["plain", "a,b", "say \"hi\"", "two\nlines", "", "ä;ö"];
        let text = line(&["x", "y", "z", "u", "v", "w"]) + &line(&fields);
        assert_eq!(rows(&text).expect("a table")[1], fields);
        assert_eq!(
            rows("a;b\n1;\"2;3\"\n\n").expect("a table"),
            [vec!["a", "b"], vec!["1", "2;3"]]
        );
        assert_eq!(
            rows("\u{feff}a,b\r\n1,2").expect("a table"),
            [vec!["a", "b"], vec!["1", "2"]]
        );
        assert!(rows("a,\"b").is_err() && rows("a,b\"c").is_err());
    }

    #[test]
    fn no_field_is_a_formula() {
        assert_eq!(line(&["=1+1", "@x", "-5", "fine"]), "'=1+1,'@x,'-5,fine\r\n");
        assert_eq!(
            ["'=1+1", "=1+1", "'tis", "'"].map(plain),
            ["=1+1", "=1+1", "'tis", "'"]
        );
    }
}
