//! Wordings by a crowd: principles as many different people would put them.
//!
//! `train.txt` is for training, `unseen.txt` for evaluation. Those who wrote one never saw the other, nor the frames, so
//! that `unseen` asks what a stranger would ask. A section `# commas more` holds a wording a line; in the sections
//! `# {n} more` and `# {n} fewer` a noun is put in the place of `{n}`. `rules.txt` has frames for rules, for training.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::nouns::Noun;
use crate::Direction;

type Sections = HashMap<&'static str, Vec<&'static str>>;

static TRAIN: LazyLock<Sections> = LazyLock::new(|| sections(include_str!("train.txt")));
static RULES: LazyLock<Sections> = LazyLock::new(|| sections(include_str!("rules.txt")));
static UNSEEN: LazyLock<Sections> = LazyLock::new(|| sections(include_str!("unseen.txt")));

/// The slot of a noun, and the name of the sections that have it.
const NOUN: &str = "{n}";

/// Wordings for training of a quality by its identifier; none where nobody wrote any.
pub(super) fn for_training(quality: &str, wanted: Direction) -> &'static [&'static str] {
    of(&TRAIN, quality, wanted)
}

/// Wordings kept for evaluation.
pub(super) fn unseen(quality: &str, wanted: Direction) -> &'static [&'static str] {
    of(&UNSEEN, quality, wanted)
}

/// A wording for training of whatever is counted.
pub(super) fn around(
    noun: Noun,
    wanted: Direction,
    pick: impl FnOnce(&[&'static str]) -> &'static str,
) -> String {
    pick(of(&TRAIN, NOUN, wanted)).replace(NOUN, noun.text)
}

/// Frames for training of a kind of rule: `order`, `points` or `single`.
pub(crate) fn frames(kind: &str) -> &'static [&'static str] {
    RULES.get(kind).map_or(&[], Vec::as_slice)
}

fn of(sections: &'static Sections, name: &str, wanted: Direction) -> &'static [&'static str] {
    let key = format!("{name} {}", wanted.id());
    sections.get(key.as_str()).map_or(&[], Vec::as_slice)
}

fn sections(text: &'static str) -> Sections {
    let mut sections = Sections::new();
    let mut name = "";
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("# ") {
            Some(head) => name = head,
            None => sections.entry(name).or_default().push(line),
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::items::PrincipleSplit;
    use crate::{Measure, Quality};

    #[test]
    fn every_section_is_of_a_quality_that_may_be_trained_on() {
        let extra = Quality::EXTRA.iter().filter(|quality| !quality.held_out());
        let known: HashSet<String> = PrincipleSplit::TrainPrinciples
            .measures()
            .map(|measure| measure.id().to_owned())
            .chain(extra.map(|quality| quality.id().to_owned()))
            .chain([NOUN.to_owned()])
            .flat_map(|id| Direction::ALL.map(|wanted| format!("{id} {}", wanted.id())))
            .collect();
        for name in TRAIN.keys().chain(UNSEEN.keys()) {
            assert!(known.contains(*name), "{name}");
        }
        for measure in PrincipleSplit::TrainPrinciples.measures() {
            for wanted in Direction::ALL {
                assert!(for_training(measure.id(), wanted).len() >= 30, "{}", measure.id());
                assert_eq!(unseen(measure.id(), wanted).len(), 6, "{}", measure.id());
            }
        }
        assert!(Measure::ALL.iter().filter(|m| m.held_out()).all(|m| {
            let both = Direction::ALL.map(|wanted| for_training(m.id(), wanted));
            both.iter().all(|texts| texts.is_empty())
        }));
    }

    #[test]
    fn frames_of_rules_have_their_slots() {
        let once = |text: &str, slot: &str| text.matches(slot).count() == 1;
        assert!(
            RULES
                .keys()
                .all(|name| ["order", "points", "single"].contains(name))
        );
        for frame in frames("order") {
            assert!(once(frame, "{A}") && once(frame, "{B}"), "{frame}");
        }
        for frame in frames("points") {
            let slots = ["{T}", "{T;}", "{O}", "{S}"];
            assert_eq!(
                slots.iter().filter(|slot| once(frame, slot)).count(),
                1,
                "{frame}"
            );
        }
        for frame in frames("single") {
            assert!(once(frame, "{A}"), "{frame}");
        }
    }

    #[test]
    fn nothing_unseen_is_trained_on() {
        let plain = |text: &str| text.to_lowercase().trim_end_matches('.').to_owned();
        let trained: HashSet<String> = TRAIN.values().flatten().map(|text| plain(text)).collect();
        for text in UNSEEN.values().flatten() {
            assert!(!trained.contains(&plain(text)), "{text}");
        }
        let slots = TRAIN.iter().filter(|(name, _)| name.starts_with(NOUN));
        for (_, texts) in slots {
            assert!(texts.len() >= 250 && texts.iter().all(|text| text.contains(NOUN)));
        }
    }
}
