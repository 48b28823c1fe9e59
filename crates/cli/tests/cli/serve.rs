//! `serve`, run as a process: it answers as `judge` does, and ends when it is told to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::common::{Scratch, program, run, timeless};

pub(crate) struct Serving {
    child: Child,
    pub(crate) address: String,
    said: BufReader<std::process::ChildStderr>,
}

impl Serving {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::by("serve", &[&["--port", "0"], args].concat(), &[])
    }

    /// A server that another command runs, with additions to its environment.
    pub(crate) fn by(command: &str, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = program(&[&[command], args].concat())
            .env_remove("REWARDANYTHING_SERVER_TOKEN")
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut said = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut address = None;
        while address.is_none() {
            let mut line = String::new();
            assert!(said.read_line(&mut line).expect("it is text") > 0, "it ended");
            address = line
                .split_once(" listens on http://")
                .map(|(_, address)| address.trim().to_owned());
        }
        Self {
            child,
            address: address.expect("it was found"),
            said,
        }
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> (u16, String) {
        self.ask("POST", path, body)
    }

    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it answers text");
        let (head, body) = text.split_once("\r\n\r\n").expect("it speaks HTTP");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), body.to_owned())
    }

    /// Tells it to end, and gives its exit code and what else it said.
    pub(crate) fn end(mut self) -> (i32, String) {
        let told = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(told.expect("it can be told").success());
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).expect("it is text");
        let code = self.child.wait().expect("it ends").code();
        (code.expect("it ends by itself"), rest)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It is gone where a test ended it; one that failed, or did not care how it ends, must not leave it behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_answers_as_files_are_judged_and_ends_when_told() {
    let scratch = Scratch::new();
    let item = json!({"id": "x", "principle": "The shorter, the better.", "prompt": "What is Rust?",
        "responses": {"long": "Rust is a language that has many features.", "short": "A language."}});
    let input = scratch.write("items.jsonl", format!("{item}\n"));
    let in_file = run(&["judge", "--input", &input, "--output", "-"]).expect(0);
    let config = scratch.write("serve.toml", "deadline = 60\nlog = 'json'\n");
    let serving = Serving::start(&["--config", &config]);
    let (status, body) = serving.post("/v1/judge", &item.to_string());
    assert_eq!(status, 200, "{body}");
    assert_eq!(timeless(&body), timeless(&in_file.stdout));
    let (code, said) = serving.end();
    assert_eq!(code, 0, "{said}");
    let line: Value = serde_json::from_str(said.lines().next().expect("a line of the log")).expect("JSON");
    assert_eq!(
        (&line["path"], &line["status"]),
        (&json!("/v1/judge"), &json!(200))
    );
    assert!(line["time"].as_f64().is_some_and(|time| time > 1.7e9), "{line}");
}

#[test]
fn what_makes_no_sense_is_said_before_it_listens() {
    let scratch = Scratch::new();
    let check = |args: &[&str], expect: &str| {
        let ran = run(&[&["serve", "--port", "0"], args].concat()).expect(2);
        assert!(ran.stderr.contains(expect), "{}", ran.stderr);
    };
    let config = scratch.write("serve.toml", "prot = 1\n");
    check(&["--config", &config], "prot");
    check(&["--token-file", &scratch.write("short", "abc\n")], "8 or more");
    check(&["--token-file", &scratch.write("none", "# none\n")], "no token");
    check(&["--host", "no.such.host.invalid"], "cannot listen");
    check(&["--keep", "2 weeks"], "s, m, h or d");
    check(
        &["--store", &scratch.path("no/such/folder")],
        "cannot open the store",
    );
    check(
        &["--store", &scratch.write("text", "no store\n".repeat(500))],
        "cannot open the store",
    );
}
