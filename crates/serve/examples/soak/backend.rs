//! A chat endpoint that reads verdicts off what it is shown, and fails now and then in several ways.

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::callers::Random;
use crate::wire::{Result, read};

/// Answers after 5 to 35 ms, until the process ends. Of a thousand requests one is dropped, one fails, one is told to come
/// back and ten get no verdict. Every half minute it is down for two seconds, each endpoint at a time of its own, and
/// once in five minutes all are for three.
pub(crate) fn serve(listener: &TcpListener, number: u64) {
    let began = Instant::now();
    for (connection, stream) in (0..).zip(listener.incoming()) {
        let Ok(stream) = stream else { continue };
        let started = thread::Builder::new().stack_size(256 << 10).spawn(move || {
            // A connection that breaks is the server's affair.
            let _ = answer(stream, (number, began), Random(number << 40 | connection));
        });
        if let Err(error) = started {
            println!("endpoint {number} has no thread: {error}");
        }
    }
}

fn is_down(number: u64, seconds: u64) -> bool {
    (seconds + 7 * number) % 30 >= 28 || seconds % 300 >= 297
}

fn answer(stream: TcpStream, (number, began): (u64, Instant), mut random: Random) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some((first, body)) = read(&mut stream)? {
        if is_down(number, began.elapsed().as_secs()) {
            return Ok(());
        }
        let models = "{\"object\": \"list\", \"data\": [{\"id\": \"soak\", \"object\": \"model\"}]}";
        let (status, more, body) = if first.starts_with("GET") {
            ("200 OK", "", models.to_owned())
        } else {
            thread::sleep(Duration::from_millis(5 + random.below(30)));
            match random.below(1_000) {
                0 => return Ok(()),
                1 => (
                    "500 Broken",
                    "",
                    "{\"error\": {\"message\": \"broken\"}}".to_owned(),
                ),
                2 => ("429 Busy", "retry-after: 1\r\n", "{}".to_owned()),
                3..13 => ("200 OK", "", chat("I would rather not say.")),
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
}

fn chat(content: &str) -> String {
    format!(
        "{{\"id\": \"x\", \"object\": \"chat.completion\", \"created\": 0, \"model\": \"soak\", \"choices\": [{{\"index\": \
         0, \"finish_reason\": \"stop\", \"message\": {{\"role\": \"assistant\", \"content\": \"{content}\"}}}}], \
         \"usage\": {{\"prompt_tokens\": 100, \"completion_tokens\": 40, \"total_tokens\": 140}}}}"
    )
}

/// The verdict on a request, to stand in a JSON string: each response is worth the digit after `worth`.
fn verdict(body: &str) -> String {
    let shown = body.rfind("responses").map_or("", |at| &body[at..]);
    let worth: Vec<u8> = shown
        .split("worth ")
        .skip(1)
        .filter_map(|rest| rest.bytes().next().filter(u8::is_ascii_digit))
        .map(|digit| digit - b'0')
        .collect();
    let mut order: Vec<usize> = (0..worth.len()).collect();
    order.sort_by_key(|&place| std::cmp::Reverse(worth[place]));
    let scores = worth.iter().zip(1..);
    let scores: Vec<String> = scores
        .map(|(worth, label)| format!("\\\"model-{label}\\\": {worth}"))
        .collect();
    let ranking: Vec<String> = order
        .iter()
        .map(|place| format!("\\\"model-{}\\\"", place + 1))
        .collect();
    format!(
        "<think>By worth.</think> {{\\\"scores\\\": {{{}}}, \\\"best-to-worst\\\": [{}]}}",
        scores.join(", "),
        ranking.join(", ")
    )
}
