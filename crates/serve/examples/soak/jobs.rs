//! Callers that hand in jobs, wait for them, and hold their results against what they handed in.

use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use crate::callers::{Item, Load, Random, add};
use crate::wire::{Result, post, read, request};

/// How long a job may take: many times what it should.
const PATIENCE: Duration = Duration::from_secs(180);

/// Items of a job.
const ITEMS: u64 = 24;

/// One job, from its being handed in to its being forgotten.
pub(crate) fn live(load: &Load<'_>, (caller, turn): (u64, u64), random: &mut Random) -> Result<()> {
    let items: Vec<Item> = (0..ITEMS)
        .map(|place| Item::new((caller, turn, place), random))
        .collect();
    let lines: Vec<String> = items.iter().map(|item| item.line(load.salt)).collect();
    let key = format!("{}-{caller}-{turn}", load.salt);
    let body = format!("{{\"items\": [{}], \"key\": \"{key}\"}}", lines.join(", "));
    let hand_in = post(load.address, "/v1/jobs", &body);
    // Whoever dies before he knows that the job was taken hands it in again; it is the same one.
    while load.dies(4, random) {
        load.connect()?.get_mut().write_all(&hand_in)?;
        add(&load.counts.deaths, 1);
        thread::sleep(Duration::from_millis(random.below(20)));
    }
    let job = loop {
        match ask(load, &hand_in)? {
            (status, _) if status.contains(" 429 ") => {
                add(&load.counts.refused, 1);
                thread::sleep(Duration::from_millis(100));
            }
            (_, job) => break job,
        }
    };
    let id = field(&job, "id").ok_or_else(|| format!("no job: {job}"))?;
    let path = format!("/v1/jobs/{id}");
    let wait = request("GET", load.address, &format!("{path}?wait=30"), "");
    let began = Instant::now();
    loop {
        if load.dies(4, random) {
            load.connect()?.get_mut().write_all(&wait)?;
            add(&load.counts.deaths, 1);
            continue;
        }
        let (_, job) = ask(load, &wait)?;
        match field(&job, "state").as_deref() {
            Some("running") if began.elapsed() < PATIENCE => {}
            Some("done") => break,
            _ => return Err(format!("it is not done in time: {job}").into()),
        }
    }
    let (_, results) = ask(
        load,
        &request("GET", load.address, &format!("{path}/results"), ""),
    )?;
    let records: Vec<&str> = results.lines().collect();
    if records.len() != items.len() {
        return Err(format!("{} items of a job, {} records", items.len(), records.len()).into());
    }
    for (place, (item, record)) in items.iter().zip(records).enumerate() {
        let begins = format!("{{\"index\":{place},");
        load.counts.item(item.held_against(&begins, record), &record);
    }
    let (status, _) = ask(load, &request("DELETE", load.address, &path, ""))?;
    if !status.contains(" 200 ") {
        return Err(format!("a job was not there to be forgotten: {status}").into());
    }
    add(&load.counts.jobs, 1);
    Ok(())
}

fn ask(load: &Load<'_>, request: &[u8]) -> Result<(String, String)> {
    let mut stream = load.connect()?;
    stream.get_mut().write_all(request)?;
    let (status, answer) = read(&mut stream)?.ok_or("the server closed the connection")?;
    Ok((status, String::from_utf8(answer)?))
}

/// The text of a field, as the server writes JSON.
fn field(json: &str, name: &str) -> Option<String> {
    let rest = json.split_once(&format!("\"{name}\":\""))?.1;
    Some(rest.split_once('"')?.0.to_owned())
}
