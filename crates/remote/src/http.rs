//! Requests and their answers: the only file that touches the HTTP client.

use std::io::Read;
use std::time::Duration;

use ureq::http::{HeaderMap, Request};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body, Proxy};

use crate::calls::Call;
use crate::names::Names;

/// How long a connection may take to come about. A server that is there answers at once, however busy.
const CONNECT: Duration = Duration::from_secs(10);

/// Servers close connections that are idle, most of them after five seconds; one that is about to be closed is not
/// worth a failed request.
const IDLE: Duration = Duration::from_secs(4);

/// Buffers of a connection, in bytes, each way: requests and answers pass through them in pieces.
const BUFFER: usize = 32 << 10;

/// What they are where there are many connections, each opened by another thread. An allocator keeps blocks of a size
/// together, for each thread by itself, and those of more than 10 KiB in pages of half a mebibyte, of which a thread that
/// opens a connection now and then may in the end touch all. The client asks for 10 KiB, and more than that the header of
/// an answer may not have.
const SMALL_BUFFER: usize = 10 << 10;

/// So many connections are many.
const MANY: usize = 16;

/// The largest answer that is read into memory, in bytes: hundreds of times the longest reply.
const MAX_BODY: u64 = 64 << 20;

/// A client: connections are kept and shared between threads.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    agent: Agent,
}

/// A request. Redirects are never followed by themselves.
pub(crate) struct Ask<'a> {
    pub(crate) url: &'a str,
    /// Names and values.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// JSON to send with POST; without it the method is GET.
    pub(crate) json: Option<Vec<u8>>,
    /// For everything until the last byte of the answer.
    pub(crate) timeout: Option<Duration>,
    /// For every wait for more of the answer.
    pub(crate) patience: Option<Duration>,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

/// An answer whose body is still to come.
pub(crate) struct Stream {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    body: Body,
    /// Lasts until the body is read.
    call: Call,
}

/// The headers of an answer.
pub(crate) struct Headers(HeaderMap);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct NoAnswer {
    /// In the client's words.
    pub(crate) message: String,
    /// Whether it may go better the next time.
    pub(crate) passing: bool,
}

impl Headers {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok().map(str::trim)
    }
}

impl<'a> Ask<'a> {
    pub(crate) fn get(url: &'a str) -> Self {
        Self {
            url,
            headers: Vec::new(),
            json: None,
            timeout: None,
            patience: None,
        }
    }
}

impl Http {
    /// A client for up to `connections` requests at a time.
    pub(crate) fn new(connections: usize) -> Self {
        let buffer = if connections < MANY { BUFFER } else { SMALL_BUFFER };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .max_idle_age(IDLE)
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .input_buffer_size(buffer)
            .output_buffer_size(buffer)
            // A hash is of the file, not of a packed form of it.
            .accept_encoding("identity")
            .user_agent(concat!("rewardanything/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            agent: Agent::with_parts(config, DefaultConnector::default(), Names::default()),
        }
    }

    /// Sends a request and reads the whole answer.
    pub(crate) fn send(&self, ask: Ask<'_>) -> Result<Answer, NoAnswer> {
        let mut stream = self.open(ask)?;
        let body = stream.body.with_config().limit(MAX_BODY).read_to_vec();
        if body.is_err() {
            stream.call.failed();
        }
        Ok(Answer {
            status: stream.status,
            headers: stream.headers,
            body: body.map_err(NoAnswer::from)?,
        })
    }

    /// Sends a request and gives the answer as soon as it begins.
    pub(crate) fn open(&self, ask: Ask<'_>) -> Result<Stream, NoAnswer> {
        let method = if ask.json.is_some() { "POST" } else { "GET" };
        let call = Call::begin(method, ask.url);
        let mut request = Request::builder().uri(ask.url).method(method);
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        for (name, value) in call.headers() {
            request = request.header(name, value);
        }
        // A server on this machine is not behind a proxy.
        let proxy = self
            .agent
            .config()
            .proxy()
            .filter(|_| !is_local(ask.url))
            .cloned();
        let answer = match ask.json {
            Some(json) => {
                let request = request.header("content-type", "application/json").body(json);
                self.run(request, proxy, ask.timeout, ask.patience)
            }
            None => self.run(request.body(()), proxy, ask.timeout, ask.patience),
        };
        match &answer {
            Ok(answer) => call.answered(answer.status().as_u16()),
            Err(_) => call.failed(),
        }
        let (parts, body) = answer?.into_parts();
        Ok(Stream {
            status: parts.status.as_u16(),
            headers: Headers(parts.headers),
            body,
            call,
        })
    }

    /// Sends a request that somebody else made, and reads the whole answer.
    #[cfg(feature = "otel")]
    pub(crate) fn forward(
        &self,
        request: Request<Vec<u8>>,
        timeout: Duration,
    ) -> Result<ureq::http::Response<Vec<u8>>, NoAnswer> {
        let local = is_local(&request.uri().to_string());
        let proxy = self.agent.config().proxy().filter(|_| !local).cloned();
        let (parts, body) = self.run(Ok(request), proxy, Some(timeout), None)?.into_parts();
        let body = body.into_with_config().limit(MAX_BODY).read_to_vec()?;
        Ok(ureq::http::Response::from_parts(parts, body))
    }

    fn run<B: ureq::AsSendBody>(
        &self,
        request: Result<Request<B>, ureq::http::Error>,
        proxy: Option<Proxy>,
        timeout: Option<Duration>,
        patience: Option<Duration>,
    ) -> Result<ureq::http::Response<Body>, NoAnswer> {
        let request = request.map_err(|error| NoAnswer {
            message: format!("not a request: {error}"),
            passing: false,
        })?;
        let request = self
            .agent
            .configure_request(request)
            .proxy(proxy)
            .timeout_global(timeout)
            .timeout_per_read(patience)
            .build();
        self.agent.run(request).map_err(NoAnswer::from)
    }
}

impl Stream {
    /// The bytes of the body as they come.
    pub(crate) fn reader(self) -> impl Read {
        self.body.into_reader()
    }

    /// The rest of the answer as text, at most a few thousand characters of it: what a server says of an error.
    pub(crate) fn text(self) -> String {
        let mut bytes = Vec::new();
        // What came before the fault is still worth showing.
        let _ = self.body.into_reader().take(8_192).read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl From<ureq::Error> for NoAnswer {
    fn from(error: ureq::Error) -> Self {
        use ureq::Error;
        let passing = matches!(
            error,
            Error::Io(_)
                | Error::Timeout(_)
                | Error::HostNotFound
                | Error::ConnectionFailed
                | Error::Protocol(_)
        );
        Self {
            message: error.to_string(),
            passing,
        }
    }
}

fn is_local(url: &str) -> bool {
    let host = url.split("://").nth(1).unwrap_or_default();
    ["localhost", "127.", "[::1]"]
        .iter()
        .any(|local| host.starts_with(local))
}
