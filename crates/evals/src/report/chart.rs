//! Drawings as SVG. A plotting crate draws in fixed colours and knows no dark page; these take the page's colours, so
//! that they are as legible there, and are a few lines each.

use std::fmt::Write as _;

use super::{shown, shown_interval};
use crate::calibration::Calibration;
use crate::statistic::{Measured, Unit};

use super::html::escaped;

const ROW: usize = 26;
const LABEL: usize = 250;
const WIDTH: usize = 640;

/// A bar and a whisker for each share; numbers are left to the tables. Empty where there is no share.
pub(super) fn bars(figures: &[Measured]) -> String {
    let shares: Vec<&Measured> = figures
        .iter()
        .filter(|figure| figure.unit == Unit::Share)
        .collect();
    if shares.is_empty() {
        return String::new();
    }
    let height = ROW * shares.len() + 8;
    let mut out = format!(
        "<div class=\"wide\"><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Bars with 95% intervals\">\n"
    );
    let scale = |share: f64| LABEL as f64 + share.clamp(0.0, 1.0) * (WIDTH - LABEL - 60) as f64;
    let half = scale(0.5);
    let _ = writeln!(
        out,
        "<line class=\"grid\" x1=\"{half:.1}\" y1=\"0\" x2=\"{half:.1}\" y2=\"{height}\"/>"
    );
    for (row, figure) in shares.iter().enumerate() {
        let y = row * ROW + 4;
        let (x, end) = (scale(0.0), scale(figure.value));
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <rect class=\"bar\" x=\"{x:.1}\" y=\"{y}\" width=\"{:.1}\" height=\"{}\"><title>{} ({})</title></rect>",
            LABEL - 8,
            y + 14,
            escaped(&cut(&figure.name, 38)),
            (end - x).max(0.5),
            ROW - 8,
            shown(figure.value, figure.unit),
            shown_interval(figure.interval, figure.unit),
        );
        if let Some((low, high)) = figure.interval {
            let (low, high, middle) = (scale(low), scale(high), y + (ROW - 8) / 2);
            let _ = writeln!(
                out,
                "<line class=\"whisker\" x1=\"{low:.1}\" y1=\"{middle}\" x2=\"{high:.1}\" y2=\"{middle}\"/>"
            );
        }
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\">{}</text>",
            WIDTH - 52,
            y + 14,
            shown(figure.value, figure.unit)
        );
    }
    out.push_str("</svg></div>\n");
    out
}

/// Confidence against accuracy; a calibrated judge lies on the diagonal. Points grow with their pairs.
pub(super) fn reliability(calibration: &Calibration) -> String {
    const SIDE: f64 = 260.0;
    const EDGE: f64 = 40.0;
    let x = |confidence: f64| EDGE + (confidence - 0.5) * 2.0 * SIDE;
    let y = |accuracy: f64| 10.0 + (1.0 - accuracy) * SIDE;
    let (width, height) = (SIDE + EDGE + 20.0, SIDE + EDGE + 10.0);
    let mut out = format!(
        "<svg class=\"small\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"Reliability curve\">\n\
         <rect class=\"frame\" x=\"{EDGE}\" y=\"10\" width=\"{SIDE}\" height=\"{SIDE}\"/>\n\
         <line class=\"grid\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>\n",
        x(0.5),
        y(0.5),
        x(1.0),
        y(1.0)
    );
    let filled: Vec<_> = calibration.bins.iter().filter(|bin| bin.pairs > 0).collect();
    let line: Vec<String> = filled
        .iter()
        .map(|bin| format!("{:.1},{:.1}", x(bin.confidence), y(bin.accuracy)))
        .collect();
    let _ = writeln!(out, "<polyline class=\"curve\" points=\"{}\"/>", line.join(" "));
    for bin in filled {
        let radius = 3.0 + 7.0 * (bin.pairs as f64 / calibration.pairs as f64).sqrt();
        let _ = writeln!(
            out,
            "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius:.1}\"><title>{} pairs: sure to {:.0}%, right in \
             {:.0}%</title></circle>",
            x(bin.confidence),
            y(bin.accuracy),
            bin.pairs,
            bin.confidence * 100.0,
            bin.accuracy * 100.0
        );
    }
    for (at, label) in [(0.5, "50%"), (0.75, "75%"), (1.0, "100%")] {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
            x(at),
            SIDE + 28.0
        );
    }
    for (at, label) in [(0.0, "0%"), (0.5, "50%"), (1.0, "100%")] {
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            EDGE - 6.0,
            y(at) + 4.0
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">confidence, and how often it is right</text>\n</svg>",
        EDGE + SIDE / 2.0,
        SIDE + 46.0
    );
    out
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}
