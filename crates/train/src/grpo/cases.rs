//! Cases from a file: a request and its gold verdict on every line.

use crate::TrainError;
use rewardanything_core::{Gold, JudgeRequest, Response};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

/// A request of a file with its gold verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its id, as in the file.
    pub id: String,
    /// What is to be judged.
    pub request: JudgeRequest,
    /// The right verdict, by index of the request's responses.
    pub gold: Gold,
}

/// Reads a JSON Lines file of `{"id", "principle", "prompt", "responses": {NAME: TEXT}, "gold": {"scores": {NAME:
/// NUMBER}, "ranking": [NAME]}}`. Blank lines are skipped and other keys ignored. Unlike a judge's input, where a bad
/// line is an item that failed, a bad line here ends it: what is trained on should be what was meant.
///
/// # Errors
/// [`TrainError::File`] naming line and field: what is missing or of another type, a request that cannot be judged, a
/// response without a score or with one outside of 1 to 5, a ranking that leaves one out or contradicts the scores, an
/// id that is taken, or no item at all.
pub fn read(path: &Path) -> Result<Vec<Item>, TrainError> {
    let error = |message: String| TrainError::File {
        path: path.to_owned(),
        message,
    };
    let text = std::fs::read_to_string(path).map_err(|e| error(e.to_string()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut items = Vec::new();
    let mut first_use = HashMap::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let item = parse(line).map_err(|message| error(format!("line {}: {message}", index + 1)))?;
        if let Some(first) = first_use.insert(item.id.clone(), index + 1) {
            let message = format!("line {}: id: {} is taken by line {first}", index + 1, item.id);
            return Err(error(message));
        }
        items.push(item);
    }
    if items.is_empty() {
        return Err(error("expected an item on every line, got none".to_owned()));
    }
    Ok(items)
}

#[derive(Deserialize)]
struct RawItem {
    id: Option<Value>,
    principle: Option<Value>,
    prompt: Option<Value>,
    responses: Option<Named>,
    gold: Option<RawGold>,
}

#[derive(Deserialize)]
struct RawGold {
    scores: Option<Named>,
    ranking: Option<Value>,
}

fn parse(line: &str) -> Result<Item, String> {
    let raw: RawItem = serde_json::from_str(line).map_err(|e| format!("not an item: {e}"))?;
    let id = match raw.id {
        Some(Value::String(text)) => text,
        Some(Value::Number(number)) => number.to_string(),
        other => return Err(wrong("id", "a string or a number", other.as_ref())),
    };
    let text = |field: &str, value: Option<Value>| match value {
        Some(Value::String(text)) => Ok(text),
        other => Err(wrong(field, "a string", other.as_ref())),
    };
    let (principle, prompt) = (text("principle", raw.principle)?, text("prompt", raw.prompt)?);
    let responses = raw
        .responses
        .ok_or_else(|| wrong("responses", "an object of names and texts", None))?;
    let responses = responses
        .0
        .into_iter()
        .map(|(name, value)| {
            let field = format!("responses.{name}");
            Ok(Response::new(name, text(&field, Some(value))?))
        })
        .collect::<Result<Vec<_>, String>>()?;
    let request = JudgeRequest::new(principle, prompt, responses).map_err(|e| e.to_string())?;
    let gold = raw
        .gold
        .ok_or_else(|| wrong("gold", "an object of scores and ranking", None))?;
    let gold = read_gold(gold, &request)?;
    Ok(Item { id, request, gold })
}

fn read_gold(raw: RawGold, request: &JudgeRequest) -> Result<Gold, String> {
    let scores = raw
        .scores
        .ok_or_else(|| wrong("gold.scores", "an object of names and scores", None))?;
    let place = |field: &str, name: &str| {
        let found = request.responses().iter().position(|r| r.name == name);
        found.ok_or_else(|| format!("{field}: no response is called {name:?}"))
    };
    let mut by_response = vec![None; request.responses().len()];
    for (name, value) in &scores.0 {
        let field = format!("gold.scores.{name}");
        let score = value.as_f64().filter(|score| (1.0..=5.0).contains(score));
        let slot = &mut by_response[place("gold.scores", name)?];
        if slot.is_some() {
            return Err(format!("{field}: given twice"));
        }
        *slot = Some(score.ok_or_else(|| format!("{field}: expected 1 to 5, got {value}"))?);
    }
    let scores = by_response
        .into_iter()
        .zip(request.responses())
        .map(|(score, r)| score.ok_or_else(|| format!("gold.scores: {:?} has none", r.name)))
        .collect::<Result<Vec<f64>, String>>()?;
    let names = match &raw.ranking {
        Some(Value::Array(names)) => names,
        other => return Err(wrong("gold.ranking", "a list of names", other.as_ref())),
    };
    let ranking = names
        .iter()
        .map(|name| match name {
            Value::String(name) => place("gold.ranking", name),
            other => Err(wrong("gold.ranking", "names", Some(other))),
        })
        .collect::<Result<Vec<usize>, String>>()?;
    let mut sorted = ranking.clone();
    sorted.sort_unstable();
    if sorted != (0..scores.len()).collect::<Vec<_>>() {
        return Err(format!(
            "gold.ranking: expected each of the {} responses once, got {} names",
            scores.len(),
            names.len()
        ));
    }
    let name = |response: usize| &request.responses()[response].name;
    if let Some(pair) = ranking.windows(2).find(|pair| scores[pair[0]] < scores[pair[1]]) {
        return Err(format!(
            "gold.ranking: {:?} stands before {:?}, whose score is higher",
            name(pair[0]),
            name(pair[1])
        ));
    }
    Ok(Gold { scores, ranking })
}

fn wrong(field: &str, expected: &str, got: Option<&Value>) -> String {
    let got = match got {
        None | Some(Value::Null) => "nothing",
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a string",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "an object",
    };
    format!("{field}: expected {expected}, got {got}")
}

/// An object as it stands. A map would drop the first of two equal names in silence.
struct Named(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamedVisitor)
    }
}

