//! How long many items take to score, every figure with its interval:
//! `cargo run --release -p rewardanything-evals --example score_many 10000`.

use std::io::{Write as _, stdout};
use std::time::Instant;

use rewardanything_evals::benchmark::Benchmark;
use rewardanything_evals::gold::ItemGold;
use rewardanything_evals::item::{Id, Labels};
use rewardanything_evals::outcome::{Judged, Outcome};
use rewardanything_evals::report::{Counts, RunReport, compare};
use rewardanything_evals::sample::Sample;

fn items(count: usize, shift: usize) -> Vec<Judged> {
    let score = |index: usize, step: usize| 1.0 + ((index * step) % 5) as f64;
    (0..count)
        .map(|index| Judged {
            sample: Sample {
                id: Id::Text(index.to_string()),
                labels: Labels {
                    domain: Some(["chat", "code", "math", "safety"][index % 4].to_owned()),
                    ..Labels::default()
                },
                names: (0..4).map(|name| format!("r{name}")).collect(),
                lengths: vec![10, 20, 30, 40],
                gold: ItemGold {
                    scores: Some((1..5).map(|step| score(index, step)).collect()),
                    ranking: None,
                    pairs: None,
                },
            },
            games: vec![Outcome::scored(
                (1..5).map(|step| score(index + shift, step)).collect(),
            )],
        })
        .collect()
}

fn main() -> std::io::Result<()> {
    let count = std::env::args()
        .nth(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(10_000);
    let (first, second) = (items(count, 1), items(count, 2));
    let start = Instant::now();
    let report = RunReport::of(Benchmark::Items, &first, Counts::default());
    let scored = start.elapsed();
    let compared = compare(Benchmark::Items, ("a", &first), ("b", &second));
    writeln!(
        stdout(),
        "{count} items: {} figures with intervals in {:.2} s, {} differences in {:.2} s more",
        report.figures.len()
            + report
                .breakdowns
                .iter()
                .map(|part| part.figures.len())
                .sum::<usize>(),
        scored.as_secs_f64(),
        compared.differences.len(),
        (start.elapsed() - scored).as_secs_f64()
    )
}
