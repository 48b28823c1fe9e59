//! Any text is read as a sound verdict or refused with itself as evidence; neither panics, nor takes long.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rewardanything_core::reward::{RewardWeights, reward};
use rewardanything_core::{Gold, Mask, Verdict, parse, render};

fuzz_target!(|reply: &str| {
    for n in 1..=3 {
        let mask = Mask::published(n).expect("known for three");
        match parse(reply, &mask) {
            Err(error) => assert_eq!(error.raw(), reply),
            Ok(verdict) => check(verdict, &mask),
        }
        let gold = Gold::from_scores((1..=n).map(|score| score as f64).collect());
        let reward = reward(reply, &gold, &mask, &RewardWeights::default());
        assert!((0.0..=1.0 + 1e-9).contains(&reward.total), "{reward:?}");
    }
});

fn check(verdict: Verdict, mask: &Mask) {
    let scores = verdict.values();
    let mut named = verdict.ranking.clone();
    named.sort_unstable();
    assert!(named.into_iter().eq(0..mask.len()), "{verdict:?}");
    assert!(verdict.ranking.windows(2).all(|pair| scores[pair[0]] >= scores[pair[1]]), "{verdict:?}");
    let again = parse(&render(&verdict, mask), mask);
    assert_eq!(again, Ok(Verdict { repairs: Vec::new(), ..verdict }));
}
