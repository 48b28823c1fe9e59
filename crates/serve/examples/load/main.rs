//! Load on a judging server, and an endpoint that takes a fixed time, to measure what a server adds.
//!
//! ```text
//! load judge  HOST:PORT CALLERS SECONDS [PATH]   callers that each send the next request when the last is answered
//! load open   HOST:PORT CALLERS SECONDS RATE [PATH]   requests at a fixed rate, whether or not earlier ones are answered
//! load groups HOST:PORT GROUPS SAMPLES AT_ONCE   samples sent one by one, so many groups at a time
//! load stand-in HOST:PORT MILLISECONDS           a chat endpoint that answers every request after so long
//! ```
//!
//! All use one thread a connection and nothing but the standard library, so that what they cost is small and known.

mod groups;
#[path = "../wire/mod.rs"]
mod wire;

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use wire::{Result, post, read};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["judge", address, callers, seconds] => {
            judge(address, callers.parse()?, seconds.parse()?, "/v1/judge")
        }
        ["judge", address, callers, seconds, path] => {
            judge(address, callers.parse()?, seconds.parse()?, path)
        }
        ["open", address, callers, seconds, rate] => {
            let load = (callers.parse()?, seconds.parse()?, rate.parse()?);
            open(address, load, "/v1/judge")
        }
        ["open", address, callers, seconds, rate, path] => {
            let load = (callers.parse()?, seconds.parse()?, rate.parse()?);
            open(address, load, path)
        }
        ["groups", address, groups, samples, at_once] => {
            let plan = groups::Plan {
                groups: groups.parse()?,
                samples: samples.parse()?,
                at_once: at_once.parse()?,
            };
            groups::run(address, plan)
        }
        ["stand-in", address, milliseconds] => {
            stand_in(address, Duration::from_millis(milliseconds.parse()?))
        }
        _ => {
            Err("expected: judge HOST:PORT CALLERS SECONDS [PATH], open HOST:PORT CALLERS SECONDS RATE [PATH], groups HOST:PORT GROUPS SAMPLES AT_ONCE, or stand-in HOST:PORT MILLISECONDS".into())
        }
    }
}

fn body(caller: usize, turn: usize) -> String {
    format!(
        "{{\"principle\": \"The shorter, the better.\", \"prompt\": \"What is Rust, for caller {caller} at turn {turn}?\", \
         \"responses\": {{\"long\": \"Rust is a language for programs that have to be fast and right. It was made in \
         many years, by many people.\", \"short\": \"A language.\"}}}}"
    )
}

/// The times of one caller's requests, and how many were not answered with 200.
type Times = (Vec<Duration>, usize);

fn judge(address: &str, callers: usize, seconds: u64, path: &str) -> Result<()> {
    let began = Instant::now();
    let end = began + Duration::from_secs(seconds);
    let results = with_callers(callers, |caller| {
        let mut connection = Connection::open(address)?;
        let (mut times, mut failed) = (Vec::new(), 0);
        while Instant::now() < end {
            let sent = Instant::now();
            failed += usize::from(!connection.ask(path, &body(caller, times.len()))?);
            times.push(sent.elapsed());
        }
        Ok((times, failed))
    });
    report(callers, began.elapsed(), results)
}

/// As many requests a second as are asked for, dealt out to the callers in turn. A request's time counts from when it
/// was to be sent, so that one that is kept from being sent by the slowness of the one before it shows that slowness.
fn open(address: &str, (callers, seconds, rate): (usize, u64, f64), path: &str) -> Result<()> {
    let began = Instant::now();
    let count = (seconds as f64 * rate) as usize;
    let results = with_callers(callers, |caller| {
        let mut connection = Connection::open(address)?;
        let (mut times, mut failed) = (Vec::new(), 0);
        for turn in (caller..count).step_by(callers) {
            let due = began + Duration::from_secs_f64(turn as f64 / rate);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            failed += usize::from(!connection.ask(path, &body(caller, turn))?);
            times.push(due.elapsed());
        }
        Ok((times, failed))
    });
    report(callers, began.elapsed(), results)
}

struct Connection<'a> {
    address: &'a str,
    stream: BufReader<TcpStream>,
}

