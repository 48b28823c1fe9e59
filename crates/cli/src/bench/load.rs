//! A run, read back: what became of each item. No model is needed, so figures can be computed anew at any time.

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use rewardanything_evals::outcome::{Judged, Outcome};
use rewardanything_evals::report::{Cost, Counts, Worst, WorstResponse};
use rewardanything_evals::sample::Sample;

use super::data::{self, Entry, record_ids};
use super::header::Header;
use crate::items::{self, Id};
use crate::records::Record;

/// A run in memory: numbers, no texts.
pub(crate) struct Loaded {
    pub(crate) folder: PathBuf,
    pub(crate) header: Header,
    /// Where the data lies.
    pub(crate) data: PathBuf,
    pub(crate) items: Vec<Judged>,
    pub(crate) counts: Counts,
    pub(crate) cost: Cost,
}

/// What scoring needs of a record.
struct Slim {
    scores: HashMap<String, f64>,
    probabilities: HashMap<String, [f64; 5]>,
    failure: Option<String>,
    agreement: Option<f64>,
}

impl Loaded {
    /// Reads a run. `data` says where the data lies, if not where the header says.
    ///
    /// # Errors
    /// The folder is no run, its data cannot be read or is other data, or a record is none.
    pub(crate) fn read(folder: &Path, data: Option<&Path>) -> Result<Self> {
        let header = Header::read(folder)?;
        let data = data.unwrap_or(&header.data.path).to_owned();
        let hash = data::hash(&data)
            .with_context(|| format!("{}: where the data lies now is said by --data", folder.display()))?;
        ensure!(
            hash == header.data.sha256,
            "{}: {} is not the data of this run: its hash is {hash}, expected {}",
            folder.display(),
            data.display(),
            header.data.sha256
        );
        let (records, cost) = slim_records(folder)?;
        let mut loaded = Loaded {
            folder: folder.to_owned(),
            data,
            items: Vec::new(),
            counts: Counts {
                bad_lines: header.data.bad_lines,
                ..Counts::default()
            },
            cost,
            header,
        };
        loaded.assemble(&records)?;
        Ok(loaded)
    }

    fn assemble(&mut self, records: &HashMap<Id, Slim>) -> Result<()> {
        let settings = &self.header.settings;
        let (games, pointwise) = (settings.games, settings.pointwise);
        let mut failed: BTreeMap<String, usize> = BTreeMap::new();
        for entry in data::entries(
            &self.data,
            self.header.layout()?,
            self.header.principle.as_deref(),
        )? {
            let Entry::Item { id, item, .. } = entry? else {
                continue;
            };
            self.counts.items += 1;
            let sample = Sample::new(id, &item).map_err(anyhow::Error::msg)?;
            let ids = record_ids(&sample.id, &sample.names, games, pointwise);
            let found: Option<Vec<Vec<&Slim>>> = ids
                .iter()
                .map(|pieces| pieces.iter().map(|id| records.get(id)).collect())
                .collect();
            // An item that was not judged to its end is not judged: it is counted apart, not as wrong.
            let Some(found) = found else {
                continue;
            };
            let games: Vec<Outcome> = found.iter().map(|pieces| outcome(&sample, pieces)).collect();
            self.counts.judged += 1;
            if let Some(kind) = games.iter().find_map(|game| game.failure.clone()) {
                *failed.entry(kind).or_default() += 1;
            }
            self.items.push(Judged { sample, games });
        }
        self.counts.failed = failed;
        ensure!(
            !self.items.is_empty(),
            "{}: nothing is judged yet",
            self.folder.display()
        );
        Ok(())
    }

