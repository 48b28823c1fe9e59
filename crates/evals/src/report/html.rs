//! Reports as one page that needs nothing else: no script, no font, no network. Light and dark as the reader has it.

use super::chart;
use super::markdown::p_value;
use super::{Comparison, RunReport, Worst, shown, shown_counts, shown_interval};
use crate::statistic::Measured;

const STYLE: &str = include_str!("page.css");

/// Runs side by side, each in full, and what distinguishes them.
pub fn page(reports: &[RunReport], comparisons: &[Comparison]) -> String {
    let title = match reports {
        [one] => format!("{} by {}", one.benchmark, one.model),
        _ => format!("{} runs", reports.len()),
    };
    let title = escaped(&title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    if reports.len() > 1 {
        out.push_str(&leaderboards(reports));
    }
    for comparison in comparisons {
        out.push_str(&compared(comparison));
    }
    for report in reports {
        out.push_str(&run(report, reports.len() > 1));
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn leaderboards(reports: &[RunReport]) -> String {
    let mut benchmarks: Vec<&str> = reports.iter().map(|report| report.benchmark.as_str()).collect();
    benchmarks.sort_unstable();
    benchmarks.dedup();
    let mut out = String::new();
    for benchmark in benchmarks {
        let mut rows: Vec<&RunReport> = reports
            .iter()
            .filter(|report| report.benchmark == benchmark)
            .collect();
        let headline = |report: &RunReport| {
            report
                .figures
                .first()
                .map_or(f64::NEG_INFINITY, |figure| figure.value)
        };
        rows.sort_by(|a, b| headline(b).total_cmp(&headline(a)));
        let name = rows
            .first()
            .and_then(|report| report.figures.first())
            .map_or("", |figure| &figure.name);
        out.push_str(&format!("<h2>{}: {}</h2>\n", escaped(benchmark), escaped(name)));
        let bars: Vec<Measured> = rows
            .iter()
            .filter_map(|report| {
                Some(Measured {
                    name: format!("{} ({})", report.run, report.model),
                    ..report.figures.first()?.clone()
                })
            })
            .collect();
        out.push_str(&chart::bars(&bars));
        out.push_str(&figures(&bars));
    }
    out
}

fn run(report: &RunReport, among_several: bool) -> String {
    let mut out = String::new();
    if among_several {
        out.push_str(&format!(
            "<h2>{}: {} by {}</h2>\n",
            escaped(&report.run),
            escaped(&report.benchmark),
            escaped(&report.model)
        ));
    }
    out.push_str(&format!("<p>{}.</p>\n", escaped(&shown_counts(&report.counts))));
    out.push_str(&chart::bars(&report.figures));
    out.push_str(&figures(&report.figures));
    if let Some(agreement) = report.position_agreement {
        out.push_str(&format!(
            "<p>Several runs over one item order {:.1}% of pairs alike.</p>\n",
            agreement * 100.0
        ));
    }
    for breakdown in &report.breakdowns {
        out.push_str(&format!("<h3>By {}</h3>\n", escaped(&breakdown.by)));
        // Beyond a few dozen parts a drawing says less than the table.
        if breakdown.figures.len() <= 40 {
            out.push_str(&chart::bars(&breakdown.figures));
        }
        out.push_str(&format!(
            "<details><summary>as a table</summary>{}</details>\n",
            figures(&breakdown.figures)
        ));
    }
    if let Some(calibration) = &report.calibration {
        out.push_str(&format!(
            "<h3>Calibration</h3>\n<p>Expected calibration error {:.3} over {} pairs.</p>\n{}",
            calibration.error,
            calibration.pairs,
            chart::reliability(calibration)
        ));
    }
    if !report.worst.is_empty() {
        out.push_str("<h3>Items that went most wrong</h3>\n");
        out.extend(report.worst.iter().map(worst));
    }
    out.push_str("<h3>How it was measured</h3>\n<dl>\n");
    for (name, value) in &report.settings {
        out.push_str(&format!(
            "<dt>{}</dt><dd>{}</dd>\n",
            escaped(name),
            escaped(value)
        ));
    }
    out.push_str(&format!(
        "<dt>cost</dt><dd>{} tokens read, {} written, {:.1} s</dd>\n</dl>\n<p>Intervals: 95%, bootstrap over items.</p>\n",
        report.cost.prompt_tokens, report.cost.completion_tokens, report.cost.seconds
    ));
    if !report.command.is_empty() {
        out.push_str(&format!("<pre>{}</pre>\n", escaped(&report.command)));
    }
    out
}

fn figures(figures: &[Measured]) -> String {
    let mut out = "<div class=\"wide\"><table>\n<tr><th>figure</th><th>value</th><th>95% interval</th><th>items</th></tr>\n"
        .to_owned();
    for figure in figures {
        out.push_str(&format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            escaped(&figure.name),
            shown(figure.value, figure.unit),
            shown_interval(figure.interval, figure.unit),
            figure.items
        ));
    }
    out.push_str("</table></div>\n");
    out
}

fn compared(comparison: &Comparison) -> String {
    let mut out = format!(
        "<h2>{} minus {}</h2>\n<p>Over the {} items that both judged; paired bootstrap.</p>\n\
         <div class=\"wide\"><table>\n<tr><th>figure</th><th>difference</th><th>95% interval</th><th>p</th></tr>\n",
        escaped(&comparison.first),
        escaped(&comparison.second),
        comparison.items
    );
    for found in &comparison.differences {
        let sign = if found.value > 0.0 { "+" } else { "" };
        let value = shown(found.value, found.unit);
        out.push_str(&format!(
            "<tr><td>{}</td><td>{sign}{}</td><td>{}</td><td>{}</td></tr>\n",
            escaped(&found.name),
            value.strip_suffix('%').unwrap_or(&value),
            shown_interval(found.interval, found.unit),
            escaped(&p_value(found.p))
        ));
    }
    out.push_str("</table></div>\n");
    if let Some(alike) = comparison.alike {
        out.push_str(&format!(
            "<p>Both order {:.1}% of pairs of responses alike.</p>\n",
            alike * 100.0
        ));
    }
    out
}

fn worst(item: &Worst) -> String {
    let score = |score: Option<f64>| score.map_or_else(|| "none".to_owned(), |score| format!("{score}"));
    let mut out = format!(
        "<details class=\"item\"><summary>{}</summary>\n<p><b>Principle.</b> {}</p>\n<pre>{}</pre>\n<div class=\"sides\">\n",
        escaped(&item.id.to_string()),
        escaped(&item.principle),
        escaped(&item.prompt)
    );
    for response in &item.responses {
        out.push_str(&format!(
            "<section><h4>{}</h4><p>gold {}, judged {}</p><pre>{}</pre></section>\n",
            escaped(&response.name),
            score(response.gold),
            score(response.score),
            escaped(&response.text)
        ));
    }
    out.push_str("</div>\n");
    if let Some(failure) = &item.failure {
        out.push_str(&format!("<p><b>No verdict.</b> {}</p>\n", escaped(failure)));
    }
    if !item.reasoning.is_empty() {
        out.push_str(&format!(
            "<p><b>The judge's reasoning.</b></p><pre>{}</pre>\n",
            escaped(&item.reasoning)
        ));
    }
    out.push_str("</details>\n");
    out
}

/// Text that stays text on a page: responses may hold markup, and some are written to be harmful. Marks that reorder
/// text are shown as the replacement character.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(character),
            control if control.is_control() => out.push('\u{fffd}'),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}
