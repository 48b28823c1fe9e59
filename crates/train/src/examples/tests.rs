//! What examples promise, whatever is drawn.

use super::*;
use rewardanything_core::{Gold, Layout, parse, reward};

fn profile() -> Profile {
    Profile {
        name: "test".to_owned(),
        system: String::new(),
        layout: Layout::Pieces,
        ..Profile::rewardanything()
    }
}

#[test]
fn a_judge_example_earns_the_whole_accuracy_of_its_own_gold() {
    let stage = Stage {
        until: 1.0,
        measure: 0.0,
        name: 0.0,
        decide: 0.5,
        responses: (2, 5),
        qualities: (1, 3),
        piece_words: vec![3, 20],
        max_words: vec![12, 60],
        prompt_words: vec![8],
    };
    let config = ExampleConfig {
        stages: vec![stage],
        synthetic: 1.0,
    };
    let maker = Maker {
        config: &config,
        pool: &Pool::default(),
        profile: &profile(),
        seed: 5,
    };
    for index in 0..300 {
        let example = maker.example(0, index, 0.5);
        let count = example.reply.matches(" gives ").count();
        let mask = Mask::identity(count);
        let verdict = parse(&example.reply, &mask).expect("a taught reply has a verdict");
        assert_eq!(verdict.scores.len(), count, "{}", example.reply);
        assert_eq!(verdict.repairs, [], "{}", example.reply);
        // Said beside every response, scored in the verdict: the same.
        for (i, value) in verdict.values().iter().enumerate() {
            assert!(
                example.reply.contains(&format!("gives {value}.")),
                "{i} {}",
                example.reply
            );
        }
        let gold = Gold::from_scores(verdict.values());
        let format = reward::format_reward(&example.reply, &gold, &mask);
        assert!((format.total - 1.0).abs() < 1e-9, "{format:?} {}", example.reply);
    }
}

#[test]
fn the_same_place_gives_the_same_example() {
    let config = ExampleConfig::default();
    let maker = Maker {
        config: &config,
        pool: &Pool::default(),
        profile: &profile(),
        seed: 5,
    };
    assert_eq!(maker.example(7, 3, 0.9), maker.example(7, 3, 0.9));
    assert_ne!(maker.example(7, 3, 0.9), maker.example(7, 4, 0.9));
}
