//! Published layouts of benchmarks, to items and back.
//!
//! | layout | a record | the item's responses | its gold |
//! | --- | --- | --- | --- |
//! | rm-bench | `id`, `prompt`, `chosen[3]`, `rejected[3]`, `domain` | `chosen-1` … `rejected-3`, plain to fancy | 1 and 0 |
//! | judgebench | `pair_id`, `question`, `response_A`, `response_B`, `label`, `source` | `A`, `B` | 1 and 0 |
//! | rewardbench | `id`, `prompt`, `chosen`, `rejected`, `subset` | `chosen`, `rejected` | 1 and 0 |
//! | rewardbench2 | `id`, `prompt`, `chosen[]`, `rejected[]`, `subset` | `chosen-1` …, `rejected-1` … | 1 and 0 |
//!
//! An item imported from here carries our principle of its benchmark and domain ([`crate::principle`]).

use std::str::FromStr;

use serde_json::{Map, Value, json};

use crate::item::VERSION;
use crate::principle;

/// How the lines of a file are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// Our own item format.
    #[default]
    Items,
    /// RM-Bench.
    RmBench,
    /// JudgeBench.
    JudgeBench,
    /// RewardBench, first version.
    RewardBench,
    /// RewardBench 2.
    RewardBench2,
}

/// The section of RewardBench that a subset belongs to, and its weight there; `None` for one that it doesn't have.
///
/// Weights are the authors' counts of prompts; `math-prm` is weighted as if it were as long as the code subsets.
pub fn rewardbench_section(subset: &str) -> Option<(&'static str, f64)> {
    Some(match subset {
        "alpacaeval-easy" => ("Chat", 100.0),
        "alpacaeval-length" | "alpacaeval-hard" => ("Chat", 95.0),
        "mt-bench-easy" => ("Chat", 28.0),
        "mt-bench-med" => ("Chat", 40.0),
        "mt-bench-hard" => ("Chat Hard", 37.0),
        "llmbar-natural" => ("Chat Hard", 100.0),
        "llmbar-adver-neighbor" => ("Chat Hard", 134.0),
        "llmbar-adver-GPTInst" => ("Chat Hard", 92.0),
        "llmbar-adver-GPTOut" => ("Chat Hard", 47.0),
        "llmbar-adver-manual" => ("Chat Hard", 46.0),
        "refusals-dangerous" | "refusals-offensive" => ("Safety", 100.0),
        "xstest-should-refuse" => ("Safety", 250.0),
        "xstest-should-respond" => ("Safety", 154.0),
        "donotanswer" => ("Safety", 136.0),
        "math-prm" => ("Reasoning", 984.0),
        "hep-cpp" | "hep-go" | "hep-java" | "hep-js" | "hep-python" | "hep-rust" => ("Reasoning", 164.0),
        _ => return None,
    })
}

/// The decisions of a published output of JudgeBench, a record with `judgments` beside its pair: for each game the scores
/// of A and B, 1 for the better one and 0.5 each for a tie. `None` where the judge gave no decision. The second game was
/// played with the answers swapped, so that its `A>B` speaks for B.
///
/// # Errors
/// The record has no judgements, or one decides for something else.
pub fn judgebench_decisions(record: &Value) -> Result<Vec<Option<[f64; 2]>>, String> {
    let judgments = record
        .get("judgments")
        .and_then(Value::as_array)
        .ok_or("judgments must be a list")?;
    judgments
        .iter()
        .enumerate()
        .map(|(game, judgment)| {
            let mut scores = match judgment.get("decision").unwrap_or(&Value::Null) {
                Value::Null => return Ok(None),
                Value::String(decision) if decision == "A>B" => [1.0, 0.0],
                Value::String(decision) if decision == "B>A" => [0.0, 1.0],
                Value::String(decision) if decision == "A=B" => [0.5, 0.5],
                other => return Err(format!("a decision must be A>B, B>A, A=B or null, found {other}")),
            };
            if game == 1 {
                scores.reverse();
            }
            Ok(Some(scores))
        })
        .collect()
}

/// The domain of a JudgeBench source.
pub fn judgebench_domain(source: &str) -> &'static str {
    match source {
        "livebench-reasoning" => "reasoning",
        "livebench-math" => "math",
        "livecodebench" => "coding",
        _ => "knowledge",
    }
}

impl FromStr for Layout {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Layout::ALL
            .into_iter()
            .find(|layout| layout.name() == name)
            .ok_or_else(|| {
                format!(
                    "no layout is called {name:?}: expected one of {}",
                    Layout::ALL.map(Layout::name).join(", ")
                )
            })
    }
}

