//! Runs as text: a head with the progress, then a line for each curve.

use std::fmt::Write as _;
use std::time::SystemTime;

use rewardanything_train::watch::{CurveSummary, Group, Run, State, group};
use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use super::state_shown;
use crate::table::{Style, pad, plain, shorten};

/// Curves of a run that are shown where nobody asks for all.
pub(super) const ROWS: usize = 18;
/// Cells of the longest sparkline.
const SPARK_CELLS: usize = 40;
/// The widest name of a curve.
const NAME_WIDTH: usize = 26;

/// [`render`] with so few curves that it fits `height` lines, where that can be.
pub(super) fn fitted(runs: &[Run], now: SystemTime, style: Style, (rows, height): (usize, usize)) -> String {
    let most = rows.min(height);
    for rows in (1..=most).rev() {
        let shown = render(runs, now, style, rows);
        if shown.lines().count() <= height {
            return shown;
        }
    }
    // Even the heads are too many: the first lines, rather than a mess.
    render(runs, now, style, 0)
        .lines()
        .take(height)
        .map(|line| format!("{line}\n"))
        .collect()
}

/// The view of all runs, `rows` curves of each at most, each line ended.
pub(super) fn render(runs: &[Run], now: SystemTime, style: Style, rows: usize) -> String {
    let mut out = String::new();
    for run in runs {
        head(&mut out, run, now, style);
        curves(&mut out, run, style, rows);
        if rows > 0
            && let Some(sample) = run.samples().next_back()
        {
            let text = format!("  newest sample  {}", gist(sample));
            let _ = writeln!(out, "{}", style.paint("2", &shorten(&plain(&text), style.width)));
        }
    }
    out
}

/// A run in one line, for logs.
pub(super) fn line(run: &Run, now: SystemTime) -> String {
    let mut parts = vec![plain(run.name()), progress(run), run.state(now).word().to_owned()];
    for name in chosen(run).into_iter().take(4) {
        let curves = run.curves();
        if let Some(summary) = CurveSummary::new(curves.steps(), curves.values(name).unwrap_or_default()) {
            parts.push(format!("{} {}", plain(name), number(summary.last)));
        }
    }
    parts.extend(left(run, now));
    parts.join("  ")
}

fn head(out: &mut String, run: &Run, now: SystemTime, style: Style) {
    let (word, colour) = state_shown(run.state(now));
    let kind = run.note().map(|note| plain(&note.kind)).unwrap_or_default();
    let name = shorten(&plain(run.name()), style.width.saturating_sub(20).max(10));
    let state = match (run.state(now), run.quiet(now)) {
        (State::Silent, Some(quiet)) => format!("{word} for {}", duration(quiet.as_secs_f64())),
        _ => word.to_owned(),
    };
    let mut title = format!("{}  {}", style.paint("1", &name), style.paint(colour, &state));
    if !kind.is_empty() && name.width() + state.width() + kind.width() + 4 <= style.width {
        let _ = write!(title, "  {}", style.paint("2", &kind));
    }
    let _ = writeln!(out, "{title}");
    let mut facts = vec![progress(run)];
    if let Some(seconds) = run.seconds_per_step() {
        facts.push(format!("{} s a step", number(seconds)));
    }
    facts.extend(left(run, now));
    if run.unreadable() > 0 {
        facts.push(format!("unreadable lines: {}", run.unreadable()));
    }
    let facts = facts.join(" · ");
    // Two spaces before the facts, two before the bar, five after it for the percentage.
    let room = style.width.saturating_sub(facts.width() + 9);
    let bar = match run.steps() {
        Some(steps) if steps > 0 && room >= 8 => {
            let share = run.done() as f64 / steps as f64;
            format!("  {}", bar(share, room.min(24)))
        }
        _ => String::new(),
    };
    let _ = writeln!(out, "{}", shorten(&format!("  {facts}{bar}"), style.width));
}

