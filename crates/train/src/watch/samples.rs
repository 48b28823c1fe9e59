//! Sample verdicts over time: a few of many, spread over the run, the newest among them.

use serde_json::Value;

/// Samples that are kept at most.
const MOST: usize = 160;
/// The newest of them, which are all kept.
const NEWEST: usize = 40;
/// Characters of a text that are kept.
const CHARACTERS: usize = 2_000;

/// Lines of `samples.jsonl`, thinned.
#[derive(Debug, Clone)]
pub(super) struct Samples {
    /// Place in the file, and the line.
    kept: Vec<(usize, Value)>,
    seen: usize,
    /// Of the older ones, those at multiples of it are kept.
    stride: usize,
}

impl Default for Samples {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            seen: 0,
            stride: 1,
        }
    }
}

impl Samples {
    /// Takes a line; false if it is no object.
    pub(super) fn push(&mut self, mut line: Value) -> bool {
        if !line.is_object() {
            return false;
        }
        if let Some(step) = step(&line) {
            // A run that went on from a checkpoint writes some steps again.
            let kept = self
                .kept
                .partition_point(|(_, before)| self::step(before).is_none_or(|before| before <= step));
            self.kept.truncate(kept);
        }
        clip(&mut line);
        self.kept.push((self.seen, line));
        self.seen += 1;
        if self.kept.len() > MOST {
            self.thin();
        }
        true
    }

    /// Drops old ones that are no multiple of the stride, which doubles only where that is not enough: those that were
    /// among the newest last time have not been thinned yet.
    fn thin(&mut self) {
        loop {
            let (newest, stride) = (self.kept.len() - NEWEST, self.stride);
            let mut at = 0;
            self.kept.retain(|(place, _)| {
                at += 1;
                at > newest || place.is_multiple_of(stride)
            });
            if self.kept.len() <= MOST * 3 / 4 {
                return;
            }
            self.stride *= 2;
        }
    }

    /// The kept ones, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Value> {
        self.kept.iter().map(|(_, line)| line)
    }

    /// How many there were in all.
    pub(super) fn seen(&self) -> usize {
        self.seen
    }
}

fn step(line: &Value) -> Option<u64> {
    line.get("step")?.as_u64()
}

/// Cuts texts that nobody reads on a page, and says how much is gone.
fn clip(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some((at, _)) = text.char_indices().nth(CHARACTERS) {
                let gone = text[at..].chars().count();
                text.truncate(at);
                text.push_str(&format!("… ({gone} more characters)"));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(clip),
        Value::Object(fields) => fields.values_mut().for_each(clip),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn many_are_thinned_evenly_and_the_newest_stay() {
        let mut samples = Samples::default();
        for at in 0..10_000 {
            assert!(samples.push(json!({"step": at / 4, "at": at})));
        }
        let kept: Vec<u64> = samples.iter().map(|line| line["at"].as_u64().unwrap()).collect();
        assert!(kept.len() <= MOST && kept.len() > MOST / 4, "{}", kept.len());
        assert_eq!(kept[0], 0);
        let newest: Vec<u64> = (9_960..10_000).collect();
        assert!(kept.ends_with(&newest), "{kept:?}");
        let gaps: Vec<u64> = kept.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| *gap <= 256), "{gaps:?}");
        assert!(gaps.iter().take(30).all(|gap| *gap >= 64), "{gaps:?}");
        assert_eq!(samples.seen(), 10_000);
    }

    #[test]
    fn steps_done_again_replace_what_they_wrote() {
        let mut samples = Samples::default();
        for (step, text) in [(0, "a"), (5, "b"), (5, "c"), (9, "d"), (5, "e")] {
            samples.push(json!({"step": step, "text": text}));
        }
        let texts: Vec<&str> = samples
            .iter()
            .map(|line| line["text"].as_str().unwrap())
            .collect();
        assert_eq!(texts, ["a", "b", "c", "e"]);
    }

    #[test]
    fn long_texts_say_what_is_gone() {
        let mut samples = Samples::default();
        samples.push(json!({"step": 0, "responses": {"a": "é".repeat(CHARACTERS + 7)}}));
        let text = samples.iter().next().unwrap()["responses"]["a"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(text.ends_with("é… (7 more characters)"), "{text}");
        assert!(!samples.push(json!("text")));
    }
}
