//! Items that say one intent in four ways over the same responses.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::library::LibraryItem;
use rewardanything_core::Fnv1a;

use super::{
    BLANK_PRINCIPLE, BuildOptions, Candidates, MAX_PER_PROMPT, PoolEntry, TRIES, draw_count, tells_apart,
};
use crate::{INTENTS, Intent};

/// Builds about `options.items` items, always four together: one [`Intent`] in each kind, over the same responses, which
/// each of the four rules tells apart. Intents take turns; a prompt gives at most [`MAX_PER_PROMPT`] of them, each once.
///
/// The texts are said as they stand: `options.split` and `options.phrasings` have no say here.
pub fn build_intents(pool: &[PoolEntry], options: &BuildOptions) -> Vec<LibraryItem> {
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let mut prompts: Vec<(Candidates<'_>, Vec<&str>)> = pool
        .iter()
        .map(|entry| Candidates::new(entry, options))
        .filter(|candidates| candidates.responses.len() >= *options.per_item.start())
        .map(|candidates| (candidates, Vec::new()))
        .collect();
    prompts.shuffle(&mut rng);
    let mut next: Vec<usize> = INTENTS
        .iter()
        .map(|_| rng.random_range(0..prompts.len().max(1)))
        .collect();
    let mut items = Vec::new();
    loop {
        let before = items.len();
        for (intent, next) in INTENTS.iter().zip(&mut next) {
            if items.len() + intent.principles.len() > options.items || *options.per_item.start() < 2 {
                return items;
            }
            items.extend(take(intent, next, &mut prompts, (options, &mut rng)));
        }
        if items.len() == before {
            return items;
        }
    }
}

/// The next four items of an intent; none when no prompt can give them any more.
fn take(
    intent: &'static Intent,
    next: &mut usize,
    prompts: &mut [(Candidates<'_>, Vec<&str>)],
    (options, rng): (&BuildOptions, &mut ChaCha8Rng),
) -> Vec<LibraryItem> {
    for step in 0..prompts.len() {
        let at = (*next + step) % prompts.len();
        let (candidates, used) = &mut prompts[at];
        if used.len() >= MAX_PER_PROMPT || used.contains(&intent.id) {
            continue;
        }
        let mut order: Vec<usize> = (0..candidates.responses.len()).collect();
        for _ in 0..TRIES {
            order.shuffle(rng);
            let chosen = &order[..draw_count(&options.per_item, order.len(), rng)];
            let responses: Vec<(String, String)> = chosen
                .iter()
                .map(|&at| {
                    (
                        candidates.responses[at].0.to_owned(),
                        candidates.responses[at].1.clone(),
                    )
                })
                .collect();
            let items = said(intent, candidates.prompt, &responses, options.blank);
            if items.iter().all(|item| tells_apart(&item.gold.scores)) {
                used.push(intent.id);
                *next = at + 1;
                return items;
            }
        }
    }
    Vec::new()
}

fn said(
    intent: &'static Intent,
    prompt: &str,
    responses: &[(String, String)],
    blank: bool,
) -> Vec<LibraryItem> {
    let texts: Vec<&str> = responses.iter().map(|(_, text)| text.as_str()).collect();
    let parts = responses
        .iter()
        .flat_map(|(name, text)| [name.as_str(), text.as_str()]);
    let hash = Fnv1a::of_all(std::iter::once(prompt).chain(parts));
    intent
        .principles
        .iter()
        .filter_map(|of| {
            let text = if blank { BLANK_PRINCIPLE } else { of.text };
            Some(LibraryItem {
                id: format!("{}-{hash:016x}", of.id),
                of,
                principle: text.to_owned(),
                prompt: prompt.to_owned(),
                responses: responses.to_vec(),
                gold: of.rule?.gold(&texts),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::PrincipleSplit;
    use crate::{Kind, Split};

    #[test]
    fn each_intent_stands_in_four_kinds_over_the_same_responses() {
        let texts: Vec<String> = (1..9)
            .map(|n| {
                format!(
                    "You could say it is {n}, really very good! Is it? {}",
                    "- Considerable, you see: (yes).\n".repeat(n)
                )
            })
            .collect();
        let pool: Vec<PoolEntry> = (0..6)
            .map(|at| PoolEntry {
                prompt: format!("prompt {at}"),
                responses: texts
                    .iter()
                    .enumerate()
                    .map(|(i, t)| (i.to_string(), format!("{t} {at}")))
                    .collect(),
            })
            .collect();
        let options = BuildOptions {
            max_words: 250,
            per_item: 3..=5,
            items: 30,
            split: PrincipleSplit::NovelPrinciples,
            phrasings: Split::HeldOut,
            seed: 4,
            blank: false,
        };
        let items = build_intents(&pool, &options);
        assert_eq!(items, build_intents(&pool, &options));
        assert_eq!(items.len(), 28);
        for four in items.chunks(4) {
            let kinds: Vec<Kind> = four.iter().map(|item| item.of.kind).collect();
            assert_eq!(
                kinds,
                [Kind::Vague, Kind::Single, Kind::Prioritised, Kind::Structured]
            );
            assert!(four.iter().all(|item| item.responses == four[0].responses));
            assert_eq!(four[0].gold, four[1].gold);
        }
    }
}
