//! Building items from a pool: gold, quotas, determinism.

use std::collections::{HashMap, HashSet};

use rewardanything_principles::items::{
    BLANK_PRINCIPLE, BuildOptions, Item, MAX_PER_PROMPT, PoolEntry, PrincipleSplit, build, build_library,
};
use rewardanything_principles::{Split, count_words, gold};

/// Forty prompts with six responses of growing length, punctuation, pronouns and politeness.
fn pool() -> Vec<PoolEntry> {
    let pieces = [
        "I do not know the answer to that, sadly.",
        "Maybe you could ask \"the experts\" (if any) for example in Paris!",
        "Thanks for asking! Is it 3 or 42? However, it's late, so you can't tell.",
        "Here is a list:\n- great bread\n- **good** butter, because bread needs butter",
        "Extraordinary circumstances require unusually considerate explanations.",
    ];
    let response = |prompt: usize, author: usize| {
        let count = 1 + (prompt + author) % 3;
        let parts: Vec<&str> = (0..count)
            .map(|at| pieces[(prompt * 3 + author * 2 + at) % 5])
            .collect();
        (
            format!("author-{author}"),
            format!("Reply {prompt} {author}. {}", parts.join(" ")),
        )
    };
    let entry = |prompt: usize| PoolEntry {
        prompt: format!("Question {prompt}?"),
        responses: (0..6).map(|author| response(prompt, author)).collect(),
    };
    (0..40).map(entry).collect()
}

fn options() -> BuildOptions {
    BuildOptions {
        max_words: 30,
        per_item: 4..=4,
        items: 80,
        split: PrincipleSplit::TrainPrinciples,
        phrasings: Split::Train,
        seed: 7,
        blank: false,
    }
}

#[test]
fn items_keep_their_promises() {
    for split in [PrincipleSplit::TrainPrinciples, PrincipleSplit::NovelPrinciples] {
        let items = build(&pool(), &BuildOptions { split, ..options() });
        assert_eq!(items.len(), 80, "{split:?}");
        let mut per_prompt: HashMap<&str, Vec<_>> = HashMap::new();
        for item in &items {
            assert_eq!(item.measure.held_out(), split == PrincipleSplit::NovelPrinciples);
            let texts: Vec<&str> = item.responses.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(texts.iter().collect::<HashSet<_>>().len(), 4);
            assert!(texts.iter().all(|text| (3..=30).contains(&count_words(text))));
            assert_eq!(item.gold, gold(item.measure, item.direction, &texts));
            let scores = &item.gold.scores;
            let pairs = (0..4).flat_map(|a| (0..a).map(move |b| (a, b)));
            assert!(
                pairs.filter(|&(a, b)| scores[a] != scores[b]).count() >= 3,
                "{}",
                item.id
            );
            per_prompt.entry(&item.prompt).or_default().push(item.measure);
        }
        for measures in per_prompt.values() {
            assert!(measures.len() <= MAX_PER_PROMPT);
            assert_eq!(measures.iter().collect::<HashSet<_>>().len(), measures.len());
        }
        let ids: HashSet<_> = items.iter().map(|item| &item.id).collect();
        assert_eq!(ids.len(), items.len());
    }
}

#[test]
fn measures_and_directions_take_turns() {
    let mut counts = HashMap::new();
    for item in build(&pool(), &options()) {
        *counts.entry((item.measure, item.direction)).or_insert(0) += 1;
    }
    // Twenty training measures in two directions, eighty items: nobody gets more than a few.
    assert!(counts.len() >= 30, "{}", counts.len());
    assert!(counts.values().all(|&count| count <= 4), "{counts:?}");
}

#[test]
fn the_seed_decides_everything() {
    assert_eq!(build(&pool(), &options()), build(&pool(), &options()));
    assert_ne!(
        build(&pool(), &options()),
        build(&pool(), &BuildOptions { seed: 8, ..options() })
    );
}

#[test]
fn a_blank_set_differs_in_the_principle_only() {
    let plain = build(&pool(), &options());
    let blank = build(
        &pool(),
        &BuildOptions {
            blank: true,
            ..options()
        },
    );
    assert!(plain.iter().all(|item| item.principle != BLANK_PRINCIPLE));
    let blanked = |item: &Item| Item {
        principle: BLANK_PRINCIPLE.to_owned(),
        ..item.clone()
    };
    assert_eq!(blank, plain.iter().map(blanked).collect::<Vec<_>>());
}

#[test]
fn a_pool_that_cannot_give_items_gives_none() {
    let check = |pool: &[PoolEntry], per_item: usize| {
        assert_eq!(
            build(
                pool,
                &BuildOptions {
                    per_item: per_item..=per_item,
                    ..options()
                }
            ),
            [],
            "{per_item}"
        );
    };
    let entry = |texts: &[&str]| PoolEntry {
        prompt: "Why?".to_owned(),
        responses: texts
            .iter()
            .enumerate()
            .map(|(at, text)| (at.to_string(), (*text).to_owned()))
            .collect(),
    };
    check(&[], 4);
    check(&pool(), 7);
    check(&pool(), 1);
    check(&pool(), 0);
    check(
        &[entry(&["same words here", "same words here", "same words here"])],
        2,
    );
    check(&[entry(&["too short", "ok", ""])], 2);
}

#[test]
fn items_of_the_library_keep_the_same_promises() {
    for split in [PrincipleSplit::TrainPrinciples, PrincipleSplit::NovelPrinciples] {
        let options = BuildOptions { split, ..options() };
        let items = build_library(&pool(), &options);
        assert_eq!(items, build_library(&pool(), &options), "the seed decides");
        assert_eq!(items.len(), 80, "{split:?}");
        let mut per_prompt: HashMap<&str, Vec<_>> = HashMap::new();
        let mut counts = HashMap::new();
        for item in &items {
            assert_eq!(item.of.held_out, split == PrincipleSplit::NovelPrinciples);
            let texts: Vec<&str> = item.responses.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(
                item.of.rule.map(|rule| rule.gold(&texts)).as_ref(),
                Some(&item.gold)
            );
            assert!(
                item.gold
                    .scores
                    .iter()
                    .collect::<Vec<_>>()
                    .windows(2)
                    .any(|pair| pair[0] != pair[1])
            );
            per_prompt.entry(&item.prompt).or_default().push(item.of.id);
            *counts.entry(item.of.id).or_insert(0) += 1;
        }
        for ids in per_prompt.values() {
            assert!(ids.len() <= MAX_PER_PROMPT);
            assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        }
        assert!(counts.len() >= 12, "{split:?}: {counts:?}");
        let blank = build_library(
            &pool(),
            &BuildOptions {
                blank: true,
                ..options
            },
        );
        assert!(blank.iter().all(|item| item.principle == BLANK_PRINCIPLE));
        assert!(
            blank
                .iter()
                .map(|item| &item.id)
                .eq(items.iter().map(|item| &item.id))
        );
    }
}
