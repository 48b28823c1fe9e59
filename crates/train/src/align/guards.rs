//! What the judge is not asked about, so that a policy that deceives it is seen.

use super::config::AlarmConfig;
use crate::grpo::{Alarm, Seen};
use rewardanything_principles::{Measure, Quality};
use std::collections::{BTreeMap, HashSet};

/// Words of the runs whose repetition is counted.
const RUN: usize = 4;
/// Characters of a reply in which a refusal would stand.
const OPENING: usize = 160;

/// Beginnings of refusals, in lower case and with straight apostrophes.
const REFUSALS: [&str; 14] = [
    "i can't",
    "i cannot",
    "i can not",
    "i won't",
    "i will not",
    "i'm unable",
    "i am unable",
    "i'm not able to",
    "i am not able to",
    "i'm sorry, but",
    "i am sorry, but",
    "i must decline",
    "i'd rather not",
    "as an ai",
];

/// The share of a text's runs of four words that stood in it before; 0 for a text of four words or fewer.
///
/// ```
/// use rewardanything_train::align::guards::repeated;
///
/// assert_eq!(repeated("the sea is wide and the sea is deep"), 0.0);
/// assert_eq!(repeated("it is so it is so it is so"), 3.0 / 6.0);
/// ```
pub fn repeated(text: &str) -> f64 {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let mut seen = HashSet::new();
    let again = words.windows(RUN).filter(|run| !seen.insert(*run)).count();
    let runs = (words.len() + 1).saturating_sub(RUN);
    if runs == 0 {
        0.0
    } else {
        again as f64 / runs as f64
    }
}

/// Whether a reply begins by refusing. A list of openings: it knows English, and none of the finer ways.
///
/// ```
/// use rewardanything_train::align::guards::is_refusal;
///
/// assert!(is_refusal("I’m sorry, but that is nothing I can help with."));
/// assert!(!is_refusal("You can't miss it: the lake is behind the hill."));
/// ```
pub fn is_refusal(text: &str) -> bool {
    let opening: String = text.chars().take(OPENING).collect();
    let opening = opening.to_lowercase().replace('\u{2019}', "'");
    REFUSALS.iter().any(|refusal| opening.contains(refusal))
}

/// A quality by its name, as `principle list` and the documentation call it.
pub fn quality(id: &str) -> Option<Quality> {
    let all = Measure::ALL.iter().map(|measure| Quality::Of(*measure));
    all.chain(Quality::EXTRA.iter().copied())
        .find(|quality| quality.id() == id)
}

/// The numbers of one reply.
pub fn of_reply(text: &str, watched: &[Quality]) -> Vec<(&'static str, f64)> {
    let mut parts = vec![
        ("text.words", text.split_whitespace().count() as f64),
        ("text.repeated", repeated(text)),
        ("text.refusals", f64::from(u8::from(is_refusal(text)))),
    ];
    parts.extend(
        watched
            .iter()
            .map(|quality| (quality.id(), quality.measure(text))),
    );
    parts
}

/// The means of the numbers of some replies.
pub fn means<'a>(
    texts: impl IntoIterator<Item = &'a str>,
    watched: &[Quality],
) -> BTreeMap<&'static str, f64> {
    let (mut sums, mut count) = (BTreeMap::new(), 0_usize);
    for text in texts {
        count += 1;
        for (name, value) in of_reply(text, watched) {
            *sums.entry(name).or_insert(0.0) += value;
        }
    }
    sums.values_mut().for_each(|sum| *sum /= count.max(1) as f64);
    sums
}

/// What the model was like before it was trained.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Start {
    /// The means of its replies to the held-out prompts.
    pub means: BTreeMap<&'static str, f64>,
    /// The share of them that the limit ended.
    pub truncated: f64,
}

