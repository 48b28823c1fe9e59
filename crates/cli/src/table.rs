//! A verdict as a person reads it: rank, name, score, a bar, then the reasoning.
//!
//! Everything here is text to text; whether there is a terminal, how wide it is and whether it may be coloured is
//! decided once, in [`Style::of_stdout`].

use std::env;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Cells of the longest bar.
const BAR_CELLS: usize = 24;
/// The narrowest text worth wrapping.
const MIN_WIDTH: usize = 30;
/// Lines wider than this are tiring to read, however wide the terminal is.
const MAX_WIDTH: usize = 100;

/// What the output may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    /// Columns of a line.
    pub(crate) width: usize,
    /// Whether escape sequences for colours are welcome.
    pub(crate) colour: bool,
}

impl Style {
    /// The style for standard output: its width if it is a terminal, and colours unless `NO_COLOR` is set.
    #[expect(
        clippy::disallowed_methods,
        reason = "NO_COLOR and TERM describe the terminal, and this is the one place that asks about it"
    )]
    pub(crate) fn of_stdout() -> Self {
        let terminal = io::stdout().is_terminal();
        let no_colour = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
        let width = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0));
        Style {
            width: width.clamp(MIN_WIDTH, MAX_WIDTH),
            colour: terminal && !no_colour && !dumb,
        }
    }

    /// `text` in a colour, where colours are welcome.
    pub(crate) fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }
}

/// What is shown of one judged request.
#[derive(Debug)]
pub(crate) struct View<'a> {
    /// Name and score of each response, best first.
    pub(crate) ranked: Vec<(&'a str, f64)>,
    /// What the judge wrote before its verdict.
    pub(crate) reasoning: &'a str,
    /// What had to be repaired to read the reply, a sentence each.
    pub(crate) repairs: Vec<String>,
    /// The last line: model, tokens, time.
    pub(crate) footer: String,
}

/// The table and what follows it, each line ended.
pub(crate) fn render(view: &View<'_>, style: Style) -> String {
    let mut out = String::new();
    let widest = view
        .ranked
        .iter()
        .map(|(name, _)| plain(name).width())
        .max()
        .unwrap_or(0);
    let name_width = widest.clamp(4, (style.width / 3).max(8));
    let bar_cells = style.width.saturating_sub(name_width + 17).clamp(3, BAR_CELLS);
    let header = format!("  rank  {}  score", pad("name", name_width));
    let _ = writeln!(out, "\n{}", style.dim(&header));
    for (index, (name, score)) in view.ranked.iter().enumerate() {
        let name = pad(&shorten(&plain(name), name_width), name_width);
        let name = if index == 0 { style.bold(&name) } else { name };
        let bar = style.paint(colour(*score), &bar(*score, bar_cells));
        let line = format!("  {:>4}  {name}  {:>5}  {bar}", index + 1, show_score(*score));
        let _ = writeln!(out, "{}", line.trim_end());
    }
    if !view.reasoning.trim().is_empty() {
        let _ = writeln!(out);
        for line in view.reasoning.trim().lines() {
            for wrapped in wrap(&plain(line), style.width - 2) {
                let _ = writeln!(out, "{}", format!("  {wrapped}").trim_end());
            }
        }
    }
    let _ = writeln!(out);
    let repairs = view.repairs.iter().map(|repair| format!("repaired: {repair}"));
    for line in repairs.chain([view.footer.clone()]) {
        for wrapped in wrap(&plain(&line), style.width - 2) {
            let _ = writeln!(out, "  {}", style.dim(&wrapped));
        }
    }
    out
}

/// Text that cannot steer a terminal: control characters, which a model may have been talked into writing, are
/// shown as the replacement character. Tabs become spaces.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\t' => ' ',
            '\n' => '\n',
            control if control.is_control() => '\u{fffd}',
            // The marks that reorder text could make one name look like another.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            other => other,
        })
        .collect()
}

/// Breaks text into lines of at most `width` columns: between words, or inside one that is wider than a line.
/// The indentation of the text is kept on its first line.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let body = text.trim_start();
    let mut line: String = text[..text.len() - body.len()].to_owned();
    if line.width() >= width {
        line.clear();
    }
    let mut lines = Vec::new();
    let mut has_word = false;
    for word in body.split_whitespace() {
        if has_word && line.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
            has_word = false;
        }
        if has_word {
            line.push(' ');
        }
        for character in word.chars() {
            if line.width() + character.width().unwrap_or(0) > width && !line.trim().is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.push(character);
        }
        has_word = true;
    }
    if has_word || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// A score from 1 to 5 as a bar of `cells` columns, in eighths of a column.
