//! The right answer of an item: scores, a ranking, or pairs.

use rewardanything_core::Response;
use rewardanything_core::metrics::{PairCounts, pairwise};

use crate::tree::{Tree, only};

/// What is known of the right answer, by the indices of the responses. There are scores, or pairs, or both.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemGold {
    /// One score for each response.
    pub scores: Option<Vec<f64>>,
    /// Best first; it also orders equal scores.
    pub ranking: Option<Vec<usize>>,
    /// Comparisons that were made: the better one, then the worse one. Where there are any, only these count.
    pub pairs: Option<Vec<(usize, usize)>>,
}

impl ItemGold {
    /// Reads `gold`: `{"scores": {name: number}, "ranking": [name], "pairs": [[better, worse]]}`.
    pub(crate) fn read(value: Option<&Tree>, responses: &[Response]) -> Result<Option<Self>, String> {
        let entries = match value {
            None | Some(Tree::Null) => return Ok(None),
            Some(Tree::Object(entries)) => entries,
            Some(other) => return Err(format!("gold must be an object, found {}", other.kind())),
        };
        let present = |key: &str| -> Result<Option<&Tree>, String> {
            let value = only(entries, key).map_err(|why| format!("gold: {why}"))?;
            Ok(value.filter(|value| **value != Tree::Null))
        };
        let gold = ItemGold {
            scores: present("scores")?
                .map(|value| scores(value, responses))
                .transpose()?,
            ranking: present("ranking")?
                .map(|value| ranking(value, responses))
                .transpose()?,
            pairs: present("pairs")?
                .map(|value| pairs(value, responses))
                .transpose()?,
        };
        if gold.scores.is_none() && gold.pairs.is_none() {
            return Err("gold must have scores or pairs".to_owned());
        }
        gold.check_ranking(responses)?;
        Ok(Some(gold))
    }

    fn check_ranking(&self, responses: &[Response]) -> Result<(), String> {
        let (Some(scores), Some(ranking)) = (&self.scores, &self.ranking) else {
            return Ok(());
        };
        match ranking.windows(2).find(|pair| scores[pair[0]] < scores[pair[1]]) {
            None => Ok(()),
            Some(pair) => Err(format!(
                "gold.ranking puts {:?} before {:?}, and gold.scores say otherwise",
                responses[pair[0]].name, responses[pair[1]].name
            )),
        }
    }

    /// The pairs that have an order, the better response first: those given, else those whose scores differ.
    ///
    /// ```
    /// use rewardanything_evals::gold::ItemGold;
    ///
    /// let scores = Some(vec![1.0, 5.0, 1.0]);
    /// let gold = ItemGold { scores, ranking: None, pairs: None };
    /// assert_eq!(gold.ordered_pairs(), [(1, 0), (1, 2)]);
    /// ```
    pub fn ordered_pairs(&self) -> Vec<(usize, usize)> {
        if let Some(pairs) = &self.pairs {
            return pairs.clone();
        }
        let scores = self.scores.as_deref().unwrap_or_default();
        let mut pairs = Vec::new();
        for a in 0..scores.len() {
            for b in a + 1..scores.len() {
                if scores[a] > scores[b] {
                    pairs.push((a, b));
                } else if scores[b] > scores[a] {
                    pairs.push((b, a));
                }
            }
        }
        pairs
    }

    /// What a prediction makes of the pairs: right, tied or wrong. No prediction is wrong throughout.
    pub fn count(&self, predicted: Option<&[f64]>) -> PairCounts {
        if let (None, Some(scores), Some(predicted)) = (&self.pairs, &self.scores, predicted) {
            return pairwise(predicted, scores);
        }
        let mut counts = PairCounts::default();
        for (better, worse) in self.ordered_pairs() {
            match predicted.map(|scores| (scores[better], scores[worse])) {
                Some((better, worse)) if better > worse => counts.correct += 1,
                Some((better, worse)) if better == worse => counts.tied += 1,
                _ => counts.wrong += 1,
            }
        }
        counts
    }
}

fn index(name: &str, responses: &[Response]) -> Option<usize> {
    responses.iter().position(|response| response.name == name)
}

fn scores(value: &Tree, responses: &[Response]) -> Result<Vec<f64>, String> {
    let Tree::Object(entries) = value else {
        return Err(format!("gold.scores must be an object, found {}", value.kind()));
    };
    if let Some((stranger, _)) = entries.iter().find(|(name, _)| index(name, responses).is_none()) {
        return Err(format!("gold.scores names {stranger:?}, which is no response"));
    }
    responses
        .iter()
        .map(|Response { name, .. }| {
            let score = only(entries, name).map_err(|why| format!("gold.scores: {why}"))?;
            let score = score.ok_or_else(|| format!("gold.scores has no score for {name:?}"))?;
            score
                .as_f64()
                .ok_or_else(|| format!("gold.scores.{name} must be a number, found {}", score.kind()))
        })
        .collect()
}

fn ranking(value: &Tree, responses: &[Response]) -> Result<Vec<usize>, String> {
    let names = names("gold.ranking", value, responses)?;
    let mut sorted = names.clone();
    sorted.sort_unstable();
    if sorted != (0..responses.len()).collect::<Vec<_>>() {
        return Err("gold.ranking must name every response once".to_owned());
    }
    Ok(names)
}

fn pairs(value: &Tree, responses: &[Response]) -> Result<Vec<(usize, usize)>, String> {
    let list = value
        .as_list()
        .ok_or_else(|| format!("gold.pairs must be a list, found {}", value.kind()))?;
    list.iter()
        .enumerate()
        .map(
            |(at, pair)| match names(&format!("gold.pairs[{at}]"), pair, responses)?[..] {
                [better, worse] if better != worse => Ok((better, worse)),
                _ => Err(format!("gold.pairs[{at}] must name two responses")),
            },
        )
        .collect()
}

fn names(field: &str, value: &Tree, responses: &[Response]) -> Result<Vec<usize>, String> {
    let list = value
        .as_list()
        .ok_or_else(|| format!("{field} must be a list of names, found {}", value.kind()))?;
    list.iter()
        .map(|name| {
            let name = name
                .as_text()
                .ok_or_else(|| format!("{field} must hold names, found {}", name.kind()))?;
            index(name, responses).ok_or_else(|| format!("{field} names {name:?}, which is no response"))
        })
        .collect()
}