fn curves(out: &mut String, run: &Run, style: Style, rows: usize) {
    let curves = run.curves();
    // With no limit all are shown; else those that say whether and how it learns.
    let names = if rows == usize::MAX {
        curves.names()
    } else {
        chosen(run)
    };
    let summaries: Vec<(&str, CurveSummary)> = names
        .iter()
        .filter_map(|name| {
            let summary = CurveSummary::new(curves.steps(), curves.values(name)?)?;
            Some((*name, summary))
        })
        .collect();
    let name_width = summaries
        .iter()
        .take(rows)
        .map(|(name, _)| plain(name).width())
        .max()
        .unwrap_or(0)
        .min(NAME_WIDTH);
    // Name, last value and the two extremes with their gaps.
    let cells = style
        .width
        .saturating_sub(2 + name_width + 2 + 9 + 2 + 2 + 20)
        .min(SPARK_CELLS);
    for (name, summary) in summaries.iter().take(rows) {
        let spark = if cells >= 4 {
            let values = curves.values(name).unwrap_or_default();
            format!("  {}", style.paint("36", &pad(&spark(values, cells), cells)))
        } else {
            String::new()
        };
        let name = pad(&shorten(&plain(name), name_width), name_width);
        let last = style.paint("1", &format!("{:>9}", number(summary.last)));
        let extremes = format!("{} to {}", number(summary.least), number(summary.most));
        let _ = writeln!(out, "  {name}  {last}{spark}  {}", style.paint("2", &extremes));
    }
    let hidden = summaries.len().saturating_sub(rows) + (curves.names().len() - names.len());
    if hidden > 0 && rows > 0 {
        let text = format!("  and {hidden} more: --all or --page shows them");
        let _ = writeln!(out, "{}", style.paint("2", &text));
    }
}

/// The curves that are shown by themselves: all but what a step costs.
fn chosen(run: &Run) -> Vec<&str> {
    run.curves()
        .names()
        .into_iter()
        .filter(|name| {
            group(name.split('.').next().unwrap_or(name)).0 != Group::Cost
                || name.ends_with("tokens_per_second")
        })
        .collect()
}

fn progress(run: &Run) -> String {
    match (run.done(), run.steps()) {
        (0, _) => "no step yet".to_owned(),
        (done, Some(steps)) => format!("step {} of {}", whole(done), whole(steps)),
        (done, None) => format!("step {}", whole(done)),
    }
}

/// How long it will go on; nobody knows while nothing comes.
fn left(run: &Run, now: SystemTime) -> Option<String> {
    let seconds = run.seconds_left(now)?;
    (run.state(now) == State::Running).then(|| format!("about {} left", duration(seconds)))
}

/// What a sample is about, in a line.
fn gist(sample: &Value) -> String {
    let text = ["principle", "prompt", "text"]
        .iter()
        .find_map(|key| sample.get(*key)?.as_str())
        .unwrap_or_default();
    let reward = sample
        .get("reward")
        .and_then(|reward| reward.as_f64().or_else(|| reward.get("total")?.as_f64()))
        .map(|reward| format!("reward {}: ", number(reward)));
    reward.unwrap_or_default() + text
}

/// Means of consecutive values in `cells` columns, from the least to the greatest of them; a gap is a space.
fn spark(values: &[f64], cells: usize) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let cells = cells.min(values.len());
    let means: Vec<Option<f64>> = (0..cells)
        .map(|cell| {
            let part = &values[cell * values.len() / cells..(cell + 1) * values.len() / cells];
            let finite: Vec<f64> = part.iter().copied().filter(|value| value.is_finite()).collect();
            (!finite.is_empty()).then(|| finite.iter().sum::<f64>() / finite.len() as f64)
        })
        .collect();
    let known = || means.iter().flatten().copied();
    let (least, most) = (
        known().fold(f64::INFINITY, f64::min),
        known().fold(f64::NEG_INFINITY, f64::max),
    );
    let level = |mean: f64| {
        if most > least {
            LEVELS[((mean - least) / (most - least) * 7.0).round() as usize]
        } else {
            LEVELS[0]
        }
    };
    means.into_iter().map(|mean| mean.map_or(' ', level)).collect()
}

fn bar(share: f64, cells: usize) -> String {
    let full = (share.clamp(0.0, 1.0) * cells as f64).floor() as usize;
    let percent = format!(" {:.0}%", (share * 100.0).floor());
    format!("{}{}{percent}", "█".repeat(full), "░".repeat(cells - full))
}

