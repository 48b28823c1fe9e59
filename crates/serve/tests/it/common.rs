//! A server on a free port, and a client that knows no more than HTTP.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rewardanything_core::{Generate, OrderPolicy, Profile, Repeats, Scripted};
use rewardanything_engine::{LoadOptions, LocalModel};
use rewardanything_serve::{App, Host, Settings, Setup, Store, serve};
use serde_json::Value;
use tokio::sync::oneshot;

/// A server that ends with the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) app: Arc<App>,
    pub(crate) log: Arc<Mutex<Vec<Value>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<bool>>,
}

impl Server {
    pub(crate) fn start(setup: Setup, settings: Settings) -> Self {
        Self::over(setup, settings, Arc::new(Store::in_memory().unwrap()))
    }

    /// A server over a store that is kept, or was there before.
    pub(crate) fn over(setup: Setup, settings: Settings, store: Arc<Store>) -> Self {
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let app = App::new(
            setup,
            settings,
            Host {
                log: Arc::new(move |event| lines.lock().unwrap().push(serde_json::to_value(event).unwrap())),
                extra: Arc::new(String::new),
                now: Arc::new(|| Duration::from_secs(1_700_000_000)),
                seed: 0,
            },
            store,
        );
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let served = Arc::clone(&app);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            let drained = runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let shutdown = async {
                    let _ = stopped.await;
                };
                serve(listener, served, shutdown).await.unwrap()
            });
            runtime.shutdown_background();
            drained
        });
        Self {
            address: told.recv().unwrap(),
            app,
            log,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Tells it to end; the result is what `serve` says.
    pub(crate) fn end(&mut self) -> JoinHandle<bool> {
        drop(self.stop.take());
        self.thread.take().expect("it ends once")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Reply {
        call(self.address, "POST", path, &[], body)
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        call(self.address, "GET", path, &[], "")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        self.ok_with(200)
    }

    #[track_caller]
    pub(crate) fn ok_with(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
    }
}

/// Sends a request and does not wait for the answer.
pub(crate) fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    // A server that refuses early may close before it has read all.
    let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes());
    stream
}

/// Sends a request and reads the answer to its end.
pub(crate) fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    answer(send(address, method, path, headers, body))
}

/// Reads the answer to its end.
pub(crate) fn answer(mut stream: TcpStream) -> Reply {
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{read:?}: {text}"));
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Reply {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: if chunked { unchunked(body) } else { body.to_owned() },
    }
}

fn unchunked(mut body: &str) -> String {
    let mut out = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return out;
        }
        out += &rest[..size];
        body = &rest[size + 2..];
    }
    panic!("the last chunk is missing: {out}");
}

/// The judge that ships with the program, loaded once.
pub(crate) fn nano() -> Setup {
    static NANO: LazyLock<Arc<LocalModel>> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/nano");
        Arc::new(LocalModel::from_folder(&folder, &LoadOptions::default()).unwrap())
    });
    Setup {
        model: Arc::clone(&NANO) as Arc<dyn Generate>,
        profile: NANO.profile().unwrap().clone(),
        seed: 0,
        repeats: Repeats::ONCE,
    }
}

/// A judge that takes its scores from the texts themselves: a response is worth the number at its end, 1 to 5. A
/// response `sleep MS …` takes so long, one that says `garbage` gets no verdict.
pub(crate) fn by_number() -> Setup {
    scripted(Scripted::from_fn(|job| {
        let shown: Value = serde_json::from_str(&job.messages.last().unwrap().content).unwrap();
        let mut scores = serde_json::Map::new();
        for (label, text) in shown["responses"].as_object().unwrap() {
            let text = text.as_str().unwrap();
            if let Some(rest) = text.strip_prefix("sleep ") {
                let milliseconds = rest.split(' ').next().unwrap().parse().unwrap();
                std::thread::sleep(Duration::from_millis(milliseconds));
            }
            if text.contains("garbage") {
                return Ok(completion("no verdict today"));
            }
            let score: f64 = text.rsplit(' ').next().unwrap().parse().unwrap_or(1.0);
            scores.insert(label.clone(), score.clamp(1.0, 5.0).into());
        }
        let mut ranking: Vec<&String> = scores.keys().collect();
        ranking.sort_by(|a, b| {
            scores[*b]
                .as_f64()
                .unwrap()
                .total_cmp(&scores[*a].as_f64().unwrap())
        });
        let verdict = serde_json::json!({"scores": scores, "best-to-worst": ranking});
        Ok(completion(&format!("<think>by number</think>\n{verdict}")))
    }))
}

pub(crate) fn completion(text: &str) -> rewardanything_core::Completion {
    rewardanything_core::Completion {
        text: text.to_owned(),
        prompt_tokens: 1,
        completion_tokens: 1,
        finish: rewardanything_core::FinishReason::Stop,
        distributions: Vec::new(),
    }
}

pub(crate) fn scripted(model: impl Generate + 'static) -> Setup {
    Setup {
        model: Arc::new(model),
        profile: Profile {
            order: OrderPolicy::Given,
            ..Profile::rewardanything()
        },
        seed: 0,
        repeats: Repeats::ONCE,
    }
}

/// An item under an id.
pub(crate) fn item(id: u64, responses: &[(&str, &str)]) -> Value {
    let responses: serde_json::Map<String, Value> = responses
        .iter()
        .map(|(name, text)| ((*name).to_owned(), Value::from(*text)))
        .collect();
    serde_json::json!({"id": id, "principle": "The shorter, the better.", "prompt": "What is Rust?",
        "responses": responses})
}