struct NamedVisitor;

impl<'de> Visitor<'de> for NamedVisitor {
    type Value = Named;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object by the names of the responses")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Named(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"id": "x", "principle": "Short.", "prompt": "Hi?", "responses": {"a": "A", "b": "Bb"}, "gold": {"scores": {"b": 2, "a": 5}, "ranking": ["a", "b"]}, "measure": "words"}"#;

    #[test]
    fn an_item_is_read_by_name() {
        let item = parse(GOOD).unwrap();
        assert_eq!((item.id.as_str(), item.gold.scores), ("x", vec![5.0, 2.0]));
        assert_eq!(item.gold.ranking, [0, 1]);
    }

    #[test]
    fn faults_name_line_and_field() {
        #[track_caller]
        fn check(from: &str, to: &str, expect: &str) {
            assert!(GOOD.contains(from), "{from}");
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("items.jsonl");
            std::fs::write(&path, format!("{GOOD}\n\n{}\n", GOOD.replace(from, to))).unwrap();
            let message = read(&path).unwrap_err().to_string();
            let expect = format!("line 3: {expect}");
            assert!(message.contains(&expect), "expected {expect:?} in {message:?}");
        }
        check("\"x\"", "\"x\"", "id: x is taken by line 1");
        check(
            "\"id\": \"x\", ",
            "",
            "id: expected a string or a number, got nothing",
        );
        check("\"Short.\"", "[1]", "principle: expected a string, got a list");
        check("\"Short.\"", "\" \"", "principle: expected something to judge by");
        check("\"Bb\"", "3", "responses.b: expected a string, got a number");
        check("\"b\": \"Bb\"", "\"a\": \"Bb\"", "responses[1].name");
        check(
            "{\"a\": \"A\", \"b\": \"Bb\"}",
            "[]",
            "not an item: invalid type: sequence",
        );
        check(
            "\"gold\"",
            "\"silver\"",
            "gold: expected an object of scores and ranking, got nothing",
        );
        check("\"b\": 2, ", "", "gold.scores: \"b\" has none");
        check("\"b\": 2", "\"c\": 2", "gold.scores: no response is called \"c\"");
        check("\"b\": 2", "\"b\": 7", "gold.scores.b: expected 1 to 5, got 7");
        check(
            "\"b\": 2",
            "\"b\": \"2\"",
            "gold.scores.b: expected 1 to 5, got \"2\"",
        );
        check("\"b\": 2", "\"a\": 5", "gold.scores.a: given twice");
        check(
            "[\"a\", \"b\"]",
            "[\"a\"]",
            "gold.ranking: expected each of the 2 responses once",
        );
        check(
            "[\"a\", \"b\"]",
            "[\"b\", \"a\"]",
            "gold.ranking: \"b\" stands before \"a\"",
        );
        check(
            "[\"a\", \"b\"]",
            "\"a\"",
            "gold.ranking: expected a list of names, got a string",
        );
        check("{\"id\"", "\"id\"", "not an item");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.jsonl");
        std::fs::write(&path, "\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("got none"));
    }
}
