//! `principle`: the library printed, and principles examined.

pub(crate) mod args;
mod diff;
mod lint;

use std::io::{self, Write as _};

use anyhow::{Context as _, Result, bail, ensure};
use rewardanything_principles::{Category, Kind, Principle, library};
use serde_json::{Value, json};

use crate::Outcome;
use crate::table::{Style, pad, wrap};
use crate::value::Text;
use args::{Filter, PrincipleCommand, SplitArg};

/// Runs `principle`.
///
/// # Errors
/// A category or an id is unknown, a file cannot be read, or the model is unusable.
pub(crate) fn run(command: &PrincipleCommand) -> Result<Outcome> {
    match command {
        PrincipleCommand::List { filter, json } => {
            let chosen = filtered(filter)?;
            let mut out = io::stdout().lock();
            if *json {
                for principle in chosen {
                    writeln!(out, "{}", as_json(principle))?;
                }
            } else {
                out.write_all(list(&chosen, Style::of_stdout().width).as_bytes())?;
            }
            Ok(Outcome::Done)
        }
        PrincipleCommand::Show {
            ids,
            filter,
            wordings,
            json,
        } => {
            ensure!(
                !(ids.is_empty() && filter.is_empty()),
                "which one? Name an id, as `principle list` prints them, or filter by --category, --kind, --split or \
                 --verifiable"
            );
            let mut chosen = filtered(filter)?;
            if !ids.is_empty() {
                let named: Vec<&Principle> = ids.iter().map(|id| named(id)).collect::<Result<_>>()?;
                chosen = named
                    .into_iter()
                    .filter(|principle| chosen.iter().any(|other| other.id == principle.id))
                    .collect();
            }
            let mut out = io::stdout().lock();
            for (at, principle) in chosen.into_iter().enumerate() {
                if *json {
                    let mut value = as_json(principle);
                    if *wordings {
                        value["wordings"] = wordings_of(principle);
                    }
                    writeln!(out, "{value}")?;
                } else {
                    let gap = if at == 0 { "" } else { "\n" };
                    let width = Style::of_stdout().width;
                    out.write_all(format!("{gap}{}", show(principle, *wordings, width)).as_bytes())?;
                }
            }
            Ok(Outcome::Done)
        }
        PrincipleCommand::Lint { principle, json } => lint::run(principle, *json),
        PrincipleCommand::Diff(args) => diff::run(args),
    }
}

/// The principles that a filter lets through, in the order of the library.
fn filtered(filter: &Filter) -> Result<Vec<&'static Principle>> {
    let category = filter.category.as_deref().map(parse_category).transpose()?;
    Ok(library()
        .iter()
        .filter(|principle| category.is_none_or(|wanted| principle.category == wanted))
        .filter(|principle| filter.kind.is_none_or(|wanted| principle.kind == wanted.into()))
        .filter(|principle| {
            filter
                .split
                .is_none_or(|wanted| SplitArg::of(principle) == wanted)
        })
        .filter(|principle| !filter.verifiable || principle.rule.is_some())
        .collect())
}

fn named(id: &str) -> Result<&'static Principle> {
    library()
        .iter()
        .find(|principle| principle.id == id)
        .with_context(|| format!("no principle is called {id:?}; `principle list` names them all"))
}

/// The principle that an argument means: a file's text, the text of an id, or what was typed.
///
/// # Errors
/// The file cannot be read, there is no word in it, or it looks like an id and is none.
fn meant(argument: &Text) -> Result<String> {
    let text = argument.read()?;
    if !text.chars().any(char::is_alphanumeric) {
        bail!("the principle is empty");
    }
    if let Text::Typed(typed) = argument {
        let is_id = typed.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
            && Category::ALL
                .iter()
                .any(|category| typed.starts_with(&format!("{}-", category.id())));
        if is_id {
            return Ok(named(typed)?.text.to_owned());
        }
    }
    Ok(text.trim().to_owned())
}

fn parse_category(name: &str) -> Result<Category> {
    Category::ALL
        .into_iter()
        .find(|category| category.id() == name)
        .with_context(|| {
            let names: Vec<_> = Category::ALL.iter().map(|category| category.id()).collect();
            format!(
                "no category is called {name:?}: expected one of {}",
                names.join(", ")
            )
        })
}