/// Four digits, or as many as a whole number of thousands needs.
fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e7).contains(&size) {
        format!("{value:.2e}")
    } else if size >= 1000.0 {
        let text = whole(size.round() as usize);
        if value < 0.0 { format!("-{text}") } else { text }
    } else {
        let digits = 3 - size.log10().floor() as i32;
        let text = format!("{value:.*}", digits.max(0) as usize);
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    }
}

/// A whole number with its thousands apart.
fn whole(value: usize) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn duration(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    match minutes {
        _ if seconds < 90.0 => format!("{seconds:.0} s"),
        0..90 => format!("{minutes} min"),
        90..2880 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ => format!("{} days", (minutes + 720) / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::now;
    use std::fs;
    use std::path::Path;

    const PLAIN: Style = Style {
        width: 80,
        colour: false,
    };

    fn written(folder: &Path, lines: &[&str]) -> Run {
        fs::write(folder.join("metrics.jsonl"), lines.join("\n") + "\n").expect("metrics");
        Run::open(folder).expect("a run")
    }

    #[test]
    fn numbers_are_short() {
        let check = |value: f64, expect: &str| assert_eq!(number(value), expect, "{value}");
        check(0.0, "0");
        check(0.123_456, "0.1235");
        check(-2.5, "-2.5");
        check(999.96, "1000");
        check(12_345.6, "12,346");
        check(-1234.0, "-1,234");
        check(0.000_012_34, "1.23e-5");
        check(4.2e9, "4.20e9");
    }

    #[test]
    fn durations_are_rough() {
        let check = |seconds: f64, expect: &str| assert_eq!(duration(seconds), expect, "{seconds}");
        check(7.4, "7 s");
        check(100.0, "2 min");
        check(5_400.0, "1 h 30 min");
        check(200_000.0, "2 days");
    }

    #[test]
    fn sparklines_span_their_own_range() {
        let check =
            |values: &[f64], cells, expect: &str| assert_eq!(spark(values, cells), expect, "{values:?}");
        check(&[0.0, 1.0, 2.0, 7.0], 8, "▁▂▃█");
        check(&[0.0, 0.0, 7.0, 7.0], 2, "▁█");
        check(&[3.0, f64::NAN, 3.0], 3, "▁ ▁");
        check(&[], 4, "");
        check(&[f64::NAN], 4, " ");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let lines: Vec<String> = (0..100)
            .map(|step| {
                format!(
                    r#"{{"step":{step},"loss":-12345.678e-9,"reward_of_a_very_long_name_indeed":{{"part":-12345.6}},"seconds":1.5}}"#
                )
            })
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        fs::write(folder.path().join("run.json"), r#"{"kind":"sft","steps":100000}"#).expect("a note");
        fs::write(
            folder.path().join("samples.jsonl"),
            format!("{{\"step\":1,\"principle\":\"{}\"}}\n", "long ".repeat(60)),
        )
        .expect("samples");
        let run = written(folder.path(), &lines);
        for width in [30, 44, 80, 100] {
            let shown = render(std::slice::from_ref(&run), now(), Style { width, ..PLAIN }, 14);
            for line in shown.lines() {
                // Numbers are not cut; names and sparklines give way to them.
                assert!(line.width() <= width.max(62), "{width}: {line}");
            }
        }
    }

    #[test]
    fn a_view_fits_its_terminal() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let line = r#"{"step":0,"loss":1,"reward":{"a":1,"b":2,"c":3,"d":4},"kl":1,"entropy":2}"#;
        let run = written(folder.path(), &[line]);
        for height in 1..14 {
            let shown = fitted(std::slice::from_ref(&run), now(), PLAIN, (14, height));
            assert!(shown.lines().count() <= height, "{height}:\n{shown}");
        }
        let shown = fitted(std::slice::from_ref(&run), now(), PLAIN, (14, 5));
        assert!(shown.contains("and 5 more"), "{shown}");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        fs::write(
            folder.path().join("samples.jsonl"),
            "{\"step\":0,\"principle\":\"\\u001b[2J\",\"reward\":0.5}\n",
        )
        .expect("samples");
        let run = written(folder.path(), &["{\"step\":0,\"lo\\u001b[2Jss\":1}"]);
        let now = now();
        let shown = render(std::slice::from_ref(&run), now, PLAIN, 14) + &line(&run, now);
        assert!(shown.contains("newest sample  reward 0.5: "), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
}