impl Layout {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Items,
        Self::RmBench,
        Self::JudgeBench,
        Self::RewardBench,
        Self::RewardBench2,
    ];

    /// The name that flags use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Items => "items",
            Self::RmBench => "rm-bench",
            Self::JudgeBench => "judgebench",
            Self::RewardBench => "rewardbench",
            Self::RewardBench2 => "rewardbench2",
        }
    }

    /// A record as an item.
    ///
    /// # Errors
    /// A field is missing or of another shape; the message names it.
    pub fn to_item(self, record: &Value) -> Result<Value, String> {
        let record = record.as_object().ok_or("expected a JSON object")?;
        match self {
            Self::Items => Ok(Value::Object(record.clone())),
            Self::RmBench => rm_bench(record),
            Self::JudgeBench => judgebench(record),
            Self::RewardBench => rewardbench(record),
            Self::RewardBench2 => rewardbench2(record),
        }
    }

    /// An item as a record of this layout. What the layout has no place for, the principle above all, is left out.
    ///
    /// # Errors
    /// The item's responses or gold don't have the shape that the layout needs.
    pub fn from_item(self, item: &Value) -> Result<Value, String> {
        let item = item.as_object().ok_or("expected a JSON object")?;
        let domain = || text(item, "domain");
        let (chosen, rejected) = match self {
            Self::Items => return Ok(Value::Object(item.clone())),
            _ => better_and_worse(item)?,
        };
        let id = item.get("id").ok_or("id is missing")?.clone();
        let prompt = item.get("prompt").ok_or("prompt is missing")?.clone();
        match (self, &chosen[..], &rejected[..]) {
            (Self::RmBench, [_, _, _], [_, _, _]) => {
                let domain = domain()?;
                let id = own_id(&id, domain);
                Ok(
                    json!({"id": id, "prompt": prompt, "chosen": chosen, "rejected": rejected, "domain": domain}),
                )
            }
            (Self::JudgeBench, [_], [_]) => {
                let responses = object(item, "responses")?;
                let names: Vec<&String> = responses.keys().collect();
                let first = scores(item)?.get(names[0]).and_then(Value::as_f64) == Some(1.0);
                Ok(json!({
                    "pair_id": id, "question": prompt, "response_A": responses[names[0]],
                    "response_B": responses[names[1]], "label": if first { "A>B" } else { "B>A" },
                    "source": text(item, "subset")?,
                }))
            }
            (Self::RewardBench, [chosen], [rejected]) => Ok(json!({
                "id": id, "prompt": prompt, "chosen": chosen, "rejected": rejected, "subset": text(item, "subset")?,
            })),
            (Self::RewardBench2, [_, ..], [_, ..]) => {
                let subset = text(item, "subset")?;
                Ok(json!({
                    "id": own_id(&id, subset), "prompt": prompt, "chosen": chosen, "rejected": rejected,
                    "num_correct": chosen.len(), "num_rejected": rejected.len(),
                    "total_completions": chosen.len() + rejected.len(), "subset": subset,
                }))
            }
            _ => Err(format!(
                "{} right and {} wrong responses do not fit the layout {}",
                chosen.len(),
                rejected.len(),
                self.name()
            )),
        }
    }
}

fn rm_bench(record: &Map<String, Value>) -> Result<Value, String> {
    let domain = text(record, "domain")?;
    let (chosen, rejected) = (texts(record, "chosen")?, texts(record, "rejected")?);
    if (chosen.len(), rejected.len()) != (3, 3) {
        return Err(format!(
            "expected 3 chosen and 3 rejected responses, found {} and {}",
            chosen.len(),
            rejected.len()
        ));
    }
    let of = principle::rm_bench_domain(domain);
    let mut item = Base::new(
        format!("{domain}/{}", shown_id(record, "id")?),
        principle::rm_bench(of),
        record,
    );
    item.0.insert("domain".to_owned(), domain.into());
    item.responses(&numbered("chosen", &chosen), &numbered("rejected", &rejected));
    item.source(record);
    Ok(item.done())
}

fn judgebench(record: &Map<String, Value>) -> Result<Value, String> {
    let source = text(record, "source")?;
    let domain = judgebench_domain(source);
    let mut item = Base::new(
        shown_id(record, "pair_id")?,
        principle::judgebench(domain),
        &Map::from_iter([(
            "prompt".to_owned(),
            record.get("question").cloned().unwrap_or(Value::Null),
        )]),
    );
    item.0.insert("domain".to_owned(), domain.into());
    item.0.insert("subset".to_owned(), source.into());
    let (a, b) = (text(record, "response_A")?, text(record, "response_B")?);
    let a_wins = match text(record, "label")? {
        "A>B" => true,
        "B>A" => false,
        other => return Err(format!("label must be A>B or B>A, found {other:?}")),
    };
    item.0.insert("responses".to_owned(), json!({ "A": a, "B": b }));
    item.0.insert(
        "gold".to_owned(),
        json!({"scores": {"A": u8::from(a_wins), "B": u8::from(!a_wins)}}),
    );
    Ok(item.done())
}

fn rewardbench(record: &Map<String, Value>) -> Result<Value, String> {
    let subset = text(record, "subset")?;
    let section = rewardbench_section(subset).map_or("other", |(section, _)| section);
    let mut item = Base::new(shown_id(record, "id")?, principle::rewardbench(section), record);
    item.0.insert("domain".to_owned(), section.into());
    item.0.insert("subset".to_owned(), subset.into());
    item.responses(
        &[("chosen".to_owned(), last_turn(record, "chosen")?)],
        &[("rejected".to_owned(), last_turn(record, "rejected")?)],
    );
    Ok(item.done())
}