    /// The items of these indices with their texts, reasoning and failures, in this order.
    ///
    /// # Errors
    /// The data or the records cannot be read.
    pub(crate) fn in_full(&self, indices: &[usize]) -> Result<Vec<Worst>> {
        let wanted: HashMap<&Id, usize> = indices
            .iter()
            .map(|&index| (&self.items[index].sample.id, index))
            .collect();
        let settings = &self.header.settings;
        let mut texts: HashMap<Id, (String, Option<String>)> = HashMap::new();
        let first_records: HashMap<Id, &Id> = wanted
            .iter()
            .flat_map(|(id, &index)| {
                let names = &self.items[index].sample.names;
                let ids = record_ids(id, names, settings.games, settings.pointwise);
                ids.into_iter().flatten().map(|record| (record, *id))
            })
            .collect();
        for_each_record(&self.folder, |record| {
            if let Some(item) = record.id.as_ref().and_then(|id| first_records.get(id)) {
                let (reasoning, failure) = texts.entry((*item).clone()).or_default();
                if !record.reasoning.is_empty() {
                    if !reasoning.is_empty() {
                        reasoning.push_str("\n\n");
                    }
                    reasoning.push_str(&record.reasoning);
                }
                *failure = record.error.map(|error| error.message).or(failure.take());
            }
        })?;
        let mut found: HashMap<usize, Worst> = HashMap::new();
        let principle = self.header.principle.as_deref();
        for entry in data::entries(&self.data, self.header.layout()?, principle)? {
            let Entry::Item { id, item, .. } = entry? else {
                continue;
            };
            let Some(&index) = wanted.get(&id) else {
                continue;
            };
            let judged = &self.items[index];
            let (reasoning, failure) = texts.remove(&id).unwrap_or_default();
            let responses = item.request.responses().iter().enumerate();
            let worst = Worst {
                id,
                principle: item.request.principle().to_owned(),
                prompt: item.request.prompt().to_owned(),
                responses: responses
                    .map(|(at, response)| WorstResponse {
                        name: response.name.clone(),
                        text: response.text.clone(),
                        gold: judged.sample.gold.scores.as_ref().map(|scores| scores[at]),
                        score: judged.scores().map(|scores| scores[at]),
                    })
                    .collect(),
                reasoning,
                failure,
            };
            found.insert(index, worst);
        }
        Ok(indices.iter().filter_map(|index| found.remove(index)).collect())
    }
}

/// One game from its records: one of all responses, or one for each.
fn outcome(sample: &Sample, pieces: &[&Slim]) -> Outcome {
    let scores = sample
        .names
        .iter()
        .map(|name| pieces.iter().find_map(|piece| piece.scores.get(name)).copied())
        .collect();
    let probabilities = sample
        .names
        .iter()
        .map(|name| {
            pieces
                .iter()
                .find_map(|piece| piece.probabilities.get(name))
                .copied()
        })
        .collect();
    let failure = pieces.iter().find_map(|piece| piece.failure.clone());
    let outcome = Outcome {
        scores,
        probabilities,
        failure,
        agreement: pieces.iter().find_map(|piece| piece.agreement),
    };
    match outcome {
        // A verdict that leaves a response out is none.
        Outcome {
            scores: None,
            failure: None,
            ..
        } => Outcome::failed("unscored"),
        Outcome {
            failure: Some(why), ..
        } => Outcome::failed(&why),
        outcome => outcome,
    }
}

fn slim_records(folder: &Path) -> Result<(HashMap<Id, Slim>, Cost)> {
    let (mut records, mut cost) = (HashMap::new(), Cost::default());
    for_each_record(folder, |record| {
        cost.prompt_tokens += record.usage.prompt_tokens;
        cost.completion_tokens += record.usage.completion_tokens;
        cost.seconds += record.seconds;
        let Some(id) = record.id else {
            return;
        };
        let numbers = |value: &serde_json::Value| -> Option<[f64; 5]> {
            let list: Vec<f64> = value
                .as_array()?
                .iter()
                .filter_map(serde_json::Value::as_f64)
                .collect();
            list.try_into().ok()
        };
        let slim = Slim {
            scores: record
                .scores
                .iter()
                .filter_map(|(name, score)| Some((name.clone(), score.as_f64()?)))
                .collect(),
            probabilities: record
                .soft
                .iter()
                .filter_map(|(name, soft)| Some((name.clone(), numbers(soft.get("probabilities")?)?)))
                .collect(),
            failure: record.error.map(|error| error.kind),
            agreement: record.votes.and_then(|votes| votes.agreement),
        };
        records.insert(id, slim);
    })?;
    Ok((records, cost))
}

/// Each record of a run, one at a time; the last one of an id counts, so later ones come later. A torn last line is none.
fn for_each_record(folder: &Path, mut each: impl FnMut(Record)) -> Result<()> {
    let path = super::records(folder);
    let mut lines = items::open(&path)?.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let line = line.with_context(|| format!("cannot read {}", path.display()))?;
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str(&line) {
            Ok(record) => each(record),
            Err(_) if lines.peek().is_none() => {}
            Err(error) => {
                return Err(error).with_context(|| format!("{}, line {}", path.display(), index + 1));
            }
        }
    }
    Ok(())
}
