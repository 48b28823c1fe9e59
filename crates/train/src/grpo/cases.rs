//! Cases from a file: a request and its gold verdict on every line.

use crate::TrainError;
use rewardanything_core::{Gold, JudgeRequest};
use rewardanything_evals::item::{Content, Id, ReadOptions, Reader};
use std::fs::File;
use std::io::BufReader;
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

/// Reads a file in the item format, all of whose items have gold scores and a ranking. Unlike a judge's input, where a
/// bad line is an item that failed, a bad line here ends it: what is trained on should be what was meant.
///
/// # Errors
/// [`TrainError::File`] naming line and field: what the format refuses, gold that is missing, pairs alone, or a score
/// outside of 1 to 5; or no item at all.
pub fn read(path: &Path) -> Result<Vec<Item>, TrainError> {
    let error = |message: String| TrainError::File {
        path: path.to_owned(),
        message,
    };
    let file = File::open(path).map_err(|e| error(e.to_string()))?;
    let mut items = Vec::new();
    for line in Reader::new(BufReader::new(file), ReadOptions::default()) {
        let line = line.map_err(|e| error(e.to_string()))?;
        let item = item(line.content).map_err(|message| error(format!("line {}: {message}", line.number)))?;
        items.push(item);
    }
    if items.is_empty() {
        return Err(error("expected an item on every line, got none".to_owned()));
    }
    Ok(items)
}

fn item(content: Content) -> Result<Item, String> {
    let (id, item) = match content {
        Content::Broken(why) => return Err(why),
        Content::Named(id, item) => (id, item?),
    };
    let gold = item.gold()?;
    let scores = gold
        .scores
        .clone()
        .ok_or("gold.scores is missing: pairs alone do not train")?;
    let ranking = gold.ranking.clone().ok_or("gold.ranking is missing")?;
    for (response, score) in item.request.responses().iter().zip(&scores) {
        if !(1.0..=5.0).contains(score) {
            return Err(format!(
                "gold.scores.{}: expected 1 to 5, got {score}",
                response.name
            ));
        }
    }
    let id = match id {
        Id::Text(text) => text,
        number => number.to_string(),
    };
    Ok(Item {
        id,
        request: item.request,
        gold: Gold { scores, ranking },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"id": "x", "principle": "Short.", "prompt": "Hi?", "responses": {"a": "A", "b": "Bb"}, "gold": {"scores": {"b": 2, "a": 5}, "ranking": ["a", "b"]}, "measure": "words"}"#;

    #[test]
    fn an_item_is_read_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("items.jsonl");
        std::fs::write(&path, GOOD).unwrap();
        let item = read(&path).unwrap().remove(0);
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
            let (good, bad) = (GOOD.replace("\"x\"", "\"first\""), GOOD.replace(from, to));
            std::fs::write(&path, format!("{good}\n\n{bad}\n")).unwrap();
            let message = read(&path).unwrap_err().to_string();
            let expect = format!("line 3: {expect}");
            assert!(message.contains(&expect), "expected {expect:?} in {message:?}");
        }
        check("\"x\"", "\"first\"", "the id \"first\" is taken by line 1");
        check("\"id\": \"x\", ", "", "the id is missing");
        check("\"Short.\"", "[1]", "principle must be a string, found a list");
        check("\"Short.\"", "\" \"", "principle: expected something to judge by");
        check("\"Bb\"", "3", "responses.b must be a string, found a number");
        check("\"b\": \"Bb\"", "\"a\": \"Bb\"", "responses[1].name");
        check(
            "{\"a\": \"A\", \"b\": \"Bb\"}",
            "[]",
            "responses: expected something to judge",
        );
        check("\"gold\"", "\"silver\"", "gold is missing");
        check("\"b\": 2, ", "", "gold.scores has no score for \"b\"");
        check(
            "\"b\": 2",
            "\"c\": 2",
            "gold.scores names \"c\", which is no response",
        );
        check(
            "\"b\": 2",
            "\"b\": 0.5",
            "gold.scores.b: expected 1 to 5, got 0.5",
        );
        check(
            "\"b\": 2",
            "\"b\": \"2\"",
            "gold.scores.b must be a number, found a string",
        );
        check("\"b\": 2", "\"a\": 5", "gold.scores");
        check(
            "[\"a\", \"b\"]",
            "[\"a\"]",
            "gold.ranking must name every response once",
        );
        check(
            "[\"a\", \"b\"]",
            "[\"b\", \"a\"]",
            "gold.ranking puts \"b\" before \"a\"",
        );
        check(
            "[\"a\", \"b\"]",
            "\"a\"",
            "gold.ranking must be a list of names, found a string",
        );
        check("{\"id\"", "\"id\"", "expected a JSON object");
        check(", \"ranking\": [\"a\", \"b\"]", "", "gold.ranking is missing");
        check(
            "\"scores\": {\"b\": 2, \"a\": 5}, \"ranking\": [\"a\", \"b\"]",
            "\"pairs\": [[\"a\", \"b\"]]",
            "gold.scores is missing",
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.jsonl");
        std::fs::write(&path, "\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("got none"));
    }
}