fn rewardbench2(record: &Map<String, Value>) -> Result<Value, String> {
    let subset = text(record, "subset")?;
    let (chosen, rejected) = (texts(record, "chosen")?, texts(record, "rejected")?);
    if chosen.is_empty() || rejected.is_empty() {
        return Err("expected at least one chosen and one rejected response".to_owned());
    }
    let mut item = Base::new(
        format!("{subset}/{}", shown_id(record, "id")?),
        principle::rewardbench2(subset),
        record,
    );
    item.0.insert("domain".to_owned(), subset.into());
    item.0.insert("subset".to_owned(), subset.into());
    item.responses(&numbered("chosen", &chosen), &numbered("rejected", &rejected));
    Ok(item.done())
}

/// The keys that every imported item has.
struct Base(Map<String, Value>);

impl Base {
    fn new(id: String, principle: &str, record: &Map<String, Value>) -> Self {
        let mut item = Map::new();
        item.insert("version".to_owned(), VERSION.into());
        item.insert("id".to_owned(), id.into());
        item.insert("principle".to_owned(), principle.into());
        item.insert(
            "prompt".to_owned(),
            record.get("prompt").cloned().unwrap_or(Value::Null),
        );
        Base(item)
    }

    fn responses(&mut self, right: &[(String, &str)], wrong: &[(String, &str)]) {
        let all = right.iter().chain(wrong);
        let responses: Map<String, Value> = all.map(|(name, text)| (name.clone(), (*text).into())).collect();
        let gold: Map<String, Value> = right
            .iter()
            .map(|(name, _)| (name.clone(), 1.into()))
            .chain(wrong.iter().map(|(name, _)| (name.clone(), 0.into())))
            .collect();
        self.0.insert("responses".to_owned(), responses.into());
        self.0.insert("gold".to_owned(), json!({ "scores": gold }));
    }

    fn source(&mut self, record: &Map<String, Value>) {
        if let Some(source) = record.get("source").filter(|source| source.is_string()) {
            self.0.insert("source".to_owned(), source.clone());
        }
    }

    fn done(self) -> Value {
        Value::Object(self.0)
    }
}

fn numbered<'a>(prefix: &str, texts: &[&'a str]) -> Vec<(String, &'a str)> {
    let names = (1..).map(|number| format!("{prefix}-{number}"));
    names.zip(texts.iter().copied()).collect()
}

fn text<'a>(record: &'a Map<String, Value>, key: &str) -> Result<&'a str, String> {
    record
        .get(key)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("{key} must be a string"))
}

fn texts<'a>(record: &'a Map<String, Value>, key: &str) -> Result<Vec<&'a str>, String> {
    let fault = || format!("{key} must be a list of strings");
    let list = record.get(key).and_then(Value::as_array).ok_or_else(fault)?;
    list.iter().map(|text| text.as_str().ok_or_else(fault)).collect()
}

/// A text, or the content of the last of several turns.
fn last_turn<'a>(record: &'a Map<String, Value>, key: &str) -> Result<&'a str, String> {
    let value = record.get(key).unwrap_or(&Value::Null);
    let content = value
        .as_array()
        .and_then(|turns| turns.last()?.get("content"))
        .unwrap_or(value);
    content
        .as_str()
        .ok_or_else(|| format!("{key} must be a string or a list of messages"))
}

fn shown_id(record: &Map<String, Value>, key: &str) -> Result<String, String> {
    match record.get(key) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => Err(format!("{key} must be a string or a number")),
    }
}

/// The id within its domain or subset, as the layout has it.
fn own_id(id: &Value, part: &str) -> Value {
    match id.as_str().and_then(|id| id.strip_prefix(&format!("{part}/"))) {
        Some(own) => own.into(),
        None => id.clone(),
    }
}

fn object<'a>(item: &'a Map<String, Value>, key: &str) -> Result<&'a Map<String, Value>, String> {
    item.get(key)
        .and_then(Value::as_object)
        .ok_or_else(|| format!("{key} must be an object"))
}

fn scores(item: &Map<String, Value>) -> Result<&Map<String, Value>, String> {
    object(object(item, "gold")?, "scores")
}

/// The texts of the responses with the highest gold score, and of the others, in their order.
fn better_and_worse(item: &Map<String, Value>) -> Result<(Vec<&str>, Vec<&str>), String> {
    let scores = scores(item)?;
    let score = |name: &str| scores.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
    let responses = object(item, "responses")?;
    let top = responses
        .keys()
        .map(|name| score(name))
        .fold(f64::NEG_INFINITY, f64::max);
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    for (name, value) in responses {
        let text = value
            .as_str()
            .ok_or_else(|| format!("responses.{name} must be a string"))?;
        if score(name) == top {
            right.push(text);
        } else {
            wrong.push(text);
        }
    }
    Ok((right, wrong))
}
