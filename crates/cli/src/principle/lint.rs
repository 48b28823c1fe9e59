//! `principle lint`: what the rules of the library say about a principle.

use std::io::{self, Write as _};

use anyhow::Result;
use rewardanything_principles::lint::{Finding, lint};
use serde_json::json;

use crate::Outcome;
use crate::table::{Style, plain, wrap};
use crate::value::Text;

/// Runs `principle lint`. A finding makes the outcome one with failures.
///
/// # Errors
/// The file cannot be read, the principle is empty, or there is no such id.
pub(crate) fn run(argument: &Text, json: bool) -> Result<Outcome> {
    let principle = super::meant(argument)?;
    let findings = lint(&principle);
    let mut out = io::stdout().lock();
    if json {
        let report = json!({
            "principle": principle,
            "clean": findings.is_empty(),
            "findings": findings,
        });
        writeln!(out, "{report}")?;
    } else {
        out.write_all(shown(&findings, Style::of_stdout().width).as_bytes())?;
    }
    Ok(Outcome::of(findings.is_empty()))
}

fn shown(findings: &[Finding], width: usize) -> String {
    if findings.is_empty() {
        return "nothing found\n".to_owned();
    }
    let mut out = String::new();
    for (at, finding) in findings.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        let cited: Vec<String> = finding
            .evidence
            .iter()
            .map(|evidence| format!("\u{201c}{}\u{201d}", plain(&evidence.text).replace('\n', " ")))
            .collect();
        let parts = [
            format!("{}: {}", finding.fault.id(), cited.join(", ")),
            format!("  why: {}", plain(&finding.reason)),
            format!("  better: {}", plain(&finding.better)),
        ];
        for part in parts {
            for (line_at, line) in wrap(&part, width.saturating_sub(2)).into_iter().enumerate() {
                out.push_str(if line_at == 0 { "" } else { "    " });
                out.push_str(&line);
                out.push('\n');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_cite_their_words() {
        let text = shown(&lint("Prefer responses that are brief and detailed."), 80);
        assert!(
            text.starts_with("no_priority: \u{201c}brief\u{201d}, \u{201c}detailed\u{201d}\n  why: "),
            "{text}"
        );
        assert!(text.contains("\n  better: "), "{text}");
        assert_eq!(shown(&[], 80), "nothing found\n");
        let hostile = shown(&lint("Be \u{1b}[2J of appropriate\u{7} length."), 80);
        assert!(!hostile.contains('\u{1b}'), "{hostile:?}");
    }
}
