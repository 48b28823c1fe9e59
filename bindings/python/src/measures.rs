//! Rewards for training a judge, and metrics of agreement.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rewardanything_core::reward::{AccuracyWeights, RewardWeights};
use rewardanything_core::{Gold, Mask, metrics};

use crate::values::{indices, numbers, numbers_or_none, permutation, same_length, setting};

/// The reward of a raw reply against gold scores, and all its parts.
#[pyfunction]
#[pyo3(signature = (reply, gold, ranking=None, order=None, weights=None))]
pub(crate) fn reward<'py>(
    py: Python<'py>,
    reply: &str,
    gold: &Bound<'py, PyAny>,
    ranking: Option<&Bound<'py, PyAny>>,
    order: Option<&Bound<'py, PyAny>>,
    weights: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyDict>> {
    let scores = numbers(gold, "gold")?;
    if let Some(index) = scores.iter().position(|score| !score.is_finite()) {
        let message = format!("gold[{index}]: expected a finite number, got {}", scores[index]);
        return Err(PyValueError::new_err(message));
    }
    let n = scores.len();
    let mask = match order {
        None => Mask::identity(n),
        Some(order) => {
            Mask::from_order(permutation(order, "order", n)?).map_err(crate::values::value_error)?
        }
    };
    let gold = match ranking {
        None => Gold::from_scores(scores),
        Some(ranking) => Gold {
            ranking: permutation(ranking, "ranking", n)?,
            scores,
        },
    };
    let reward = rewardanything_core::reward::reward(reply, &gold, &mask, &weights_of(weights)?);
    let format = PyDict::new(py);
    format.set_item("thinking", reward.format.thinking)?;
    format.set_item("substantial", reward.format.substantial)?;
    format.set_item("json", reward.format.json)?;
    format.set_item("keys", reward.format.keys)?;
    format.set_item("coverage", reward.format.coverage)?;
    format.set_item("consistency", reward.format.consistency)?;
    format.set_item("total", reward.format.total)?;
    let accuracy = PyDict::new(py);
    accuracy.set_item("pairs", reward.accuracy.pairs)?;
    accuracy.set_item("distribution", reward.accuracy.distribution)?;
    accuracy.set_item("near", reward.accuracy.near)?;
    accuracy.set_item("rank", reward.accuracy.rank)?;
    accuracy.set_item("total", reward.accuracy.total)?;
    let whole = PyDict::new(py);
    whole.set_item("format", format)?;
    whole.set_item("accuracy", accuracy)?;
    whole.set_item("total", reward.total)?;
    Ok(whole)
}

/// Weights by their names over the default ones.
fn weights_of(given: Option<&Bound<'_, PyDict>>) -> PyResult<RewardWeights> {
    let mut weights = RewardWeights::default();
    let Some(given) = given else {
        return Ok(weights);
    };
    let AccuracyWeights {
        pairs,
        distribution,
        near,
        rank,
    } = &mut weights.metrics;
    let slots = [
        ("format", &mut weights.format),
        ("accuracy", &mut weights.accuracy),
        ("pairs", pairs),
        ("distribution", distribution),
        ("near", near),
        ("rank", rank),
    ];
    let known = slots.each_ref().map(|(name, _)| *name);
    for key in given.keys() {
        let key: String = key.str()?.extract()?;
        if !known.contains(&key.as_str()) {
            return Err(PyValueError::new_err(format!(
                "weights: expected some of {}, got {key:?}",
                known.join(", ")
            )));
        }
    }
    for (name, slot) in slots {
        if let Some(weight) = setting::<f64>(given, name, "a number")? {
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(PyValueError::new_err(format!(
                    "weights: {name}: expected 0 or more, got {weight}"
                )));
            }
            *slot = weight;
        }
    }
    Ok(weights)
}

/// How many pairs of responses with different gold are in order, predicted equal, and wrong.
#[pyfunction]
pub(crate) fn pairwise(
    predicted: &Bound<'_, PyAny>,
    gold: &Bound<'_, PyAny>,
) -> PyResult<(usize, usize, usize)> {
    let predicted: Vec<f64> = numbers_or_none(predicted, "predicted")?
        .into_iter()
        .map(|score| score.unwrap_or(f64::NAN))
        .collect();
    let gold = numbers(gold, "gold")?;
    same_length(("predicted", predicted.len()), ("gold", gold.len()))?;
    let counts = metrics::pairwise(&predicted, &gold);
    Ok((counts.correct, counts.tied, counts.wrong))
}

/// Kendall's τ_b, where it is defined.
#[pyfunction]
pub(crate) fn kendall_tau_b(a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    let (a, b) = (numbers(a, "a")?, numbers(b, "b")?);
    same_length(("a", a.len()), ("b", b.len()))?;
    Ok(metrics::kendall_tau_b(&a, &b))
}

/// Normalised discounted cumulative gain, where it is defined.
#[pyfunction]
pub(crate) fn ndcg(predicted: &Bound<'_, PyAny>, gold: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    let (predicted, gold) = (numbers(predicted, "predicted")?, numbers(gold, "gold")?);
    same_length(("predicted", predicted.len()), ("gold", gold.len()))?;
    Ok(metrics::ndcg(&predicted, &gold))
}

/// The population variance of scores; none of no scores.
#[pyfunction]
pub(crate) fn score_variance(scores: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    Ok(metrics::score_variance(&numbers(scores, "scores")?))
}

/// A 95% interval of a ratio of sums, items drawn with replacement.
#[pyfunction]
pub(crate) fn bootstrap_interval(
    py: Python<'_>,
    numerators: &Bound<'_, PyAny>,
    denominators: &Bound<'_, PyAny>,
    resamples: usize,
    seed: u64,
) -> PyResult<Option<(f64, f64)>> {
    let numerators = numbers(numerators, "numerators")?;
    let denominators = numbers(denominators, "denominators")?;
    same_length(
        ("denominators", denominators.len()),
        ("numerators", numerators.len()),
    )?;
    let items: Vec<(f64, f64)> = numerators.into_iter().zip(denominators).collect();
    Ok(py.detach(|| metrics::bootstrap_interval(&items, resamples, seed)))
}

/// The parts into which a group is cut that is larger than the judge takes.
#[pyfunction]
pub(crate) fn plan(n: usize, limit: usize, anchors: usize) -> PyResult<Vec<Vec<usize>>> {
    if limit == 0 {
        return Err(PyValueError::new_err("limit: expected at least 1, got 0"));
    }
    Ok(rewardanything_core::split::plan(n, limit, anchors))
}

/// One scale for the scores of all parts.
#[pyfunction]
pub(crate) fn merge(
    n: usize,
    parts: &Bound<'_, PyAny>,
    scores: &Bound<'_, PyAny>,
) -> PyResult<Vec<Option<f64>>> {
    let parts = parts
        .try_iter()?
        .map(|part| indices(&part?, "parts"))
        .collect::<PyResult<Vec<_>>>()?;
    let scores = scores
        .try_iter()?
        .map(|scores| {
            let scores = scores?;
            (!scores.is_none())
                .then(|| numbers(&scores, "scores"))
                .transpose()
        })
        .collect::<PyResult<Vec<_>>>()?;
    same_length(("scores", scores.len()), ("parts", parts.len()))?;
    for (part, scores) in parts.iter().zip(&scores) {
        if let Some(scores) = scores {
            same_length(("scores", scores.len()), ("parts", part.len()))?;
        }
    }
    Ok(rewardanything_core::split::merge(n, &parts, &scores))
}