impl<'a> Connection<'a> {
    fn open(address: &'a str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            address,
            stream: BufReader::new(stream),
        })
    }

    /// Whether the answer was 200.
    fn ask(&mut self, path: &str, body: &str) -> Result<bool> {
        let request = post(self.address, path, body);
        self.stream.get_mut().write_all(&request)?;
        let (status, _) = read(&mut self.stream)?.ok_or("the server closed the connection")?;
        Ok(status.contains(" 200 "))
    }
}

fn with_callers(callers: usize, call: impl Fn(usize) -> Result<Times> + Sync) -> Vec<Result<Times>> {
    let call = &call;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..callers)
            .map(|caller| {
                thread::Builder::new()
                    .stack_size(256 << 10)
                    .spawn_scoped(scope, move || call(caller))
                    .map_err(Into::into)
            })
            .collect();
        threads
            .into_iter()
            .map(|thread: Result<_>| thread?.join().map_err(|_| "a caller broke down")?)
            .collect()
    })
}

fn report(callers: usize, spent: Duration, results: Vec<Result<Times>>) -> Result<()> {
    let spent = spent.as_secs_f64();
    let (mut times, mut failed, mut broken) = (Vec::new(), 0, 0);
    for result in results {
        match result {
            Ok((own, own_failed)) => {
                times.extend(own);
                failed += own_failed;
            }
            Err(error) => {
                broken += 1;
                println!("a caller ended: {error}");
            }
        }
    }
    times.sort_unstable();
    let at = |share: f64| {
        let place = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
        times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    println!(
        "{callers} callers, {} answers in {spent:.1} s: {:.1} a second, {:.0} a minute; p50 {:.2} ms, p99 {:.2} ms; \
         {failed} not 200, {broken} callers broken",
        times.len(),
        times.len() as f64 / spent,
        times.len() as f64 / spent * 60.0,
        at(0.5),
        at(0.99)
    );
    Ok(())
}

fn stand_in(address: &str, takes: Duration) -> Result<()> {
    let models = "{\"object\": \"list\", \"data\": [{\"id\": \"stand-in\", \"object\": \"model\"}]}";
    for stream in TcpListener::bind(address)?.incoming() {
        let stream = stream?;
        thread::Builder::new()
            .stack_size(256 << 10)
            .spawn(move || -> Result<()> {
                stream.set_nodelay(true)?;
                let mut stream = BufReader::new(stream);
                while let Some((first, body)) = read(&mut stream)? {
                    let body = if first.starts_with("GET") {
                        models.to_owned()
                    } else {
                        thread::sleep(takes);
                        chat(labels(&String::from_utf8(body)?))
                    };
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    stream.get_mut().write_all((head + &body).as_bytes())?;
                }
                Ok(())
            })?;
    }
    Ok(())
}

/// How many responses a request shows: the highest number of a label after the word that they stand behind.
fn labels(body: &str) -> usize {
    let shown = body.rfind("responses").map_or("", |at| &body[at..]);
    shown
        .split("model-")
        .skip(1)
        .filter_map(|rest| {
            let end = rest.find(|next: char| !next.is_ascii_digit())?;
            rest[..end].parse().ok()
        })
        .max()
        .unwrap_or(1)
}

/// A verdict by which later responses are better, within what the scale has.
fn chat(labels: usize) -> String {
    let join = |parts: Vec<String>| parts.join(", ");
    let scores = (1..=labels).map(|label| format!("\\\"model-{label}\\\": {}", 1 + 4 * label / (labels + 1)));
    let ranking = (1..=labels).rev().map(|label| format!("\\\"model-{label}\\\""));
    let verdict = format!(
        "{{\\\"scores\\\": {{{}}}, \\\"best-to-worst\\\": [{}]}}",
        join(scores.collect()),
        join(ranking.collect())
    );
    format!(
        "{{\"id\": \"x\", \"object\": \"chat.completion\", \"created\": 0, \"model\": \"stand-in\", \"choices\": \
         [{{\"index\": 0, \"finish_reason\": \"stop\", \"message\": {{\"role\": \"assistant\", \"content\": \
         \"<think>\\nBy the clock, as always, and not by what was said.\\n</think>\\n\\n{verdict}\"}}}}], \"usage\": \
         {{\"prompt_tokens\": 100, \"completion_tokens\": 40, \"total_tokens\": 140}}}}"
    )
}
