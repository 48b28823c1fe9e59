//! Endless phrasings of a verifiable principle: frames, names of the quality and irrelevant additions.

pub(crate) mod crowd;
pub(crate) mod frames;
mod grammar;
pub(crate) mod nouns;
mod reword;

use rand::Rng;
use rand::seq::IndexedRandom;

use crate::{Direction, Measure, Quality, phrasings};

/// Which half of the phrasings to draw from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// The phrasings, frames and additions for training.
    Train,
    /// Those kept for evaluation; training never produces one.
    HeldOut,
    /// Those that a crowd wrote for evaluation, without knowing the others; training never produces one. Of a quality for
    /// which nobody wrote any, those that are held out.
    Unseen,
}

/// Share of phrases for evaluation that are hand-written rather than composed.
const HAND_WRITTEN: f64 = 0.5;
/// Where phrases for training come from, each bound the end of a share: wordings that a crowd wrote for the quality, and
/// those it wrote around a noun; hand-written ones, few, since few sentences repeated often are learned by heart; those
/// put together from parts. The rest are frames.
const BY_CROWD: f64 = 0.36;
const AROUND_NOUN: f64 = 0.58;
const HAND_WRITTEN_IN_TRAINING: f64 = 0.7;
const FROM_PARTS: f64 = 0.86;
/// Share of phrases with an irrelevant addition.
const ADDITION: f64 = 0.3;
/// Share of phrases wholly in lower case.
const LOWER_CASE: f64 = 0.08;
/// Share of phrases without the final full stop.
const NO_STOP: f64 = 0.1;

/// Sentences that change nothing, for training. None hints at a quality or a direction.
const ADDITIONS: &[&str] = &[
    "Thank you for your help.",
    "This comes from our team.",
    "We publish on Tuesdays.",
    "My colleague asked for this.",
    "The topic of the prompt plays no part.",
    "Facts are checked elsewhere.",
    "Ignore everything else.",
    "This is the only criterion.",
    "Apply this with care.",
    "Our guide says so.",
    "We agreed on this last week.",
    "Please follow this rule strictly.",
    "Other virtues are judged by someone else.",
    "The client insists.",
    "This holds for every prompt.",
    "It does not matter who wrote the reply.",
    "Use the whole scale.",
    "Read all the responses first.",
];

/// Sentences that change nothing, for evaluation.
const HELD_OUT_ADDITIONS: &[&str] = &[
    "The weather is fine today.",
    "Nothing besides this is to be weighed.",
    "I wrote this down on the train.",
    "Our editor in chief wishes it so.",
    "Sorry for the trouble.",
    "Whether a reply is true is not your concern here.",
];

/// A random way to say a principle: hand-written (half of the time where it is held out), composed or by a crowd,
/// sometimes with an irrelevant sentence before or after it, in lower case, or without its full stop.
///
/// The same generator state gives the same phrase. [`Split::Train`] never yields a held-out phrasing or
/// frame.
///
/// ```
/// use rand::SeedableRng;
/// use rewardanything_principles::{Direction, Measure, Split, phrase};
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
/// let text = phrase(Measure::Commas, Direction::More, &mut rng, Split::Train);
/// assert!(!text.is_empty());
/// ```
pub fn phrase(measure: Measure, direction: Direction, rng: &mut impl Rng, split: Split) -> String {
    let core = match split {
        Split::Train => for_training(measure, direction, rng),
        Split::Unseen if !crowd::unseen(measure.id(), direction).is_empty() => {
            return pick(crowd::unseen(measure.id(), direction), rng).to_owned();
        }
        Split::HeldOut | Split::Unseen => {
            if rng.random_bool(HAND_WRITTEN) {
                pick(&hand_written(measure, direction, split), rng).to_owned()
            } else {
                let noun = pick(&nouns::nouns(measure), rng);
                frames::fill(pick(&frames_of(measure, split), rng), noun, direction)
            }
        }
    };
    decorate(core, rng, split)
}

