//! `principle list` and `principle show`: the library of principles, printed.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use rewardanything_principles::{Category, Principle, library};
use serde_json::{Value, json};

use crate::Outcome;
use crate::args::PrincipleCommand;
use crate::table::{Style, pad, wrap};

/// Runs `principle`.
///
/// # Errors
/// The category or the id is unknown.
pub(crate) fn run(command: &PrincipleCommand) -> Result<Outcome> {
    let mut out = io::stdout().lock();
    match command {
        PrincipleCommand::List { category, json } => {
            let category = category.as_deref().map(parse_category).transpose()?;
            let chosen: Vec<&Principle> = library()
                .iter()
                .filter(|principle| category.is_none_or(|wanted| principle.category == wanted))
                .collect();
            if *json {
                for principle in chosen {
                    writeln!(out, "{}", as_json(principle))?;
                }
            } else {
                out.write_all(list(&chosen, Style::of_stdout().width).as_bytes())?;
            }
        }
        PrincipleCommand::Show { id, json } => {
            let principle = library()
                .iter()
                .find(|principle| principle.id == id)
                .with_context(|| format!("no principle is called {id:?}; `principle list` names them all"))?;
            if *json {
                writeln!(out, "{}", as_json(principle))?;
            } else {
                out.write_all(show(principle, Style::of_stdout().width).as_bytes())?;
            }
        }
    }
    Ok(Outcome::Done)
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
        "held_out": principle.held_out,
    })
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

fn show(principle: &Principle, width: usize) -> String {
    let mut out = format!("{} ({})\n\n", principle.id, principle.category.id());
    for line in wrap(principle.text, width) {
        out.push_str(&line);
        out.push('\n');
    }
    if let Some((measure, direction)) = principle.measure() {
        out.push_str(&format!(
            "\nVerified by a program: {} {}\n",
            direction.id(),
            measure.quality()
        ));
    }
    if principle.held_out {
        out.push_str("\nKept for evaluation: never trained on\n");
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
            assert!(show(principle, 80).starts_with(principle.id));
            assert_eq!(as_json(principle)["text"], principle.text);
        }
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
