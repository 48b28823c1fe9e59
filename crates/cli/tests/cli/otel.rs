//! Traces of `serve`, as a collector gets them: OTLP over HTTP, its protobuf read by the numbers of the specification's
//! fields and not by the crate that wrote it.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::serve::Serving;
use crate::server::{Request, Response, Server, says};

/// A field of a message: a number, or bytes.
#[derive(Debug, Clone, Copy)]
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message with their numbers.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for place in 0.. {
            let (&byte, rest) = bytes.split_first().expect("a number ends");
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    fn taken<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (taken, rest) = bytes.split_at_checked(count).expect("a field is whole");
        *bytes = rest;
        taken
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => Field::Number(u64::from_le_bytes(
                taken(&mut bytes, 8).try_into().expect("eight"),
            )),
            2 => {
                let length = varint(&mut bytes) as usize;
                Field::Bytes(taken(&mut bytes, length))
            }
            5 => {
                let four = taken(&mut bytes, 4).try_into().expect("four");
                Field::Number(u64::from(u32::from_le_bytes(four)))
            }
            kind => panic!("a field of kind {kind}"),
        };
        found.push((tag >> 3, field));
    }
    found
}

/// The messages or texts in all fields of a number.
fn parts(bytes: &[u8], number: u64) -> Vec<&[u8]> {
    let of = |(found, field)| match field {
        Field::Bytes(bytes) if found == number => Some(bytes),
        _ => None,
    };
    fields(bytes).into_iter().filter_map(of).collect()
}

fn number(bytes: &[u8], number: u64) -> u64 {
    let of = |(found, field)| match field {
        Field::Number(value) if found == number => Some(value),
        _ => None,
    };
    fields(bytes).into_iter().find_map(of).unwrap_or(0)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("a text")
}

/// Attributes with values that are texts or whole numbers.
fn attributes(bytes: &[u8], at: u64) -> HashMap<String, String> {
    let of = |pair: &[u8]| {
        let value = parts(pair, 2)[0];
        let value = parts(value, 1)
            .first()
            .map_or_else(|| number(value, 3).to_string(), |found| text(found));
        (text(parts(pair, 1)[0]), value)
    };
    parts(bytes, at).into_iter().map(of).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Debug, Clone)]
struct Span {
    service: String,
    trace: String,
    id: String,
    parent: String,
    name: String,
    kind: u64,
    begins: u64,
    ends: u64,
    attributes: HashMap<String, String>,
}

/// The spans of an `ExportTraceServiceRequest`.
fn spans(request: &[u8]) -> Vec<Span> {
    let mut found = Vec::new();
    for group in parts(request, 1) {
        let resource = attributes(parts(group, 1)[0], 1);
        for scope in parts(group, 2) {
            assert_eq!(text(parts(parts(scope, 1)[0], 1)[0]), "rewardanything");
            for span in parts(scope, 2) {
                let id = |at: u64| parts(span, at).first().map(|id| hex(id)).unwrap_or_default();
                found.push(Span {
                    service: resource["service.name"].clone(),
                    trace: id(1),
                    id: id(2),
                    parent: id(4),
                    name: text(parts(span, 5)[0]),
                    kind: number(span, 6),
                    begins: number(span, 7),
                    ends: number(span, 8),
                    attributes: attributes(span, 9),
                });
            }
        }
    }
    found
}

/// A collector that keeps what it is sent.
fn collector() -> (Server, Arc<Mutex<Vec<Span>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let spans_of = Arc::clone(&kept);
    let server = Server::new(move |request| {
        assert_eq!(request.path, "/v1/traces");
        assert_eq!(request.headers["content-type"], "application/x-protobuf");
        assert_eq!(request.headers["x-key"], "of the collector");
        spans_of.lock().expect("whole").extend(spans(&request.body));
        Response::new(200, Vec::new())
    });
    (server, kept)
}

const VERDICT: &str = "<think>\nx\n</think>\n\n{\"scores\": {\"model-1\": 2, \"model-2\": 4}, \"best-to-worst\": [\"model-2\", \"model-1\"]}";

fn judge() -> Server {
    Server::chat(VERDICT)
}

fn start(judge: &Server, endpoint: &str, more: &[&str]) -> Serving {
    let model = format!("http://127.0.0.1:{}", judge.port);
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=of%20the%20collector"),
        ("OTEL_SERVICE_NAME", "a judge of ours"),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ];
    let mut args = vec!["--port", "0", "--log", "off", "--model", &model];
    args.extend(more);
    Serving::by("serve", &args, &environment)
}

fn item(id: u64) -> String {
    json!({"id": id, "principle": "The shorter, the better.", "prompt": "What is Rust?",
        "responses": {"a": "A language.", "b": "One of many."}})
    .to_string()
}