/// A phrase for training, from any of the places that have some.
fn for_training(measure: Measure, direction: Direction, rng: &mut impl Rng) -> String {
    let noun = pick(&nouns::nouns(measure), rng);
    let by_crowd = crowd::for_training(measure.id(), direction);
    let draw: f64 = rng.random();
    if draw < BY_CROWD && !by_crowd.is_empty() {
        pick(by_crowd, rng).to_owned()
    } else if draw < AROUND_NOUN && noun.counted {
        upper_first(&crowd::around(noun, direction, |texts| pick(texts, rng)))
    } else if draw < HAND_WRITTEN_IN_TRAINING {
        pick(&hand_written(measure, direction, Split::Train), rng).to_owned()
    } else if draw < FROM_PARTS {
        from_parts(noun, in_every_text(measure), direction, rng)
    } else {
        frames::fill(pick(&frames_of(measure, Split::Train), rng), noun, direction)
    }
}

/// One of the texts, decorated as [`phrase`] decorates.
pub(crate) fn say(texts: &[String], rng: &mut impl Rng, split: Split) -> String {
    let text = texts
        .choose(rng)
        .expect("every principle has a text. This is a bug.");
    decorate(text.clone(), rng, split)
}

/// The hand-written phrasings of one half.
fn hand_written(measure: Measure, direction: Direction, split: Split) -> Vec<&'static str> {
    let held_out = split != Split::Train;
    phrasings(measure, direction)
        .iter()
        .filter(|p| p.held_out == held_out)
        .map(|p| p.text)
        .collect()
}

/// The frames of one half that make sense for a measure: every text has words, so none is without them.
fn frames_of(measure: Measure, split: Split) -> Vec<&'static str> {
    let all = match split {
        Split::Train => frames::TRAIN,
        Split::HeldOut | Split::Unseen => frames::HELD_OUT,
    };
    let everywhere = in_every_text(measure);
    all.iter()
        .copied()
        .filter(|frame| !(everywhere && (frame.contains("{with}") || frame.contains("without"))))
        .collect()
}

fn in_every_text(measure: Measure) -> bool {
    matches!(
        measure,
        Measure::Words | Measure::Sentences | Measure::SentenceLength | Measure::Lines | Measure::Capitals
    )
}

/// A sentence put together from parts, for training.
fn from_parts(noun: nouns::Noun, in_every_text: bool, wanted: Direction, rng: &mut impl Rng) -> String {
    let mut grammar = grammar::Grammar {
        noun,
        in_every_text,
        rng,
    };
    upper_first(&grammar.wording(wanted)) + "."
}

/// A way to say an amount of a quality that has no hand-written phrasings, for training: one of `texts`, or another.
pub(crate) fn say_amount(
    quality: Quality,
    wanted: Direction,
    texts: &[String],
    rng: &mut impl Rng,
) -> String {
    let noun = quality.noun();
    let by_crowd = crowd::for_training(quality.id(), wanted);
    let draw: f64 = rng.random();
    let core = if draw < BY_CROWD && !by_crowd.is_empty() {
        pick(by_crowd, rng).to_owned()
    } else if draw < AROUND_NOUN && noun.counted {
        upper_first(&crowd::around(noun, wanted, |texts| pick(texts, rng)))
    } else if draw < FROM_PARTS {
        from_parts(noun, true, wanted, rng)
    } else {
        return say(texts, rng, Split::Train);
    };
    decorate(core, rng, Split::Train)
}

/// Adds what changes nothing.
fn decorate(core: String, rng: &mut impl Rng, split: Split) -> String {
    let additions = match split {
        Split::Train => ADDITIONS,
        Split::HeldOut | Split::Unseen => HELD_OUT_ADDITIONS,
    };
    let mut text = match split {
        Split::Train => reword::reword(&core, rng),
        Split::HeldOut | Split::Unseen => core,
    };
    if rng.random_bool(ADDITION) {
        let addition = pick(additions, rng);
        text = if rng.random_bool(0.5) {
            format!("{addition} {text}")
        } else {
            format!("{text} {addition}")
        };
    }
    if rng.random_bool(LOWER_CASE) {
        text = text.to_lowercase();
    }
    if rng.random_bool(NO_STOP) && text.ends_with('.') {
        text.pop();
    }
    text
}

fn pick<T: Copy>(choices: &[T], rng: &mut impl Rng) -> T {
    *choices
        .choose(rng)
        .expect("every list of phrases has an entry. This is a bug.")
}

