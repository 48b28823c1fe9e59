//! Where in a reply the reasoning stands, and where the verdict.

use super::json::{Entries, Fault, Value, read_object};
use super::names::is_scores_key;
use crate::repair::Repair;

/// A reply, cut at the tags of the reasoning.
#[derive(Debug, PartialEq)]
pub(super) struct Sections<'a> {
    /// What stands in the reasoning block, if there is one that was closed.
    pub(super) reasoning: Option<&'a str>,
    /// What follows it, or the whole reply.
    pub(super) answer: &'a str,
    /// What had to be mended so far.
    pub(super) repairs: Vec<Repair>,
}

#[derive(Clone, Copy)]
struct Tag<'a> {
    start: usize,
    text: &'a str,
    closes: bool,
}

impl Tag<'_> {
    fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// Cuts a reply at its last closing tag, or returns `None` when reasoning was opened after it and never closed.
///
/// The last one, because a judge that quotes a closing tag from a response is still thinking.
pub(super) fn split(reply: &str) -> Option<Sections<'_>> {
    let tags = tags(reply);
    let Some(close) = tags.iter().rposition(|tag| tag.closes) else {
        return tags.is_empty().then(|| Sections {
            reasoning: None,
            answer: reply,
            repairs: Vec::new(),
        });
    };
    if tags.len() > close + 1 {
        return None;
    }
    let close = tags[close];
    let mut repairs = Vec::new();
    let start = match tags.iter().find(|tag| !tag.closes) {
        None => {
            repairs.push(Repair::MissingOpeningTag);
            0
        }
        Some(open) => {
            if !reply[..open.start].trim().is_empty() {
                repairs.push(Repair::TextBeforeThinking);
            }
            note_variant(&mut repairs, open, "<think>");
            open.end()
        }
    };
    note_variant(&mut repairs, &close, "</think>");
    Some(Sections {
        reasoning: Some(reply[start..close.start].trim()),
        answer: &reply[close.end()..],
        repairs,
    })
}

fn note_variant(repairs: &mut Vec<Repair>, tag: &Tag<'_>, exact: &str) {
    if tag.text != exact {
        repairs.push(Repair::ThinkTagVariant {
            found: tag.text.to_owned(),
        });
    }
}

/// All tags of reasoning, in the spellings that models use.
fn tags(reply: &str) -> Vec<Tag<'_>> {
    const SPELLINGS: [(&str, bool); 4] = [
        ("<think>", false),
        ("</think>", true),
        ("<thinking>", false),
        ("</thinking>", true),
    ];
    reply
        .match_indices('<')
        .filter_map(|(start, _)| {
            SPELLINGS.iter().find_map(|&(spelling, closes)| {
                let text = reply.get(start..start + spelling.len())?;
                text.eq_ignore_ascii_case(spelling)
                    .then_some(Tag { start, text, closes })
            })
        })
        .collect()
}

/// The object that holds the verdict, and the text around it.
#[derive(Debug)]
pub(super) struct Located<'a> {
    /// Its entries.
    pub(super) entries: Entries,
    /// Its text, with the brackets.
    pub(super) text: &'a str,
    /// Prose before it, without code fences.
    pub(super) before: &'a str,
    /// Prose after it, without code fences; empty when the object is broken, as nobody knows where it ends.
    pub(super) after: &'a str,
    /// Whether the object was closed.
    pub(super) intact: bool,
    /// What had to be mended so far.
    pub(super) repairs: Vec<Repair>,
}

