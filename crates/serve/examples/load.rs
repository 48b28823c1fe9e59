//! Load on a judging server, and an endpoint that takes a fixed time, to measure what a server adds.
//!
//! ```text
//! load judge  HOST:PORT CALLERS SECONDS [PATH]   callers that each send the next request when the last is answered
//! load stand-in HOST:PORT MILLISECONDS           a chat endpoint that answers every request after so long
//! ```
//!
//! Both use one thread a connection and nothing but the standard library, so that what they cost is small and known.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

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
        ["stand-in", address, milliseconds] => {
            stand_in(address, Duration::from_millis(milliseconds.parse()?))
        }
        _ => {
            Err("expected: judge HOST:PORT CALLERS SECONDS [PATH], or stand-in HOST:PORT MILLISECONDS".into())
        }
    }
}

/// Reads one message: its first line and its body.
fn read(stream: &mut BufReader<TcpStream>) -> Result<Option<(String, Vec<u8>)>> {
    let mut first = String::new();
    if stream.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Some((first, body)))
}

fn body(caller: usize, turn: usize) -> String {
    format!(
        "{{\"principle\": \"The shorter, the better.\", \"prompt\": \"What is Rust, for caller {caller} at turn {turn}?\", \
         \"responses\": {{\"long\": \"Rust is a language for programs that have to be fast and right. It was made in \
         many years, by many people.\", \"short\": \"A language.\"}}}}"
    )
}

fn judge(address: &str, callers: usize, seconds: u64, path: &str) -> Result<()> {
    let began = Instant::now();
    let end = began + Duration::from_secs(seconds);
    let results: Vec<Result<(Vec<Duration>, usize)>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..callers)
            .map(|caller| {
                let call = move || {
                    let mut stream = BufReader::new(TcpStream::connect(address)?);
                    stream.get_ref().set_nodelay(true)?;
                    let (mut times, mut failed) = (Vec::new(), 0);
                    while Instant::now() < end {
                        let body = body(caller, times.len());
                        let request = format!(
                            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
                             content-length: {}\r\n\r\n{body}",
                            body.len()
                        );
                        let sent = Instant::now();
                        stream.get_mut().write_all(request.as_bytes())?;
                        let (status, _) = read(&mut stream)?.ok_or("the server closed the connection")?;
                        times.push(sent.elapsed());
                        failed += usize::from(!status.contains(" 200 "));
                    }
                    Ok((times, failed))
                };
                thread::Builder::new()
                    .stack_size(256 << 10)
                    .spawn_scoped(scope, call)
                    .map_err(Into::into)
            })
            .collect();
        threads
            .into_iter()
            .map(|thread: Result<_>| thread?.join().map_err(|_| "a caller broke down")?)
            .collect()
    });
    let spent = began.elapsed().as_secs_f64();
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
    let verdict = "{\\\"scores\\\": {\\\"model-1\\\": 2, \\\"model-2\\\": 4}, \\\"best-to-worst\\\": \
                   [\\\"model-2\\\", \\\"model-1\\\"]}";
    let chat = format!(
        "{{\"id\": \"x\", \"object\": \"chat.completion\", \"created\": 0, \"model\": \"stand-in\", \"choices\": \
         [{{\"index\": 0, \"finish_reason\": \"stop\", \"message\": {{\"role\": \"assistant\", \"content\": \
         \"<think>\\nBy the clock, as always, and not by what was said.\\n</think>\\n\\n{verdict}\"}}}}], \"usage\": \
         {{\"prompt_tokens\": 100, \"completion_tokens\": 40, \"total_tokens\": 140}}}}"
    );
    let models = "{\"object\": \"list\", \"data\": [{\"id\": \"stand-in\", \"object\": \"model\"}]}";
    for stream in TcpListener::bind(address)?.incoming() {
        let (stream, chat) = (stream?, chat.clone());
        thread::Builder::new()
            .stack_size(256 << 10)
            .spawn(move || -> Result<()> {
                stream.set_nodelay(true)?;
                let mut stream = BufReader::new(stream);
                while let Some((first, _)) = read(&mut stream)? {
                    let body = if first.starts_with("GET") {
                        models
                    } else {
                        thread::sleep(takes);
                        &chat
                    };
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    stream.get_mut().write_all((head + body).as_bytes())?;
                }
                Ok(())
            })?;
    }
    Ok(())
}
