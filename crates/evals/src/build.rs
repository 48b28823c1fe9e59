//! Building a data set of principles, prompts and responses, with gold by the consensus of several judges.
//!
//! Pure steps; the command reads, judges and writes between them: [`draft`] pairs prompts with principles, [`merge`]
//! makes gold out of verdicts, [`curve`] shows what each demand on agreement would keep, and [`balanced`] takes an even
//! sample.

use std::collections::{BTreeMap, HashSet};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rewardanything_core::consensus::{ConsensusError, kemeny};
use rewardanything_core::{Gold, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::item::{Item, Labels, VERSION};
use crate::raw;

/// A principle to build items with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principle {
    /// Its id, for the ids of items.
    pub id: String,
    /// Its category.
    pub category: Option<String>,
    /// What the judge reads.
    pub text: String,
}

/// A prompt with responses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What is asked.
    pub prompt: String,
    /// What was answered.
    pub responses: Vec<Response>,
    /// What it is about and where it comes from.
    pub labels: Labels,
}

impl Source {
    /// Reads a line `{"prompt", "responses"}`; labels may stand beside them, and responses may be missing where they are
    /// still to be had. A label that is no text is none.
    ///
    /// # Errors
    /// The line is no JSON object, the prompt is missing or blank, or a part has another shape.
    pub fn read(line: &str) -> Result<Self, String> {
        let raw = raw::parse(line)?;
        let prompt = raw::prompt(raw.prompt.as_ref())?;
        if prompt.trim().is_empty() {
            return Err("prompt is blank".to_owned());
        }
        let responses = match &raw.responses {
            None => Vec::new(),
            some => raw::responses(some.as_ref())?,
        };
        Ok(Source {
            prompt,
            responses,
            labels: raw.textual_labels(),
        })
    }
}

/// How items are drafted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DraftOptions {
    /// Items wanted.
    pub items: usize,
    /// Responses of every item.
    pub per_item: usize,
    /// Principles that a prompt is used with at most.
    pub per_prompt: usize,
    /// Seed of every draw.
    pub seed: u64,
}

/// Pairs prompts with principles: principles take turns, and each gets the next prompt of a shuffled order that has
/// enough distinct responses, of which some are drawn and shuffled. Fewer items come back where the prompts are used up.
/// The same arguments give the same items, in the item format and without gold.
pub fn draft(sources: &[Source], principles: &[Principle], options: DraftOptions) -> Vec<Value> {
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let mut prompts: Vec<(&Source, Vec<&Response>)> = sources
        .iter()
        .map(|source| (source, distinct(&source.responses)))
        .filter(|(_, responses)| responses.len() >= options.per_item)
        .collect();
    shuffle(&mut prompts, &mut rng);
    let mut principles: Vec<&Principle> = principles.iter().collect();
    shuffle(&mut principles, &mut rng);
    let places = prompts.len() * options.per_prompt.min(principles.len());
    (0..options.items.min(places))
        .map(|turn| {
            // A round over all prompts shifts the principles by one, so that no pair comes twice.
            let (round, at) = (turn / prompts.len(), turn % prompts.len());
            let principle = principles[(at + round) % principles.len()];
            let (source, responses) = &prompts[at];
            let mut chosen = responses.clone();
            shuffle(&mut chosen, &mut rng);
            chosen.truncate(options.per_item);
            as_item(principle, source, &chosen)
        })
        .collect()
}

fn as_item(principle: &Principle, source: &Source, responses: &[&Response]) -> Value {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |text: &str| {
        for byte in text.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    add(&source.prompt);
    for response in responses {
        add(&response.name);
        add(&response.text);
    }
    let texts: Map<String, Value> = responses
        .iter()
        .map(|response| (response.name.clone(), response.text.as_str().into()))
        .collect();
    let mut item = json!({
        "version": VERSION,
        "id": format!("{}-{hash:016x}", principle.id),
        "principle": principle.text,
        "prompt": source.prompt,
        "responses": texts,
    });
    let labels = Labels {
        category: principle.category.clone(),
        ..source.labels.clone()
    };
    if let (Value::Object(item), Ok(Value::Object(labels))) = (&mut item, serde_json::to_value(labels)) {
        item.extend(labels);
    }
    item
}

/// Responses whose texts differ, the first of each.
fn distinct(responses: &[Response]) -> Vec<&Response> {
    let mut seen = HashSet::new();
    responses
        .iter()
        .filter(|response| !response.text.trim().is_empty() && seen.insert(response.text.trim()))
        .collect()
}

/// What the judges of an item came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Merged {
    /// The consensus.
    pub gold: Gold,
    /// Judges that gave a verdict.
    pub judges: usize,
    /// Those that agree with the consensus.
    pub agreeing: usize,
    /// τ_b of each judge with the consensus, where it is defined.
    pub tau_b: Vec<Option<f64>>,
}