pub(crate) fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::nouns::Noun;
    use super::*;

    /// Everything a split can say, without additions, in lower case and without the final stop.
    fn cores(measure: Measure, direction: Direction, split: Split) -> HashSet<String> {
        let composed = frames_of(measure, split).into_iter().flat_map(|frame| {
            nouns::nouns(measure)
                .into_iter()
                .map(move |noun| frames::fill(frame, noun, direction))
        });
        let written = hand_written(measure, direction, split)
            .into_iter()
            .map(str::to_owned);
        composed.chain(written).map(|text| plain(&text)).collect()
    }

    fn plain(text: &str) -> String {
        text.to_lowercase().trim_end_matches('.').to_owned()
    }

    fn all_cores(split: Split) -> HashSet<String> {
        Measure::ALL
            .iter()
            .flat_map(|&measure| {
                Direction::ALL
                    .iter()
                    .flat_map(move |&direction| cores(measure, direction, split))
            })
            .collect()
    }

    #[test]
    fn frames_are_many_and_agree_with_their_noun() {
        assert!(frames::TRAIN.len() >= 40 && frames::HELD_OUT.len() >= 10);
        for &measure in Measure::ALL {
            let all = nouns::nouns(measure);
            assert!(all.len() >= 4, "{}", measure.id());
            assert_eq!(
                all.iter()
                    .map(|noun| (noun.text, noun.one))
                    .collect::<HashSet<_>>()
                    .len(),
                all.len()
            );
        }
        let commas = Noun {
            text: "commas",
            counted: true,
            one: "comma",
        };
        let hedging = Noun {
            text: "hedging",
            counted: false,
            one: "hedge",
        };
        let check = |noun, direction, expect| {
            let frame = "{more} {n} {is} better, use as {much} as you can.";
            assert_eq!(frames::fill(frame, noun, direction), expect);
        };
        check(
            commas,
            Direction::More,
            "More commas are better, use as many as you can.",
        );
        check(
            commas,
            Direction::Fewer,
            "Fewer commas are better, use as few as you can.",
        );
        check(
            hedging,
            Direction::More,
            "More hedging is better, use as much as you can.",
        );
        check(
            hedging,
            Direction::Fewer,
            "Less hedging is better, use as little as you can.",
        );
    }

    #[test]
    fn the_split_halves_share_no_phrase() {
        let shared: Vec<_> = all_cores(Split::Train)
            .intersection(&all_cores(Split::HeldOut))
            .cloned()
            .collect();
        assert!(shared.is_empty(), "{shared:?}");
        let kept = all_cores(Split::HeldOut);
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        for &measure in Measure::ALL {
            for direction in Direction::ALL {
                for _ in 0..400 {
                    let text = plain(&phrase(measure, direction, &mut rng, Split::Train));
                    assert!(!kept.contains(&text), "{text}");
                }
            }
        }
        let additions: HashSet<_> = ADDITIONS.iter().collect();
        assert!(HELD_OUT_ADDITIONS.iter().all(|text| !additions.contains(text)));
    }

    #[test]
    fn a_phrase_is_one_of_its_half_with_nothing_but_an_addition() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for (split, additions) in [(Split::HeldOut, HELD_OUT_ADDITIONS)] {
            for &measure in Measure::ALL {
                for direction in Direction::ALL {
                    let cores = cores(measure, direction, split);
                    for _ in 0..50 {
                        let text = plain(&phrase(measure, direction, &mut rng, split));
                        let bare = additions
                            .iter()
                            .map(|addition| plain(addition))
                            .find_map(|addition| {
                                let after = text.strip_suffix(&addition).map(|rest| plain(rest.trim_end()));
                                after.or_else(|| text.strip_prefix(&format!("{addition}. ")).map(plain))
                            });
                        assert!(cores.contains(&bare.unwrap_or_else(|| text.clone())), "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn opposite_directions_never_sound_alike() {
        for &measure in Measure::ALL {
            for split in [Split::Train, Split::HeldOut] {
                let more = cores(measure, Direction::More, split);
                let shared: Vec<_> = more
                    .intersection(&cores(measure, Direction::Fewer, split))
                    .cloned()
                    .collect();
                assert!(shared.is_empty(), "{shared:?}");
            }
        }
    }

    #[test]
    fn phrases_vary_and_follow_the_generator() {
        let draw = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let draw = |_| phrase(Measure::Words, Direction::Fewer, &mut rng, Split::Train);
            (0..300).map(draw).collect::<Vec<_>>()
        };
        assert_eq!(draw(3), draw(3));
        assert!(draw(3).iter().collect::<HashSet<_>>().len() > 150);
    }
}
