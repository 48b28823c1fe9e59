//! A small HTTP server whose answers a test decides.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rewardanything_core::{GenerateJob, Message, Role, Sampling, VerdictForm};
use rewardanything_remote::Address;
use serde_json::{Value, json};

/// What came in.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// Names in lowercase.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Instant,
}

impl Request {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON was sent")
    }

    /// The text of the last message.
    pub(crate) fn text(&self) -> String {
        let json = self.json();
        let last = json["messages"].as_array().and_then(|messages| messages.last());
        last.and_then(|message| message["content"].as_str())
            .expect("a message")
            .to_owned()
    }
}

/// What goes out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Closes the connection after so many bytes of the body, whatever the length says.
    pub(crate) cut: Option<usize>,
}

impl Response {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Response {
            status,
            body: body.into(),
            ..Response::default()
        }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, body.to_string())
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// A chat completion with this content.
pub(crate) fn says(content: &str) -> Response {
    let message = json!({ "role": "assistant", "content": content });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    let usage = json!({ "prompt_tokens": 7, "completion_tokens": 3 });
    Response::json(200, &json!({ "choices": [choice], "usage": usage }))
}

type Handler = dyn Fn(&Request) -> Response + Send + Sync;

pub(crate) struct Server {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
    /// The most requests that were being answered at a time.
    pub(crate) peak: Arc<AtomicUsize>,
    down: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn new(handler: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let peak = Arc::new(AtomicUsize::new(0));
        let down = Arc::new(AtomicBool::new(false));
        let handler: Arc<Handler> = Arc::new(handler);
        let state = (
            seen.clone(),
            peak.clone(),
            Arc::new(AtomicUsize::new(0)),
            down.clone(),
        );
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (handler, state) = (handler.clone(), state.clone());
                thread::spawn(move || serve(stream, handler.as_ref(), &state));
            }
        });
        Server {
            port,
            seen,
            peak,
            down,
        }
    }

    /// A judge that says the same to all, and lists one model.
    pub(crate) fn chat(content: &'static str) -> Self {
        Self::new(move |request| match request.path.as_str() {
            "/v1/models" => Response::json(200, &json!({ "data": [{ "id": "m" }] })),
            _ => says(content),
        })
    }

    pub(crate) fn address(&self) -> Address {
        Address::parse(&format!("http://127.0.0.1:{}", self.port)).expect("an address")
    }

    /// Whether connections are dropped without an answer.
    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().expect("no test panics here").clone()
    }

    /// The chat requests seen so far.
    pub(crate) fn chats(&self) -> Vec<Request> {
        let seen = self.seen().into_iter();
        seen.filter(|request| request.path.contains("chat/completions"))
            .collect()
    }
}

type State = (
    Arc<Mutex<Vec<Request>>>,
    Arc<AtomicUsize>,
    Arc<AtomicUsize>,
    Arc<AtomicBool>,
);

fn serve(stream: TcpStream, handler: &Handler, (seen, peak, busy, down): &State) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    let mut writer = stream;
    while let Some(request) = read(&mut reader) {
        if down.load(Ordering::SeqCst) {
            return;
        }
        seen.lock().expect("no test panics here").push(request.clone());
        peak.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let response = handler(&request);
        busy.fetch_sub(1, Ordering::SeqCst);
        let mut head = format!(
            "HTTP/1.1 {} X\r\ncontent-length: {}\r\n",
            response.status,
            response.body.len()
        );
        for (name, value) in &response.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let body = &response.body[..response.cut.unwrap_or(response.body.len())];
        let sent = writer
            .write_all(head.as_bytes())
            .and_then(|()| writer.write_all(body));
        if sent.is_err() || response.cut.is_some() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        path,
        headers,
        body,
        at: Instant::now(),
    })
}

/// A job that says `text`, held to the form of two labels.
pub(crate) fn job(text: &str, thinking: bool) -> GenerateJob {
    GenerateJob {
        messages: vec![Message {
            role: Role::User,
            content: text.to_owned(),
        }],
        sampling: Sampling {
            max_new_tokens: 400,
            ..Sampling::default()
        },
        thinking,
        form: Some(VerdictForm {
            labels: vec!["model-1".to_owned(), "model-2".to_owned()],
            thinking_tokens: if thinking { usize::MAX } else { 0 },
            given: Vec::new(),
        }),
    }
}

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