/// Sends a request and reads its answer to the end.
fn post(address: &str, path: &str, header: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{header}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    answer
}

/// The spans once there are so many of a name.
fn waited_for(kept: &Mutex<Vec<Span>>, name: &str, count: usize) -> Vec<Span> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let found = kept.lock().expect("whole").clone();
        if found.iter().filter(|span| span.name == name).count() >= count {
            return found;
        }
        assert!(Instant::now() < until, "no {count} of {name}: {found:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Holds a call's header against the spans: it names one of a call, beneath a judge's, or says that nothing is sampled.
fn assert_call(spans: &[Span], header: &str, unsampled: &str) {
    let parts: Vec<&str> = header.split('-').collect();
    let ["00", trace, id, flags] = parts[..] else {
        panic!("no traceparent: {header}")
    };
    let call = spans.iter().find(|span| span.id == id);
    if flags == "00" {
        assert!(call.is_none() && trace == unsampled, "{header}: {call:?}");
        return;
    }
    let call = call.unwrap_or_else(|| panic!("{header} is nobody's in {spans:#?}"));
    let client = 3;
    assert_eq!((call.trace.as_str(), call.kind, flags), (trace, client, "01"));
    assert_eq!(call.name, "POST /v1/chat/completions");
    assert_eq!(call.attributes["http.response.status_code"], "200");
    assert_eq!(call.attributes["server.address"], "127.0.0.1");
    let judge = spans.iter().find(|span| span.id == call.parent);
    let judge = judge.unwrap_or_else(|| panic!("{call:?} is beneath nothing"));
    assert_eq!((judge.name.as_str(), &judge.trace), ("judge", &call.trace));
    assert!(beneath(spans, judge).contains(&call.name));
}

/// The children of a span by their names, each within its time.
fn beneath(spans: &[Span], parent: &Span) -> Vec<String> {
    let children = spans.iter().filter(|span| span.parent == parent.id);
    let mut names: Vec<String> = children
        .map(|span| {
            assert_eq!(span.trace, parent.trace, "{span:?}");
            assert!(
                parent.begins <= span.begins && span.begins <= span.ends && span.ends <= parent.ends,
                "{span:?} in {parent:?}"
            );
            span.name.clone()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn a_collector_gets_requests_and_their_stages() {
    let (judge, (collector, kept)) = (judge(), collector());
    let serving = start(&judge, &format!("http://127.0.0.1:{}", collector.port), &[]);
    let (trace, caller) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let header = format!("traceparent: 00-{trace}-{caller}-01\r\nx-request-id: mine\r\n");
    post(&serving.address, "/v1/judge?token=secret", &header, &item(0));
    let batch = [item(1), item(2), item(3)].join("\n");
    post(&serving.address, "/v1/judge/batch", "", &batch);
    let unsampled = format!("traceparent: 00-{trace}-{caller}-00\r\n");
    post(&serving.address, "/v1/judge", &unsampled, &item(4));
    // Two samples of a group, and a job.
    let samples: Vec<_> = (0..2)
        .map(|index| {
            let path = format!("/get_reward?n=2&principle=Be%20brief.&group=g&index={index}");
            let body = json!({"query": [format!("Hi? Yes {index}.")], "prompts": ["Hi?"]}).to_string();
            let address = serving.address.clone();
            std::thread::spawn(move || post(&address, &path, "", &body))
        })
        .collect();
    for sample in samples {
        let answer = sample.join().expect("it is answered");
        assert!(answer.contains("\"judge_failed\":[0.0]"), "{answer}");
    }
    post(
        &serving.address,
        "/v1/jobs",
        "",
        &format!("{{\"items\": [{}, {}]}}", item(5), item(6)),
    );
    waited_for(&kept, "job item", 2);
    let spans = waited_for(&kept, "POST /get_reward", 2);
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();

    assert!(spans.iter().all(|span| span.service == "a judge of ours"));
    let [one] = named("POST /v1/judge")[..] else {
        panic!("one, as the caller of the other does not sample: {spans:#?}")
    };
    assert_eq!((one.trace.as_str(), one.parent.as_str()), (trace, caller));
    let server = 2;
    assert_eq!(one.kind, server);
    let attribute = |name: &str| one.attributes.get(name).map_or("", String::as_str);
    assert_eq!(attribute("http.request.method"), "POST");
    assert_eq!(attribute("http.route"), "/v1/judge");
    assert_eq!(attribute("url.path"), "/v1/judge");
    assert_eq!(attribute("http.response.status_code"), "200");
    assert_eq!(attribute("rewardanything.request_id"), "mine");
    assert_eq!(beneath(&spans, one), ["judge", "queue"]);
    // The judge's server was told for which request it is asked: one, a batch of three, the one that is not sampled, a
    // group, and two items of a job.
    let told = judge.chats();
    assert_eq!(told.len(), 1 + 3 + 1 + 1 + 2);
    for request in &told {
        assert_call(&spans, &request.headers["traceparent"], trace);
    }
    let of_caller = |flags: &str| {
        let ours = |request: &&Request| {
            let header = &request.headers["traceparent"];
            header.contains(trace) && header.ends_with(flags)
        };
        told.iter().filter(ours).count()
    };
    assert_eq!((of_caller("-01"), of_caller("-00")), (1, 1));
    let asked_at_the_start = &judge.seen()[0];
    assert_eq!(asked_at_the_start.path, "/v1/models");
    assert!(!asked_at_the_start.headers.contains_key("traceparent"));

    let [batch] = named("POST /v1/judge/batch")[..] else {
        panic!("one: {spans:#?}")
    };
    assert!(batch.parent.is_empty() && batch.trace != trace);
    let expect = ["judge", "judge", "judge", "queue", "queue", "queue"];
    assert_eq!(
        beneath(&spans, batch),
        expect,
        "the stream of answers is part of it"
    );

    let mut samples: Vec<Vec<String>> = named("POST /get_reward")
        .into_iter()
        .map(|sample| beneath(&spans, sample))
        .collect();
    samples.sort();
    let last = vec!["assemble".to_owned(), "judge".to_owned(), "queue".to_owned()];
    assert_eq!(samples, [vec!["assemble".to_owned()], last], "judged once");
    for job in named("job item") {
        assert!(job.parent.is_empty());
        assert_eq!(beneath(&spans, job), ["judge", "queue"]);
    }
    let (_, metrics) = serving.ask("GET", "/metrics", "");
    let arrived = "rewardanything_span_batches_total{arrived=\"true\"} ";
    assert!(metrics.contains(arrived), "{metrics}");
    let (code, said) = serving.end();
    assert!(code == 0 && !said.contains("collector"), "{code}: {said}");
    let all = format!("{:?}", kept.lock().expect("whole"));
    for text in ["secret", "Rust", "brief"] {
        assert!(!all.contains(text), "{text} is nobody's to see");
    }
}

/// Several orders of one request are asked about on threads of their own, and a failed call is repeated: all of them are
/// calls of that request.
#[test]
fn every_call_of_a_request_is_told_whose_it_is() {
    let (chats, failed) = (AtomicUsize::new(0), 2);
    let judge = Server::new(move |request| match request.path.as_str() {
        "/v1/models" => Response::json(200, &json!({ "data": [{ "id": "m" }] })),
        _ if chats.fetch_add(1, Ordering::SeqCst) < failed => Response::new(429, Vec::new()),
        _ => says(VERDICT),
    });
    let (collector, kept) = collector();
    let endpoint = format!("http://127.0.0.1:{}", collector.port);
    let serving = start(&judge, &endpoint, &["--permutations", "2"]);
    let (trace, caller) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let header = format!("traceparent: 00-{trace}-{caller}-01\r\ntracestate: vendor=7\r\n");
    post(&serving.address, "/v1/judge", &header, &item(0));
    let spans = waited_for(&kept, "POST /v1/judge", 1);
    let calls = judge.chats();
    assert_eq!(calls.len(), 2 + failed);
    for call in &calls {
        assert_eq!(call.headers["tracestate"], "vendor=7");
        let header = &call.headers["traceparent"];
        let id = header.split('-').nth(2).expect("a traceparent");
        assert!(header.contains(trace), "{header}");
        let [span] = spans.iter().filter(|span| span.id == id).collect::<Vec<_>>()[..] else {
            panic!("{header} is nobody's in {spans:#?}")
        };
        let judge = spans.iter().find(|judge| judge.id == span.parent);
        assert_eq!(judge.map(|judge| judge.name.as_str()), Some("judge"));
    }
    let statuses = |status: &str| {
        let calls = spans
            .iter()
            .filter(|span| span.name == "POST /v1/chat/completions");
        calls
            .filter(|call| call.attributes["http.response.status_code"] == status)
            .count()
    };
    assert_eq!((statuses("429"), statuses("200")), (failed, 2));
    assert_eq!(serving.end().0, 0);
}

#[test]
fn a_collector_that_is_not_there_holds_up_nobody() {
    let judge = judge();
    let nowhere = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", nowhere.local_addr().expect("bound"));
    drop(nowhere);
    let serving = start(&judge, &endpoint, &[]);
    for id in 0..3 {
        post(&serving.address, "/v1/judge", "", &item(id));
    }
    let (code, said) = serving.end();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("did not reach the collector"), "{said}");
}
