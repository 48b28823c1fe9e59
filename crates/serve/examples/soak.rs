//! Hours of load with clients that die and backends that fail, to see that nothing is lost, nothing is out of order and
//! memory stays as it is.
//!
//! ```text
//! soak backend HOST:PORT                           a chat endpoint that fails now and then in several ways
//! soak callers HOST:PORT CALLERS SECONDS [PID]     callers of the server in front of it; PID is the server's process
//! ```
//!
//! Every response says what it is worth, the endpoint reads that, and every answer is held against it: an answer that
//! belongs to somebody else, or stands in another's place, is seen. One call in ten goes away before its answer, one in
//! five is a batch of eight. The exit code is 1 where anything was wrong.

mod wire;

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use wire::{Result, read};

/// Items of a batch.
const BATCH: u64 = 8;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["backend", address] => backend(address),
        ["callers", address, callers, seconds] => {
            callers_of(address, callers.parse()?, seconds.parse()?, None)
        }
        ["callers", address, callers, seconds, pid] => {
            callers_of(address, callers.parse()?, seconds.parse()?, Some(pid))
        }
        _ => Err("expected: backend HOST:PORT, or callers HOST:PORT CALLERS SECONDS [PID]".into()),
    }
}

/// A generator of our own, as the examples depend on nothing (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % bound
    }
}

/// Answers after 5 to 35 ms. Of a hundred requests one is dropped, one fails, one is told to come back later, and one
/// gets no verdict; every half minute it is down for two seconds.
fn backend(address: &str) -> Result<()> {
    let began = Instant::now();
    for (number, stream) in (0..).zip(TcpListener::bind(address)?.incoming()) {
        let stream = stream?;
        thread::Builder::new()
            .stack_size(256 << 10)
            .spawn(move || -> Result<()> {
                stream.set_nodelay(true)?;
                let mut random = Random(number);
                let mut stream = BufReader::new(stream);
                while let Some((first, body)) = read(&mut stream)? {
                    if began.elapsed().as_secs() % 30 >= 28 {
                        return Ok(());
                    }
                    let models = "{\"object\": \"list\", \"data\": [{\"id\": \"soak\", \"object\": \"model\"}]}";
                    let (status, more, body) = if first.starts_with("GET") {
                        ("200 OK", "", models.to_owned())
                    } else {
                        thread::sleep(Duration::from_millis(5 + random.below(30)));
                        match random.below(100) {
                            0 => return Ok(()),
                            1 => ("500 Broken", "", "{\"error\": {\"message\": \"broken\"}}".to_owned()),
                            2 => ("429 Busy", "retry-after: 1\r\n", "{}".to_owned()),
                            3 => ("200 OK", "", chat("I would rather not say.")),
                            _ => ("200 OK", "", chat(&verdict(&String::from_utf8(body)?))),
                        }
                    };
                    let head = format!(
                        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{more}content-length: {}\r\n\r\n",
                        body.len()
                    );
                    stream.get_mut().write_all((head + &body).as_bytes())?;
                }
                Ok(())
            })?;
    }
    Ok(())
}

fn chat(content: &str) -> String {
    format!(
        "{{\"id\": \"x\", \"object\": \"chat.completion\", \"created\": 0, \"model\": \"soak\", \"choices\": [{{\"index\": \
         0, \"finish_reason\": \"stop\", \"message\": {{\"role\": \"assistant\", \"content\": \"{content}\"}}}}], \
         \"usage\": {{\"prompt_tokens\": 100, \"completion_tokens\": 40, \"total_tokens\": 140}}}}"
    )
}

/// The verdict on a request, to stand in a JSON string: two responses, each worth the digit after `worth`.
fn verdict(body: &str) -> String {
    let shown = body.rfind("responses").map_or("", |at| &body[at..]);
    let worth: Vec<u8> = shown
        .split("worth ")
        .skip(1)
        .filter_map(|rest| rest.bytes().next().filter(u8::is_ascii_digit))
        .map(|digit| digit - b'0')
        .collect();
    let [one, two] = worth[..] else {
        return "two responses were expected".to_owned();
    };
    let (first, second) = if one >= two { (1, 2) } else { (2, 1) };
    format!(
        "<think>By worth.</think> {{\\\"scores\\\": {{\\\"model-1\\\": {one}, \\\"model-2\\\": {two}}}, \
         \\\"best-to-worst\\\": [\\\"model-{first}\\\", \\\"model-{second}\\\"]}}"
    )
}