fn as_json(principle: &Principle) -> Value {
    let (measure, direction) = principle
        .measure()
        .map(|(measure, direction)| (measure.id(), direction.id()))
        .unzip();
    json!({
        "id": principle.id,
        "category": principle.category.id(),
        "kind": principle.kind,
        "text": principle.text,
        "measure": measure,
        "direction": direction,
        "check": principle.check(),
        "verifiable": principle.rule.is_some(),
        "split": SplitArg::of(principle).id(),
        "held_out": principle.held_out,
    })
}

fn wordings_of(principle: &Principle) -> Value {
    principle
        .wordings()
        .into_iter()
        .map(|wording| json!({"text": wording.text, "held_out": wording.held_out}))
        .collect()
}

/// One principle after another, the text beside its id.
fn list(principles: &[&Principle], width: usize) -> String {
    let ids = principles
        .iter()
        .map(|principle| principle.id.len())
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for principle in principles {
        let text = wrap(principle.text, width.saturating_sub(ids + 2).max(20));
        for (index, line) in text.iter().enumerate() {
            let id = if index == 0 { principle.id } else { "" };
            out.push_str(&format!("{}  {line}\n", pad(id, ids)));
        }
    }
    out
}

fn show(principle: &Principle, wordings: bool, width: usize) -> String {
    let kind = match principle.kind {
        Kind::Vague => "a vague wish",
        Kind::Single => "a single goal",
        Kind::Prioritised => "goals with a priority",
        Kind::Structured => "structured rules",
    };
    let mut out = format!("{} ({}, {kind})\n\n", principle.id, principle.category.id());
    let mut paragraph = |text: &str, indent: &str| {
        for line in wrap(text, width.saturating_sub(indent.len())) {
            out.push_str(indent);
            out.push_str(&line);
            out.push('\n');
        }
    };
    paragraph(principle.text, "");
    if let Some(check) = principle.check() {
        paragraph("", "");
        paragraph(&format!("Verified by a program: {check}"), "");
    }
    if principle.held_out {
        paragraph("", "");
        paragraph("Novel: kept for evaluation, never trained on", "");
    }
    if wordings && principle.rule.is_some() {
        paragraph("", "");
        for wording in principle.wordings() {
            let mark = if wording.held_out { "held out: " } else { "" };
            paragraph(&format!("{mark}{}", wording.text), "  ");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_principle_is_shown_and_listed() {
        let all: Vec<&Principle> = library().iter().collect();
        let listed = list(&all, 80);
        for principle in all {
            assert!(listed.contains(&format!("{} ", principle.id)), "{}", principle.id);
            assert!(show(principle, true, 80).starts_with(principle.id));
            assert_eq!(as_json(principle)["text"], principle.text);
        }
    }

    #[test]
    fn filters_narrow_and_combine() {
        let count = |filter: Filter| filtered(&filter).map(|chosen| chosen.len()).ok();
        let base = Filter::default();
        assert_eq!(count(base.clone()), Some(200));
        let novel = Filter {
            split: Some(SplitArg::Novel),
            ..base.clone()
        };
        assert_eq!(count(novel.clone()), Some(50));
        let narrow = Filter {
            category: Some("tone".to_owned()),
            kind: Some(args::KindArg::Structured),
            ..novel
        };
        assert_eq!(count(narrow.clone()), Some(3));
        let verifiable = Filter {
            verifiable: true,
            ..narrow
        };
        assert_eq!(count(verifiable), Some(1));
    }

    #[test]
    fn an_argument_is_a_text_or_an_id() {
        let meant = |text: &str| meant(&Text::Typed(text.to_owned()));
        let shortest = named("structure-shortest").map(|principle| principle.text).ok();
        assert_eq!(meant("structure-shortest").ok().as_deref(), shortest);
        assert_eq!(meant(" Be brief.\n").ok().as_deref(), Some("Be brief."));
        assert_eq!(
            meant("tone-deaf answers lose").ok().as_deref(),
            Some("tone-deaf answers lose")
        );
        assert!(meant("tone-deaf").is_err(), "looks like an id");
        assert!(meant(" .").is_err());
    }

    #[test]
    fn categories_are_named_in_the_error() {
        for category in Category::ALL {
            assert_eq!(parse_category(category.id()).ok(), Some(category));
        }
        let error = parse_category("colour")
            .expect_err("no such category")
            .to_string();
        assert!(
            error.contains("content, structure, tone, logic, style"),
            "{error}"
        );
    }
}
