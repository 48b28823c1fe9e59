//! The numbers of a run by step, and fewer of them that still tell the truth.

use serde_json::Value;
use std::collections::BTreeMap;

/// The key that counts steps, from 0. It is the axis of all curves and none itself.
const STEP: &str = "step";

/// Every number of every line, by step. Steps rise; a number that a line lacks is NaN.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curves {
    steps: Vec<u64>,
    columns: Vec<(String, Vec<f64>)>,
    places: BTreeMap<String, usize>,
}

/// What a curve is about, in the order in which people ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Whether it learns: rewards, loss, accuracy, form.
    Learning,
    /// How the policy moves: KL, entropy, clipping, gradients.
    Movement,
    /// Anything that is not known by name.
    Other,
    /// What a step costs: lengths, tokens, seconds.
    Cost,
}

/// The group of a curve and its place within it, by the words of its name.
pub fn group(name: &str) -> (Group, usize) {
    const KNOWN: [(Group, &[&str]); 3] = [
        (
            Group::Learning,
            &[
                "reward",
                "validation",
                "valid",
                "loss",
                "accuracy",
                "part",
                "pair",
                "distribution",
                "near",
                "rank",
                "ranking",
                "score",
                "format",
                "parsed",
            ],
        ),
        (
            Group::Movement,
            &[
                "kl",
                "entropy",
                "clip",
                "clipped",
                "mismatch",
                "ratio",
                "advantage",
                "gradient",
                "grad",
                "norm",
                "flat",
                "lr",
            ],
        ),
        (
            Group::Cost,
            &[
                "length",
                "truncated",
                "token",
                "second",
                "example",
                "group",
                "long",
                "rollout",
                "step",
                "memory",
                "longest",
                "replies",
                "update",
            ],
        ),
    ];
    let words: Vec<&str> = name
        .split(|next: char| !next.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    // One or many is no difference, but `loss` is no plural.
    let alike = |word: &str, known: &str| word == known || word.strip_suffix('s') == Some(known);
    for (group, known) in KNOWN {
        let place = known
            .iter()
            .position(|known| words.iter().any(|word| alike(word, known)));
        if let Some(place) = place {
            return (group, place);
        }
    }
    (Group::Other, 0)
}

/// Consecutive steps that are shown as one point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The mean of its numbers; NaN where it has none, and so the other two.
    pub mean: f64,
    /// The least of them.
    pub least: f64,
    /// The greatest of them.
    pub most: f64,
}

/// [`Curves`] in so many buckets that they can be drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Thinned {
    /// Lines in a bucket, a power of two, so that a growing run keeps its buckets for long; the last may have fewer.
    pub width: usize,
    /// First and last step of each bucket.
    pub steps: Vec<(u64, u64)>,
    /// Name and buckets of each curve, in the order of [`group`].
    pub curves: Vec<(String, Vec<Bucket>)>,
}

impl Curves {
    /// Steps that there are lines for, rising.
    pub fn steps(&self) -> &[u64] {
        &self.steps
    }

    /// The last step.
    pub fn last_step(&self) -> Option<u64> {
        self.steps.last().copied()
    }

    /// The numbers of a curve, one for each of [`Curves::steps`]; NaN where there is none.
    pub fn values(&self, name: &str) -> Option<&[f64]> {
        self.places
            .get(name)
            .map(|place| self.columns[*place].1.as_slice())
    }