/// The alarms of a step.
pub fn alarms(config: &AlarmConfig, start: &Start, seen: &Seen<'_>) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    let mut raise = |name: &'static str, value: f64, message: String| {
        alarms.push(Alarm { name, value, message });
    };
    let now = |name: &str| seen.parts.get(name).copied();
    let then = |name: &str| start.means.get(name).copied().unwrap_or(0.0);
    if let Some(words) = now("text.words") {
        let ratio = words / then("text.words").max(1.0);
        let (least, most) = config.length_ratio;
        if !(least..=most).contains(&ratio) {
            raise(
                "length_ratio",
                ratio,
                format!("replies are {ratio:.2} times as long as at the start, beyond {least} to {most}"),
            );
        }
    }
    for (name, part, bound, what) in [
        (
            "repetition_rise",
            "text.repeated",
            config.repetition_rise,
            "of their runs of four words again",
        ),
        ("refusal_rise", "text.refusals", config.refusal_rise, "refusals"),
    ] {
        let rise = now(part).unwrap_or(0.0) - then(part);
        if rise > bound {
            raise(
                name,
                rise,
                format!(
                    "replies hold {:.1} points more {what} than at the start, beyond {:.1}",
                    100.0 * rise,
                    100.0 * bound
                ),
            );
        }
    }
    let rise = seen.truncated - start.truncated;
    if rise > config.truncated_rise {
        raise(
            "truncated_rise",
            rise,
            format!(
                "{:.1} points more replies run into their limit than at the start, beyond {:.1}",
                100.0 * rise,
                100.0 * config.truncated_rise
            ),
        );
    }
    if let Some(kl) = seen.kl.filter(|kl| *kl > config.kl) {
        raise(
            "kl",
            kl,
            format!(
                "the divergence from the start is {kl:.3} a token, beyond {}",
                config.kl
            ),
        );
    }
    if seen.ungraded > config.ungraded {
        raise(
            "ungraded",
            seen.ungraded,
            format!(
                "{:.0}% of the groups have no verdict, beyond {:.0}%",
                100.0 * seen.ungraded,
                100.0 * config.ungraded
            ),
        );
    }
    let measures = seen.validated.map(|found| &found.measures);
    let measure = |name: &str| measures.and_then(|measures| measures.get(name).copied());
    if let (Some(first), Some(second)) = (measure("win_rate"), measure("second_win_rate")) {
        let gap = first - second;
        if gap > config.disagreement {
            raise(
                "disagreement",
                gap,
                format!(
                    "the judge prefers the model to its start in {:.0}% of the held-out prompts, the second judge in {:.0}%: they are further apart than {}",
                    100.0 * first,
                    100.0 * second,
                    config.disagreement
                ),
            );
        }
    }
    alarms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpo::Validated;

    #[test]
    fn qualities_are_known_by_name() {
        assert_eq!(quality("words"), Some(Quality::Of(Measure::Words)));
        assert_eq!(quality("emoji"), Some(Quality::Emoji));
        assert_eq!(quality("wisdom"), None);
    }

    #[test]
    fn an_alarm_is_raised_beyond_its_bound_and_not_before() {
        let start = Start {
            means: BTreeMap::from([
                ("text.words", 20.0),
                ("text.repeated", 0.02),
                ("text.refusals", 0.0),
            ]),
            truncated: 0.1,
        };
        let calm = || Seen {
            parts: start.means.clone(),
            kl: Some(0.01),
            truncated: 0.1,
            ..Seen::default()
        };
        let names = |seen: &Seen<'_>| -> Vec<&str> {
            alarms(&AlarmConfig::default(), &start, seen)
                .iter()
                .map(|alarm| alarm.name)
                .collect()
        };
        assert!(names(&calm()).is_empty());
        let part = |name, value| {
            let mut seen = calm();
            seen.parts.insert(name, value);
            names(&seen)
        };
        assert_eq!(part("text.words", 4.0), ["length_ratio"]);
        assert_eq!(part("text.words", 90.0), ["length_ratio"]);
        assert_eq!(part("text.repeated", 0.2), ["repetition_rise"]);
        assert_eq!(part("text.refusals", 0.2), ["refusal_rise"]);
        assert_eq!(
            names(&Seen {
                kl: Some(9.0),
                ..calm()
            }),
            ["kl"]
        );
        assert_eq!(
            names(&Seen {
                truncated: 0.9,
                ..calm()
            }),
            ["truncated_rise"]
        );
        assert_eq!(
            names(&Seen {
                ungraded: 0.5,
                ..calm()
            }),
            ["ungraded"]
        );
        let found = Validated {
            measures: BTreeMap::from([("win_rate", 0.9), ("second_win_rate", 0.5)]),
            ..Validated::default()
        };
        assert_eq!(
            names(&Seen {
                validated: Some(&found),
                ..calm()
            }),
            ["disagreement"]
        );
    }
}
