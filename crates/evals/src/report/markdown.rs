//! Reports as Markdown, which also reads well on a terminal.

use super::{Comparison, RunReport, shown, shown_counts, shown_interval};
use crate::statistic::Measured;

/// A run.
pub fn text(report: &RunReport) -> String {
    let mut out = format!("# {} by {}\n\n", cell(&report.benchmark), cell(&report.model));
    out.push_str(&format!("{}.\n\n", shown_counts(&report.counts)));
    out.push_str(&table(&report.figures));
    if let Some(agreement) = report.position_agreement {
        out.push_str(&format!(
            "\nSeveral runs over one item order {:.1}% of pairs alike.\n",
            agreement * 100.0
        ));
    }
    for breakdown in &report.breakdowns {
        out.push_str(&format!("\n## By {}\n\n", cell(&breakdown.by)));
        out.push_str(&table(&breakdown.figures));
    }
    if let Some(calibration) = &report.calibration {
        out.push_str(&format!(
            "\n## Calibration\n\nExpected calibration error {:.3} over {} pairs.\n\n| confidence | right | pairs |\n| ---: | ---: | ---: |\n",
            calibration.error, calibration.pairs
        ));
        for bin in calibration.bins.iter().filter(|bin| bin.pairs > 0) {
            out.push_str(&format!(
                "| {:.1}% | {:.1}% | {} |\n",
                bin.confidence * 100.0,
                bin.accuracy * 100.0,
                bin.pairs
            ));
        }
    }
    out.push_str("\n## How it was measured\n\n");
    for (name, value) in &report.settings {
        out.push_str(&format!("- {}: {}\n", cell(name), cell(value)));
    }
    out.push_str(&format!(
        "- cost: {} tokens read, {} written, {:.1} s\n- intervals: 95%, bootstrap over items\n",
        report.cost.prompt_tokens, report.cost.completion_tokens, report.cost.seconds
    ));
    if !report.command.is_empty() {
        out.push_str(&format!(
            "\n```sh\n{}\n```\n",
            report.command.replace("```", "` ` `")
        ));
    }
    out
}

fn table(figures: &[Measured]) -> String {
    let mut out = "| figure | value | 95% interval | items |\n| --- | ---: | ---: | ---: |\n".to_owned();
    for figure in figures {
        out.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            cell(&figure.name),
            shown(figure.value, figure.unit),
            shown_interval(figure.interval, figure.unit),
            figure.items
        ));
    }
    out
}

/// Several runs of one benchmark, one a row, by their headline from the best down.
pub fn leaderboard(reports: &[RunReport]) -> String {
    let mut rows: Vec<&RunReport> = reports.iter().collect();
    let headline = |report: &RunReport| {
        report
            .figures
            .first()
            .map_or(f64::NEG_INFINITY, |figure| figure.value)
    };
    rows.sort_by(|a, b| headline(b).total_cmp(&headline(a)));
    let Some(first) = rows.first() else {
        return String::new();
    };
    let name = first.figures.first().map_or("", |figure| &figure.name);
    let mut out = format!(
        "| run | model | {} | 95% interval | judged | no verdict |\n| --- | --- | ---: | ---: | ---: | ---: |\n",
        cell(name)
    );
    for report in rows {
        let (value, interval) = report.figures.first().map_or_else(Default::default, |figure| {
            (
                shown(figure.value, figure.unit),
                shown_interval(figure.interval, figure.unit),
            )
        });
        out.push_str(&format!(
            "| {} | {} | {value} | {interval} | {} | {} |\n",
            cell(&report.run),
            cell(&report.model),
            report.counts.judged,
            report.counts.failed.values().sum::<usize>()
        ));
    }
    out
}

/// Two runs, figure by figure.
pub fn comparison_text(comparison: &Comparison) -> String {
    let mut out = format!(
        "{} minus {}, over the {} items that both judged (paired bootstrap):\n\n\
         | figure | difference | 95% interval | p |\n| --- | ---: | ---: | ---: |\n",
        cell(&comparison.first),
        cell(&comparison.second),
        comparison.items
    );
    for found in &comparison.differences {
        let sign = if found.value > 0.0 { "+" } else { "" };
        let value = shown(found.value, found.unit);
        // A difference of shares is in points, not in per cent of anything.
        let value = value.strip_suffix('%').unwrap_or(&value);
        out.push_str(&format!(
            "| {} | {sign}{value} | {} | {} |\n",
            cell(&found.name),
            shown_interval(found.interval, found.unit),
            p_value(found.p)
        ));
    }
    if let Some(alike) = comparison.alike {
        out.push_str(&format!(
            "\nBoth order {:.1}% of pairs of responses alike.\n",
            alike * 100.0
        ));
    }
    out
}

/// A p-value as text.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

/// Text that cannot end a cell or begin markup: names come from data and models.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '|' | '<' | '>' | '`' | '\\' | '[' | ']' => out.extend(['\\', character]),
            control if control.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}
