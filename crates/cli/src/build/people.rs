//! What people check: pairs on a page and in a table, and how far they agree with the gold and with one another.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use rewardanything_evals::agreement::{Level, alpha, kappa, percent};
use rewardanything_evals::build::question;
use rewardanything_evals::item::Item;
use rewardanything_evals::validation::{Pair, page};
use serde::Deserialize;
use serde_json::{Value, json};

use super::args::AgreementArgs;
use super::csv;
use crate::Outcome;
use crate::items::Id;
use crate::table::plain;

/// Writes `validation.html` and `validation.csv`, which do not tell the gold, and `validation-key.csv`, which does.
///
/// # Errors
/// A file cannot be written.
pub(crate) fn write(folder: &Path, items: &[(Id, Box<Item>)], count: usize, seed: u64) -> Result<usize> {
    let mut pairs = csv::line(&["id", "principle", "prompt", "a", "b", "preferred"]);
    let mut key = csv::line(&["id", "preferred"]);
    let mut shown = Vec::new();
    for (at, (id, item)) in items.iter().enumerate() {
        let Some(question) = question(item, seed ^ (at as u64) << 17) else {
            continue;
        };
        if shown.len() == count {
            break;
        }
        let id = match id {
            Id::Text(text) => text.clone(),
            Id::Number(number) => number.to_string(),
        };
        let responses = item.request.responses();
        let pair = Pair {
            id,
            principle: item.request.principle().to_owned(),
            prompt: item.request.prompt().to_owned(),
            a: responses[question.a].text.clone(),
            b: responses[question.b].text.clone(),
        };
        pairs.push_str(&csv::line(&[
            &pair.id,
            &pair.principle,
            &pair.prompt,
            &pair.a,
            &pair.b,
            "",
        ]));
        key.push_str(&csv::line(&[
            &pair.id,
            if question.a_is_better { "a" } else { "b" },
        ]));
        shown.push(pair);
    }
    let mut files = vec![("validation.csv", pairs), ("validation-key.csv", key)];
    if !shown.is_empty() {
        files.push(("validation.html", page(&shown)));
    }
    for (name, text) in files {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(shown.len())
}

/// Runs `data agreement`.
///
/// # Errors
/// A file cannot be read or is neither what the page gives nor a table with the columns `id` and `preferred`, or no rater
/// rated anything of the key.
pub(crate) fn run(args: &AgreementArgs) -> Result<Outcome> {
    let key = ratings(&args.key)?;
    let mut ids: Vec<&String> = key.keys().collect();
    ids.sort();
    let column =
        |of: &Ratings| -> Vec<Option<f64>> { ids.iter().map(|id| of.get(*id).copied().flatten()).collect() };
    let gold = column(&key);
    let mut raters = Vec::new();
    for path in &args.raters {
        let ratings = ratings(path)?;
        if let Some(stranger) = ratings.keys().find(|id| !key.contains_key(*id)) {
            bail!("{}: the id {stranger:?} is not in the key", path.display());
        }
        raters.push((path.display().to_string(), column(&ratings)));
    }
    let all: Vec<Vec<Option<f64>>> = raters.iter().map(|(_, ratings)| ratings.clone()).collect();
    let rated = all.iter().flatten().flatten().count();
    ensure!(rated > 0, "nothing is rated: the column `preferred` is empty");
    let mut rows = Vec::new();
    for (name, ratings) in &raters {
        rows.push((
            name.clone(),
            "the gold".to_owned(),
            percent(ratings, &gold),
            kappa(ratings, &gold, Level::Nominal),
        ));
    }
    for (at, (first, a)) in raters.iter().enumerate() {
        for (second, b) in &raters[at + 1..] {
            rows.push((
                first.clone(),
                second.clone(),
                percent(a, b),
                kappa(a, b, Level::Nominal),
            ));
        }
    }
    let of_people = alpha(&all, Level::Nominal);
    let mut out = io::stdout().lock();
    if args.json {
        let pairs: Vec<Value> = rows
            .iter()
            .map(|(a, b, percent, kappa)| json!({"first": a, "second": b, "agreement": percent, "kappa": kappa}))
            .collect();
        writeln!(
            out,
            "{}",
            json!({"pairs": pairs, "alpha": of_people, "items": ids.len(), "ratings": rated})
        )?;
        return Ok(Outcome::Done);
    }
    let number =
        |number: Option<f64>| number.map_or_else(|| "undefined".to_owned(), |number| format!("{number:.3}"));
    let mut text = "| rater | with | agreement | Cohen's kappa |\n| --- | --- | ---: | ---: |\n".to_owned();
    for (a, b, percent, kappa) in rows {
        let percent = percent.map_or_else(
            || "undefined".to_owned(),
            |share| format!("{:.1}%", share * 100.0),
        );
        text.push_str(&format!("| {a} | {b} | {percent} | {} |\n", number(kappa)));
    }
    text.push_str(&format!(
        "\nKrippendorff's alpha of the raters: {}; {} pairs, {rated} ratings\n",
        number(of_people),
        ids.len()
    ));
    out.write_all(plain(&text).as_bytes())?;
    Ok(Outcome::Done)
}

/// What is preferred, by the id: 0 for a, 1 for b, 0.5 for a tie.
type Ratings = HashMap<String, Option<f64>>;

/// The ratings of a file: of a table with the columns `id` and `preferred`, or of the JSON that the page gives.
fn ratings(path: &Path) -> Result<Ratings> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let rows = if text.trim_start().starts_with('{') {
        let file: File =
            serde_json::from_str(&text).with_context(|| format!("{} holds no ratings", path.display()))?;
        file.ratings
            .into_iter()
            .map(|rating| (rating.id, rating.preferred.unwrap_or_default()))
            .collect()
    } else {
        of_table(&text).with_context(|| format!("{} is no table of ratings", path.display()))?
    };
    let mut ratings = HashMap::new();
    for (index, (id, preferred)) in rows.into_iter().enumerate() {
        let rating = match preferred.to_lowercase().as_str() {
            "" => None,
            "a" => Some(0.0),
            "b" => Some(1.0),
            "tie" => Some(0.5),
            other => bail!(
                "{}, row {}: preferred must be a, b, tie or empty, found {other:?}",
                path.display(),
                index + 2
            ),
        };
        // Tables have an apostrophe before what would be a formula, unless a spreadsheet took it away.
        let id = csv::plain(&id).to_owned();
        let taken = ratings.insert(id.clone(), rating).is_some();
        ensure!(!taken, "{}: the id {id:?} comes twice", path.display());
    }
    Ok(ratings)
}

/// What the page gives.
#[derive(Deserialize)]
struct File {
    ratings: Vec<Rating>,
}

#[derive(Deserialize)]
struct Rating {
    id: String,
    preferred: Option<String>,
}

/// Ids, and what is preferred.
fn of_table(text: &str) -> Result<Vec<(String, String)>> {
    let rows = csv::rows(text)?;
    let (head, rows) = rows.split_first().context("it is empty")?;
    let column = |name: &str| {
        head.iter()
            .position(|field| field.trim() == name)
            .with_context(|| format!("it has no column `{name}`"))
    };
    let (id, preferred) = (column("id")?, column("preferred")?);
    let field = |row: &[String], at: usize| row.get(at).map_or("", |field| field.trim()).to_owned();
    Ok(rows
        .iter()
        .map(|row| (field(row, id), field(row, preferred)))
        .collect())
}