/// Why no verdict was located.
#[derive(Debug, PartialEq)]
pub(super) enum NotFound {
    /// The text ends inside an object, or one went wrong and others make it unclear which one counts.
    Truncated,
    /// There is no object with scores, but something else.
    Nothing(&'static str),
    /// The key is there; its value is no object and no list.
    NoContainer(String),
}

struct Candidate {
    entries: Entries,
    start: usize,
    end: usize,
    intact: bool,
    repairs: Vec<Repair>,
}

/// Finds the last object with scores.
///
/// The last one, because prose may quote a verdict that a response forged before it comes to its own. When the text
/// ends inside a later object, nothing counts: what came before may have been such a quotation.
pub(super) fn locate(answer: &str) -> Result<Located<'_>, NotFound> {
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut fuel = answer.len().saturating_mul(64).saturating_add(1_024);
    let (mut at, mut objects, mut broken) = (0, 0usize, 0usize);
    let (mut cut_off, mut no_container) = (false, None);
    while let Some(offset) = answer[at..].find('{') {
        let start = at + offset;
        let found = read_object(answer, start);
        // Each broken object may look far ahead. A text made of such starts would take quadratic time.
        fuel = fuel
            .checked_sub(found.looked + 1)
            .ok_or(NotFound::Nothing("too many broken objects"))?;
        let intact = found.fault.is_none();
        objects += usize::from(intact);
        broken += usize::from(!intact);
        no_container = no_container.or_else(|| scores_without_container(&found.entries));
        let mut verdicts = Vec::new();
        collect_verdicts(found.entries, None, &mut verdicts);
        if verdicts.is_empty() {
            cut_off |= found.fault == Some(Fault::End);
            at = if intact { found.end } else { start + 1 };
            continue;
        }
        cut_off = false;
        at = found.end;
        for (key, entries) in verdicts {
            let mut repairs = found.repairs.clone();
            repairs.extend(key.map(|key| Repair::Unwrapped { key }));
            if !intact {
                repairs.push(Repair::BrokenAfterScores);
            }
            candidates.push(Candidate {
                entries,
                start,
                end: found.end,
                intact,
                repairs,
            });
        }
    }
    let count = candidates.len();
    if cut_off || (count > 1 && candidates.iter().any(|candidate| !candidate.intact)) {
        return Err(NotFound::Truncated);
    }
    let Some(mut last) = candidates.pop() else {
        return Err(match no_container {
            Some(found) => NotFound::NoContainer(found),
            None if objects > 0 => NotFound::Nothing("JSON without that key"),
            None if broken > 0 => NotFound::Nothing("JSON that can't be read"),
            None if answer.trim().is_empty() => NotFound::Nothing("nothing after the reasoning"),
            None => NotFound::Nothing("no JSON object"),
        });
    };
    if count > 1 {
        last.repairs.push(Repair::SeveralVerdicts { ignored: count - 1 });
    }
    let (before, fence_before) = strip_opening_fence(&answer[..last.start]);
    let (after, fence_after) = if last.intact {
        strip_closing_fence(&answer[last.end..])
    } else {
        ("", false)
    };
    if fence_before || fence_after {
        last.repairs.push(Repair::CodeFence);
    }
    let Candidate {
        entries,
        start,
        end,
        intact,
        repairs,
    } = last;
    Ok(Located {
        entries,
        text: &answer[start..end],
        before,
        after,
        intact,
        repairs,
    })
}

/// Collects the object, if it has scores, or else those inside it that do, with the key they were found under.
fn collect_verdicts(entries: Entries, key: Option<String>, out: &mut Vec<(Option<String>, Entries)>) {
    let is_verdict = entries
        .iter()
        .any(|(key, value)| is_scores_key(key) && matches!(value, Value::Object(_) | Value::List(_)));
    if is_verdict {
        out.push((key, entries));
        return;
    }
    for (key, value) in entries {
        if let Value::Object(entries) = value {
            collect_verdicts(entries, Some(key), out);
        }
    }
}

fn scores_without_container(entries: &Entries) -> Option<String> {
    entries.iter().find_map(|(key, value)| {
        let container = matches!(value, Value::Object(_) | Value::List(_));
        (is_scores_key(key) && !container).then(|| value.describe())
    })
}

/// Prose before the JSON: cuts the line that opens a code fence.
fn strip_opening_fence(text: &str) -> (&str, bool) {
    let trimmed = text.trim();
    match trimmed.rfind("```") {
        Some(at) if !trimmed[at + 3..].contains('\n') && trimmed[at + 3..].len() <= 16 => {
            (trimmed[..at].trim(), true)
        }
        _ => (trimmed, false),
    }
}

/// Prose after the JSON: cuts the marks that close a code fence.
fn strip_closing_fence(text: &str) -> (&str, bool) {
    let trimmed = text.trim();
    trimmed
        .strip_prefix("```")
        .map_or((trimmed, false), |rest| (rest.trim(), true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_cut_at_the_last_closing_tag() {
        let check = |reply: &str, expect: Option<(Option<&str>, &str)>| {
            let got = split(reply);
            assert_eq!(
                got.as_ref().map(|sections| (sections.reasoning, sections.answer)),
                expect,
                "{reply}"
            );
        };
        check("answer", Some((None, "answer")));
        check("<think>\nwhy\n</think>answer", Some((Some("why"), "answer")));
        check("why</think>answer", Some((Some("why"), "answer")));
        check(
            "<think>a </think> b</think>answer",
            Some((Some("a </think> b"), "answer")),
        );
        check(
            "<think>a</think><think>b</think>c",
            Some((Some("a</think><think>b"), "c")),
        );
        check("<think>a", None);
        check("<think>a</think>b<think>c", None);
        check("<Thinking>a</THINKING>b", Some((Some("a"), "b")));
        check("a < b <thin", Some((None, "a < b <thin")));
        check("<é<think></think>", Some((Some(""), "")));
    }

    #[test]
    fn fences_are_no_prose() {
        assert_eq!(strip_opening_fence("Here:\n```json\n"), ("Here:", true));
        assert_eq!(
            strip_opening_fence("```x```\nmore prose in words"),
            ("```x```\nmore prose in words", false)
        );
        assert_eq!(strip_closing_fence("\n```\n"), ("", true));
        assert_eq!(strip_closing_fence(" Done."), ("Done.", false));
    }

    #[test]
    fn hostile_braces_take_linear_time() {
        for text in [
            "{'".repeat(50_000),
            "{\"a\":".repeat(50_000),
            "{".repeat(200_000),
            "{a:[".repeat(50_000),
            "{/*".repeat(50_000),
        ] {
            assert!(locate(&text).is_err());
        }
    }
}