/// The exact consensus of an item's judges.
///
/// # Errors
/// There is no judge, or too many responses; see [`kemeny`].
pub fn merge(verdicts: &[Gold]) -> Result<Merged, ConsensusError> {
    let consensus = kemeny(verdicts)?;
    Ok(Merged {
        judges: verdicts.len(),
        agreeing: consensus.agreeing(),
        tau_b: consensus.agreement,
        gold: consensus.gold,
    })
}

/// For each demand from 0 agreeing judges up to all, how many items meet it. An item whose gold is all tied tells
/// nothing and meets none.
pub fn curve(merged: &[Merged], judges: usize) -> Vec<(usize, usize)> {
    (0..=judges)
        .map(|demand| (demand, merged.iter().filter(|item| meets(item, demand)).count()))
        .collect()
}

/// Whether an item is to be kept where so many judges must agree.
pub fn meets(item: &Merged, demand: usize) -> bool {
    let tells = item.gold.scores.windows(2).any(|pair| pair[0] != pair[1]);
    tells && item.agreeing >= demand
}

/// The item with its gold, and beside it how far the judges agreed.
pub fn with_gold(item: &Value, names: &[String], merged: &Merged) -> Value {
    let scores: Map<String, Value> = names
        .iter()
        .zip(&merged.gold.scores)
        .map(|(name, &score)| (name.clone(), score.into()))
        .collect();
    let ranking: Vec<&String> = merged.gold.ranking.iter().map(|&index| &names[index]).collect();
    let mut item = item.clone();
    item["gold"] = json!({ "scores": scores, "ranking": ranking });
    item["agreement"] =
        json!({ "judges": merged.judges, "agreeing": merged.agreeing, "tau_b": merged.tau_b });
    item
}

/// Indices of at most `count` items, in ascending order, drawn so that every cell of category and domain gives as many
/// as every other until it is used up.
pub fn balanced(labels: &[Labels], count: usize, seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut cells: BTreeMap<(Option<&str>, Option<&str>), Vec<usize>> = BTreeMap::new();
    for (index, label) in labels.iter().enumerate() {
        let cell = (label.category.as_deref(), label.domain.as_deref());
        cells.entry(cell).or_default().push(index);
    }
    for cell in cells.values_mut() {
        shuffle(cell, &mut rng);
    }
    let mut chosen = Vec::new();
    while chosen.len() < count {
        let before = chosen.len();
        let mut turns: Vec<&mut Vec<usize>> = cells.values_mut().collect();
        // So that the last, incomplete round favours no cell.
        shuffle(&mut turns, &mut rng);
        for cell in turns {
            if chosen.len() < count {
                chosen.extend(cell.pop());
            }
        }
        if chosen.len() == before {
            break;
        }
    }
    chosen.sort_unstable();
    chosen
}

/// A pair of an item for people to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Index of the response shown as A.
    pub a: usize,
    /// Index of the response shown as B.
    pub b: usize,
    /// Whether A is the better one by the gold.
    pub a_is_better: bool,
}

/// A pair of the item whose gold differs, drawn and put in an order by `seed`; `None` where all are tied.
pub fn question(item: &Item, seed: u64) -> Option<Question> {
    let pairs = item.gold().ok()?.ordered_pairs();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let &(better, worse) = pairs.get(below(&mut rng, pairs.len().max(1)))?;
    let a_is_better = below(&mut rng, 2) == 0;
    let (a, b) = if a_is_better {
        (better, worse)
    } else {
        (worse, better)
    };
    Some(Question { a, b, a_is_better })
}

/// Fisher and Yates, spelt out so that no new version of a library changes an order.
fn shuffle<T>(list: &mut [T], rng: &mut ChaCha8Rng) {
    for at in (1..list.len()).rev() {
        list.swap(at, below(rng, at + 1));
    }
}

fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(count: usize) -> Vec<Source> {
        (0..count)
            .map(|index| Source {
                prompt: format!("Question {index}?"),
                responses: (0..5)
                    .map(|author| Response::new(format!("m{author}"), format!("Answer {index}, {author}.")))
                    .collect(),
                labels: Labels {
                    domain: Some("chat".to_owned()),
                    ..Labels::default()
                },
            })
            .collect()
    }

    fn principles(count: usize) -> Vec<Principle> {
        (0..count)
            .map(|index| Principle {
                id: format!("p{index}"),
                category: Some("tone".to_owned()),
                text: format!("Principle {index}."),
            })
            .collect()
    }

    const OPTIONS: DraftOptions = DraftOptions {
        items: 30,
        per_item: 3,
        per_prompt: 4,
        seed: 1,
    };

    #[test]
    fn drafts_are_items_and_no_pair_comes_twice() {
        let drafts = draft(&sources(10), &principles(6), OPTIONS);
        assert_eq!(drafts.len(), 30);
        let pairs: HashSet<(String, String)> = drafts
            .iter()
            .map(|item| (item["principle"].to_string(), item["prompt"].to_string()))
            .collect();
        assert_eq!(pairs.len(), 30);
        let lines: String = drafts.iter().map(|item| format!("{item}\n")).collect();
        let read = crate::item::Reader::new(lines.as_bytes(), crate::item::ReadOptions::default());
        for line in read {
            let content = line.expect("memory can be read").content;
            let crate::item::Content::Named(_, Ok(item)) = content else {
                panic!("{content:?}")
            };
            assert_eq!((item.request.responses().len(), item.gold), (3, Ok(None)));
            assert_eq!(item.labels.category.as_deref(), Some("tone"));
        }
        assert_eq!(
            draft(&sources(10), &principles(6), OPTIONS),
            drafts,
            "the seed decides"
        );
        let other = DraftOptions { seed: 2, ..OPTIONS };
        assert_ne!(draft(&sources(10), &principles(6), other), drafts);
        // Prompts are used up: five of them, with two principles each.
        assert_eq!(draft(&sources(5), &principles(2), OPTIONS).len(), 10);
        assert!(draft(&[], &principles(2), OPTIONS).is_empty());
        assert!(draft(&sources(2), &[], OPTIONS).is_empty());
    }

    #[test]
    fn foreign_lines_are_sources() {
        let line = r#"{"prompt": "q", "domain": ["a", "b"], "source": "s", "responses": [{"text": "x"}]}"#;
        let source = Source::read(line).expect("a source");
        assert_eq!(
            (source.labels.domain, source.labels.source.as_deref()),
            (None, Some("s"))
        );
        assert!(Source::read(r#"{"prompt": " "}"#).is_err() && Source::read("[]").is_err());
        assert!(Source::read(r#"{"prompt": "q"}"#).is_ok_and(|source| source.responses.is_empty()));
    }

    #[test]
    fn equal_answers_are_one() {
        let mut few = sources(1);
        few[0].responses[1].text = few[0].responses[0].text.clone() + "\n";
        few[0].responses[2].text = " ".to_owned();
        assert_eq!(draft(&few, &principles(1), OPTIONS).len(), 1);
        let four = DraftOptions {
            per_item: 4,
            ..OPTIONS
        };
        assert!(draft(&few, &principles(1), four).is_empty());
    }

    #[test]
    fn the_curve_falls_and_counts_agreement() {
        let judge = |scores: [f64; 3]| Gold::from_scores(scores.to_vec());
        let (up, down, flat) = (judge([1.0, 3.0, 5.0]), judge([5.0, 3.0, 1.0]), judge([3.0; 3]));
        let of = |judges: &[Gold]| merge(judges).expect("few responses");
        let merged = [
            of(&[up.clone(), up.clone(), up.clone(), up.clone()]),
            of(&[up.clone(), up.clone(), up.clone(), down.clone()]),
            of(&[flat.clone(), flat.clone(), flat.clone(), flat]),
        ];
        assert_eq!(merged[1].agreeing, 3);
        assert_eq!(curve(&merged, 4), [(0, 2), (1, 2), (2, 2), (3, 2), (4, 1)]);
        let item = with_gold(&json!({"id": 1}), &["a", "b", "c"].map(str::to_owned), &merged[0]);
        assert_eq!(item["gold"]["ranking"], json!(["c", "b", "a"]));
        assert_eq!(item["agreement"]["agreeing"], 4);
    }

    #[test]
    fn cells_give_alike_until_they_are_used_up() {
        let label = |category: &str, domain: &str| Labels {
            category: Some(category.to_owned()),
            domain: Some(domain.to_owned()),
            ..Labels::default()
        };
        let mut labels = vec![label("tone", "chat"); 50];
        labels.extend(vec![label("tone", "code"); 10]);
        labels.extend(vec![label("logic", "chat"); 3]);
        let chosen = balanced(&labels, 20, 1);
        let count =
            |range: std::ops::Range<usize>| chosen.iter().filter(|&&index| range.contains(&index)).count();
        assert_eq!((count(0..50) + count(50..60), count(60..63)), (17, 3));
        assert!(count(50..60) >= 8, "{chosen:?}");
        assert_eq!(balanced(&labels, 20, 1), chosen);
        assert_eq!(balanced(&labels, 99, 1).len(), 63);
        assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
