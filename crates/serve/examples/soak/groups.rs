//! Callers that send the samples of a prompt one by one, each on a connection of its own.

use std::io::Write as _;
use std::thread;
use std::time::Duration;

use crate::callers::{Load, Random, add};
use crate::wire::{Result, post, read};

/// Samples of a group.
const SAMPLES: u64 = 8;

/// Groups one after the other, until the load ends or a call goes wrong.
pub(crate) fn live(load: &Load<'_>, (caller, mut turn): (u64, u64), random: &mut Random) -> Result<()> {
    let mut streams = Vec::new();
    for _ in 0..SAMPLES {
        streams.push(load.connect()?);
    }
    while !load.is_over() {
        turn += 1;
        let group = format!("{}-{caller}-{turn}-{}", load.salt, random.below(u64::MAX));
        let worth: Vec<u64> = (0..SAMPLES).map(|_| random.below(5) + 1).collect();
        let request = |index: u64| {
            let path = format!("/get_reward?n={SAMPLES}&principle=By%20worth.&group={group}&index={index}");
            let body = format!(
                "{{\"query\": [\"{group}? worth {} of {index}\"], \"prompts\": [\"{group}?\"]}}",
                worth[index as usize]
            );
            post(load.address, &path, &body)
        };
        let mut dead = Vec::new();
        for (index, stream) in (0..).zip(&mut streams) {
            stream.get_mut().write_all(&request(index))?;
            if !load.dies(12, random) {
                continue;
            }
            // It dies, and half of the time somebody takes its place.
            thread::sleep(Duration::from_millis(random.below(20)));
            add(&load.counts.deaths, 1);
            *stream = load.connect()?;
            if random.once_in(2) {
                stream.get_mut().write_all(&request(index))?;
            } else {
                dead.push(index);
            }
        }
        for (index, stream) in (0..).zip(&mut streams) {
            if dead.contains(&index) {
                continue;
            }
            let (status, answer) = read(stream)?.ok_or("the server closed the connection")?;
            let answer = String::from_utf8(answer)?;
            let found = status
                .contains(" 200 ")
                .then(|| held_against(worth[index as usize], &answer))
                .flatten();
            let what = format!(
                "sample {index} worth {} of {group}: {status}{answer}",
                worth[index as usize]
            );
            load.counts.item(found, &what);
            // Of those who died some may not have been heard.
            let heard = SAMPLES - dead.len() as u64;
            if value(&answer, "judge_siblings").is_some_and(|siblings| siblings < heard as f64) {
                add(&load.counts.short, 1);
            }
        }
        add(&load.counts.groups, 1);
    }
    Ok(())
}

/// Whether an answer is the sample's own score, or says that there is none; `None` where it is neither.
fn held_against(worth: u64, answer: &str) -> Option<bool> {
    let (score, reward) = (value(answer, "judge_score")?, value(answer, "rewards")?);
    if value(answer, "judge_failed")? > 0.0 {
        return (score == 3.0 && reward == 0.5).then_some(false);
    }
    let known = (1.0..=SAMPLES as f64).contains(&value(answer, "judge_siblings")?);
    let right = score == worth as f64 && (reward - (score - 1.0) / 4.0).abs() < 1e-9;
    (known && right).then_some(true)
}

/// The one number of a list.
fn value(answer: &str, name: &str) -> Option<f64> {
    let rest = answer.split_once(&format!("\"{name}\":["))?.1;
    rest.split_once(']')?.0.parse().ok()
}
