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
        count: 0.0,
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

/// A step of training is a step of judging: what a judge gives to the model is how the taught reply begins.
#[test]
fn the_steps_are_those_of_a_judge() {
    let shares = |name: f64, count: f64, decide: f64| Stage {
        until: 1.0,
        measure: 0.0,
        name,
        count,
        decide,
        responses: (2, 4),
        qualities: (1, 3),
        piece_words: Vec::new(),
        max_words: vec![30],
        prompt_words: vec![8],
    };
    let profile = profile();
    for index in 0..60 {
        let example = |stage: Stage| {
            let config = ExampleConfig {
                stages: vec![stage],
                synthetic: 1.0,
            };
            let maker = Maker {
                config: &config,
                pool: &Pool::default(),
                profile: &profile,
                seed: 5,
            };
            maker.example(0, index, 0.5)
        };
        let named = example(shares(1.0, 0.0, 0.0));
        assert!(named.messages[0].content.starts_with("Principle: "));
        assert!(!named.messages[0].content.contains("model-1"), "{named:?}");
        assert!(named.reply.starts_with("<think>\nAsked for: "), "{named:?}");

        for example in [example(shares(0.0, 1.0, 0.0)), example(shares(0.0, 0.0, 1.0))] {
            let content = &example.messages[0].content;
            let (principle, rest) = content
                .strip_prefix("Principle: ")
                .and_then(|rest| rest.split_once('\n'))
                .expect("a line with the principle");
            let asked = format!("<think>\nAsked for: {principle}\nmodel-1:");
            assert!(example.reply.starts_with(&asked), "{example:?}");
            assert!(rest.starts_with("Prompt: \nmodel-1: "), "{example:?}");
        }
    }
}