fn bar(score: f64, cells: usize) -> String {
    const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (score.clamp(0.0, 5.0) / 5.0 * (cells * 8) as f64).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    if let Some(part) = (eighths % 8).checked_sub(1) {
        bar.push(EIGHTHS[part]);
    }
    bar
}

fn colour(score: f64) -> &'static str {
    match score {
        high if high >= 3.5 => "32",
        middle if middle >= 2.5 => "33",
        _ => "31",
    }
}

/// A score with as many digits as it needs, at most two.
fn show_score(score: f64) -> String {
    let text = format!("{score:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Fills `text` with spaces up to `width` columns.
pub(crate) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// Cuts `text` to `width` columns, with an ellipsis where something is lost.
pub(crate) fn shorten(text: &str, width: usize) -> String {
    let text = text.replace('\n', " ");
    if text.width() <= width {
        return text;
    }
    let mut short = String::new();
    for character in text.chars() {
        if short.width() + character.width().unwrap_or(0) + 1 > width {
            break;
        }
        short.push(character);
    }
    short + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style {
        width: 60,
        colour: false,
    };

    fn view<'a>(ranked: Vec<(&'a str, f64)>, reasoning: &'a str) -> View<'a> {
        View {
            ranked,
            reasoning,
            repairs: Vec::new(),
            footer: "nano".to_owned(),
        }
    }

    #[test]
    fn a_verdict_is_a_table_and_its_reasoning() {
        let shown = render(
            &view(
                vec![("short", 5.0), ("long answer", 2.5)],
                "Asked for: few words.",
            ),
            PLAIN,
        );
        let expect = "
  rank  name         score
     1  short            5  ████████████████████████
     2  long answer    2.5  ████████████

  Asked for: few words.

  nano
";
        assert_eq!(shown, expect);
    }

    #[test]
    fn wide_characters_keep_the_columns() {
        let shown = render(&view(vec![("日本語", 4.0), ("ab", 1.0)], ""), PLAIN);
        let starts: Vec<_> = shown
            .lines()
            .filter_map(|line| line.find('█').map(|at| line[..at].width()))
            .collect();
        assert_eq!(starts.len(), 2);
        assert_eq!(starts[0], starts[1], "{shown}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let long = "word ".repeat(50) + &"x".repeat(200) + "\n    indented " + &"語".repeat(90);
        let name = "n".repeat(80);
        for width in [MIN_WIDTH, 44, 100] {
            let mut view = view(vec![(name.as_str(), 5.0), ("b", 1.0)], &long);
            view.repairs = vec![long.clone()];
            for line in render(&view, Style { width, colour: false }).lines() {
                assert!(line.width() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn wrapping_loses_no_word() {
        let check =
            |text: &str, width: usize, expect: &[&str]| assert_eq!(wrap(text, width), expect, "{text}");
        check("", 10, &[""]);
        check("one two three", 7, &["one two", "three"]);
        check("abcdefgh", 3, &["abc", "def", "gh"]);
        check("a bcdefgh", 4, &["a", "bcde", "fgh"]);
        check("  - point one", 9, &["  - point", "one"]);
        check("語語語", 4, &["語語", "語"]);
    }

    #[test]
    fn a_reply_cannot_steer_the_terminal() {
        let shown = render(
            &view(vec![("a\u{1b}[2J", 5.0)], "red \u{1b}[31m \u{202e}txt\u{7}\rover"),
            PLAIN,
        );
        assert!(
            !shown
                .chars()
                .any(|character| character.is_control() && character != '\n'),
            "{shown:?}"
        );
        assert!(!shown.contains('\u{202e}'));
    }

    #[test]
    fn colours_come_only_when_asked_for() {
        let view = view(vec![("a", 5.0)], "why");
        assert!(!render(&view, PLAIN).contains('\u{1b}'));
        assert!(
            render(
                &view,
                Style {
                    colour: true,
                    ..PLAIN
                }
            )
            .contains("\u{1b}[32m")
        );
    }

    #[test]
    fn bars_grow_with_the_score() {
        let check = |score: f64, expect: &str| assert_eq!(bar(score, 5), expect, "{score}");
        check(5.0, "█████");
        check(1.0, "█");
        check(2.5, "██▌");
        check(9.0, "█████");
        check(f64::NAN, "");
    }
}
