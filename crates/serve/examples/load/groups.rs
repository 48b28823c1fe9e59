//! Samples of one prompt, sent one by one as training frameworks send them, and answered together.

use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::wire::{Result, post, read};

/// How many groups, how many samples in each, and how many groups at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) groups: usize,
    pub(crate) samples: usize,
    pub(crate) at_once: usize,
}

/// Sends all groups and says how long each took from its last sample to its last answer.
pub(crate) fn run(address: &str, plan: Plan) -> Result<()> {
    // Connecting is not what is measured.
    let ready = Barrier::new(plan.at_once + 1);
    let ready = &ready;
    let (lanes, spent) = thread::scope(|scope| -> Result<(Vec<_>, f64)> {
        let lanes: Vec<_> = (0..plan.at_once)
            .map(|lane| {
                thread::Builder::new()
                    .stack_size(256 << 10)
                    .spawn_scoped(scope, move || of_lane(address, plan, (lane, ready)))
            })
            .collect::<std::io::Result<_>>()?;
        ready.wait();
        let began = Instant::now();
        let lanes = lanes.into_iter().map(|lane| lane.join());
        let lanes = lanes
            .map(|lane| lane.map_err(|_| "a lane broke down")?)
            .collect::<Result<Vec<_>>>()?;
        Ok((lanes, began.elapsed().as_secs_f64()))
    })?;
    let failed: usize = lanes.iter().map(|(_, failed)| failed).sum();
    let mut times: Vec<Duration> = lanes.into_iter().flat_map(|(times, _)| times).collect();
    times.sort_unstable();
    let at = |share: f64| {
        let place = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
        times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    println!(
        "{} groups of {} samples, {} at a time, in {spent:.2} s: {:.1} groups a second; from the last sample to the last \
         answer p50 {:.2} ms, p99 {:.2} ms; {failed} samples without a verdict",
        times.len(),
        plan.samples,
        plan.at_once,
        times.len() as f64 / spent,
        at(0.5),
        at(0.99)
    );
    Ok(())
}

/// The times of every so many-th group, and how many samples got no verdict.
fn of_lane(address: &str, plan: Plan, (lane, ready): (usize, &Barrier)) -> Result<(Vec<Duration>, usize)> {
    let connect = || -> Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(BufReader::new(stream))
    };
    let streams: Result<Vec<_>> = (0..plan.samples).map(|_| connect()).collect();
    // Whoever fails is waited for too.
    ready.wait();
    let mut streams = streams?;
    // What another run asked is remembered for a while.
    let run = std::process::id();
    let (mut times, mut failed) = (Vec::new(), 0);
    for group in (lane..plan.groups).step_by(plan.at_once) {
        for (index, stream) in streams.iter_mut().enumerate() {
            let path = format!(
                "/get_reward?n={}&principle=content-concise&group={run}-{group}&index={index}",
                plan.samples
            );
            let prompt = format!("What is Rust, for group {group} of {run}?");
            let body = format!(
                "{{\"query\": [\"{prompt} Rust is a language for programs that have to be fast and right; number {index} of \
                 what was said of it.\"], \"prompts\": [\"{prompt}\"]}}"
            );
            stream.get_mut().write_all(&post(address, &path, &body))?;
        }
        let sent = Instant::now();
        for stream in &mut streams {
            let (status, answer) = read(stream)?.ok_or("the server closed the connection")?;
            let answer = String::from_utf8(answer)?;
            let judged = answer.contains("\"judge_failed\":[0.0]")
                && answer.contains(&format!("\"judge_siblings\":[{}.0]", plan.samples));
            failed += usize::from(!status.contains(" 200 ") || !judged);
        }
        times.push(sent.elapsed());
    }
    Ok((times, failed))
}