#[derive(Default)]
struct Counts {
    verdicts: AtomicU64,
    failures: AtomicU64,
    deaths: AtomicU64,
    refused: AtomicU64,
    wrong: AtomicU64,
    lost: AtomicU64,
}

fn callers_of(address: &str, callers: u64, seconds: u64, pid: Option<&str>) -> Result<()> {
    let counts = Counts::default();
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut sizes = Vec::new();
    thread::scope(|scope| -> Result<()> {
        for caller in 0..callers {
            let counts = &counts;
            thread::Builder::new()
                .stack_size(256 << 10)
                .spawn_scoped(scope, move || {
                    let mut random = Random(caller);
                    let mut turn = 0;
                    while Instant::now() < end {
                        // Each life of a caller is a connection.
                        if let Err(error) = live(address, (caller, end), &mut turn, &mut random, counts) {
                            println!("caller {caller}: {error}");
                            counts.lost.fetch_add(1, Ordering::Relaxed);
                            thread::sleep(Duration::from_millis(100));
                        }
                    }
                })?;
        }
        while Instant::now() < end {
            thread::sleep(Duration::from_secs(10).min(end.saturating_duration_since(Instant::now())));
            sizes.extend(pid.and_then(resident));
        }
        Ok(())
    })?;
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    println!(
        "{callers} callers for {seconds} s: {} verdicts, {} failures that were said, {} told to come back, {} callers died \
         waiting; {} answers wrong or out of place, {} calls without an answer",
        of(&counts.verdicts),
        of(&counts.failures),
        of(&counts.refused),
        of(&counts.deaths),
        of(&counts.wrong),
        of(&counts.lost)
    );
    if let (Some(middle), Some(last)) = (sizes.get(sizes.len() / 2), sizes.last()) {
        let most = sizes.iter().max().unwrap_or(last);
        println!("the server's memory: {middle} MB at half time, {last} MB at the end, {most} MB at most");
    }
    if of(&counts.wrong) + of(&counts.lost) > 0 {
        return Err("something was lost or out of place".into());
    }
    Ok(())
}

/// Resident memory of a process in MB.
fn resident(pid: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1_000)
}

fn live(
    address: &str,
    (caller, end): (u64, Instant),
    turn: &mut u64,
    random: &mut Random,
    counts: &Counts,
) -> Result<()> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while Instant::now() < end {
        *turn += 1;
        let batch = random.below(5) == 0;
        let items: Vec<(u64, u64)> = (0..if batch { BATCH } else { 1 })
            .map(|place| ((caller << 32) + (*turn << 4) + place, random.below(5) + 1))
            .collect();
        let (path, body) = if batch {
            (
                "/v1/judge/batch",
                items.iter().map(|&item| line(item) + "\n").collect(),
            )
        } else {
            ("/v1/judge", line(items[0]))
        };
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.get_mut().write_all(request.as_bytes())?;
        if random.below(10) == 0 {
            thread::sleep(Duration::from_millis(random.below(30)));
            counts.deaths.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let (status, answer) = read(&mut stream)?.ok_or("the server closed the connection")?;
        if status.contains(" 429 ") {
            counts.refused.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(100));
            continue;
        }
        let answer = String::from_utf8(answer)?;
        let records: Vec<&str> = answer.lines().collect();
        if records.len() != items.len() {
            return Err(format!("{} items, {} records: {status}", items.len(), records.len()).into());
        }
        for (item, record) in items.into_iter().zip(records) {
            let counter = match held_against(item, record) {
                Some(true) => &counts.verdicts,
                Some(false) => &counts.failures,
                None => {
                    println!("item {item:?} was answered {record}");
                    &counts.wrong
                }
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

fn line((id, worth): (u64, u64)) -> String {
    format!(
        "{{\"id\": {id}, \"principle\": \"By worth.\", \"prompt\": \"{id}?\", \"responses\": {{\"a\": \"worth {worth}\", \
         \"b\": \"worth {}\"}}}}",
        6 - worth
    )
}

/// Whether a record is the item's verdict, or says that it has none; `None` where it is neither.
fn held_against((id, worth): (u64, u64), record: &str) -> Option<bool> {
    let mine = record.starts_with(&format!("{{\"id\":{id},"));
    let right = record.contains(&format!("\"scores\":{{\"a\":{worth},\"b\":{}}}", 6 - worth));
    let failed = record.contains("\"error\":{\"kind\":");
    match (mine, right, failed) {
        (true, true, false) => Some(true),
        (true, false, true) => Some(false),
        _ => None,
    }
}