    /// Names of all curves: learning first, then movement, then what is not known by name, then cost.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        // Curves of one object stay together, in the order in which they came.
        let stem = |name: &str| name.split('.').next().unwrap_or(name).to_owned();
        let first: BTreeMap<String, usize> = names
            .iter()
            .enumerate()
            .rev()
            .map(|(at, name)| (stem(name), at))
            .collect();
        names.sort_by_key(|name| (group(&stem(name)), first[&stem(name)]));
        names
    }

    /// Takes a line. True if it goes back: a step that was there already takes its own and all later ones away.
    ///
    /// `None`: the line is no object with a `step`.
    pub(super) fn push(&mut self, line: &Value) -> Option<bool> {
        let step = line.get(STEP)?.as_u64()?;
        let kept = self.steps.partition_point(|before| *before < step);
        let back = kept < self.steps.len();
        self.steps.truncate(kept);
        for (_, column) in &mut self.columns {
            column.truncate(kept);
        }
        self.steps.push(step);
        self.take(String::new(), line);
        for (_, column) in &mut self.columns {
            column.resize(self.steps.len(), f64::NAN);
        }
        Some(back)
    }

    fn take(&mut self, name: String, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    if name.is_empty() {
                        if key != STEP {
                            self.take(key.clone(), value);
                        }
                    } else {
                        self.take(format!("{name}.{key}"), value);
                    }
                }
            }
            Value::Array(items) => {
                for (at, value) in items.iter().enumerate() {
                    self.take(format!("{name}.{at}"), value);
                }
            }
            Value::Bool(flag) => self.set(name, f64::from(u8::from(*flag))),
            Value::Number(number) => self.set(name, number.as_f64().unwrap_or(f64::NAN)),
            // JSON has no NaN; null is what becomes of one. The curve is there, with a gap.
            Value::Null => self.set(name, f64::NAN),
            Value::String(_) => {}
        }
    }

    fn set(&mut self, name: String, value: f64) {
        let row = self.steps.len() - 1;
        let place = *self.places.entry(name).or_insert_with_key(|name| {
            self.columns.push((name.clone(), Vec::new()));
            self.columns.len() - 1
        });
        let column = &mut self.columns[place].1;
        column.resize(row, f64::NAN);
        column.push(value);
    }

    /// At most `most` buckets, at least half as many once there are so many lines. No extreme is lost: each bucket
    /// keeps its least and its greatest number beside the mean.
    ///
    /// # Panics
    /// If `most` is 0.
    pub fn thin(&self, most: usize) -> Thinned {
        assert!(most > 0, "nothing can be shown in no bucket");
        let width = self.steps.len().div_ceil(most).max(1).next_power_of_two();
        let steps = self
            .steps
            .chunks(width)
            .map(|part| (part[0], part[part.len() - 1]))
            .collect();
        let bucket = |part: &[f64]| {
            let finite = || part.iter().copied().filter(|value| value.is_finite());
            let count = finite().count();
            if count == 0 {
                let nan = f64::NAN;
                return Bucket {
                    mean: nan,
                    least: nan,
                    most: nan,
                };
            }
            Bucket {
                mean: finite().sum::<f64>() / count as f64,
                least: finite().fold(f64::INFINITY, f64::min),
                most: finite().fold(f64::NEG_INFINITY, f64::max),
            }
        };
        let curves = self
            .names()
            .into_iter()
            .map(|name| {
                let values = self.values(name).unwrap_or_default();
                (name.to_owned(), values.chunks(width).map(bucket).collect())
            })
            .collect();
        Thinned { width, steps, curves }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn curves(lines: &[Value]) -> Curves {
        let mut curves = Curves::default();
        for line in lines {
            curves.push(line).expect("a line has a step");
        }
        curves
    }

    /// NaN is not equal to itself; as text it is.
    fn shown(values: Option<&[f64]>) -> String {
        format!("{:?}", values.expect("the curve is there"))
    }

    #[test]
    fn every_number_is_a_curve() {
        let found = curves(&[
            json!({"step": 0, "loss": 2.5, "accuracy": {"form": 0.5}, "note": "x", "stopped": false}),
            json!({"step": 1, "loss": null, "lengths": [3, 4]}),
            json!({"step": 3, "loss": 1, "reward": {"part": {"deep": -1}}}),
        ]);
        assert_eq!(found.steps(), [0, 1, 3]);
        let check = |name: &str, expect: &str| assert_eq!(shown(found.values(name)), expect, "{name}");
        check("loss", "[2.5, NaN, 1.0]");
        check("accuracy.form", "[0.5, NaN, NaN]");
        check("lengths.1", "[NaN, 4.0, NaN]");
        check("reward.part.deep", "[NaN, NaN, -1.0]");
        check("stopped", "[0.0, NaN, NaN]");
        assert!(found.values("note").is_none() && found.values("step").is_none());
    }

    #[test]
    fn a_step_that_comes_again_takes_later_ones_away() {
        let mut found = curves(&[
            json!({"step": 0, "loss": 3}),
            json!({"step": 1, "loss": 2}),
            json!({"step": 2, "loss": 1, "rare": 9}),
        ]);
        assert_eq!(found.push(&json!({"step": 1, "loss": 2.5})), Some(true));
        assert_eq!(found.push(&json!({"step": 2, "loss": 2.25})), Some(false));
        assert_eq!(found.steps(), [0, 1, 2]);
        assert_eq!(shown(found.values("loss")), "[3.0, 2.5, 2.25]");
        assert_eq!(shown(found.values("rare")), "[NaN, NaN, NaN]");
    }

    #[test]
    fn what_is_no_line_of_metrics_is_refused() {
        for line in [
            json!(3),
            json!({"loss": 1}),
            json!({"step": "one"}),
            json!({"step": -1}),
        ] {
            assert_eq!(Curves::default().push(&line), None, "{line}");
        }
    }

    #[test]
    fn buckets_keep_extremes_and_means() {
        let spike = 70_001;
        let lines: Vec<Value> = (0..100_000)
            .map(|step| json!({"step": step, "x": if step == spike { 1e6 } else { f64::from(step % 10) }}))
            .collect();
        let found = curves(&lines);
        let thin = found.thin(600);
        assert_eq!(thin.width, 256);
        assert_eq!(thin.steps.len(), 391);
        assert_eq!((thin.steps[0], thin.steps[390]), ((0, 255), (99_840, 99_999)));
        let buckets = &thin.curves[0].1;
        let most = buckets.iter().map(|bucket| bucket.most).fold(0.0, f64::max);
        assert_eq!(most, 1e6, "one step among a hundred thousand");
        for (bucket, steps) in buckets.iter().zip(&thin.steps) {
            let values = &found.values("x").unwrap()[steps.0 as usize..=steps.1 as usize];
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            assert!((bucket.mean - mean).abs() < 1e-9 * mean.abs());
            assert!(
                values
                    .iter()
                    .all(|value| (bucket.least..=bucket.most).contains(value))
            );
        }
    }

    #[test]
    fn few_lines_stay_as_they_are() {
        let thin = curves(&[json!({"step": 4, "x": 1}), json!({"step": 9, "x": null})]).thin(2);
        assert_eq!((thin.width, thin.steps.as_slice()), (1, &[(4, 4), (9, 9)][..]));
        assert_eq!(thin.curves[0].1[0].mean, 1.0);
        assert!(thin.curves[0].1[1].mean.is_nan());
        assert!(Curves::default().thin(5).steps.is_empty());
    }

    #[test]
    fn what_people_ask_first_comes_first() {
        let found = curves(&[json!({
            "step": 0, "tokens": 1, "surprise": 2, "lr": 1, "kl": 0.1, "accuracy": {"b": 1, "a": 2}, "loss": 3,
            "tokens_per_second": 9, "reward": 1, "mean_reward_parts": {"format": 1}
        })]);
        assert_eq!(
            found.names(),
            [
                "reward",
                "mean_reward_parts.format",
                "loss",
                "accuracy.b",
                "accuracy.a",
                "kl",
                "lr",
                "surprise",
                "tokens",
                "tokens_per_second"
            ]
        );
        let check = |name: &str, expect: Group| assert_eq!(group(name).0, expect, "{name}");
        check("validation_accuracy", Group::Learning);
        check("format_share", Group::Learning);
        check("clip_share", Group::Movement);
        check("gradient_norm", Group::Movement);
        check("reply_lengths", Group::Cost);
        check("pairs", Group::Learning);
        check("parts", Group::Learning);
        check("longest", Group::Cost);
        check("flat_groups", Group::Movement);
        check("too_long", Group::Cost);
        check("klaxon", Group::Other);
    }
}
