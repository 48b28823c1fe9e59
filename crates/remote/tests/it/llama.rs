//! Against a real llama.cpp server, where one is at hand.
//!
//! `REWARDANYTHING_LLAMA_SERVER` names the program, `REWARDANYTHING_LLAMA_MODEL` a GGUF file of nano, as
//! `rewardanything model convert nano nano.gguf --format f16` writes it. Without them the test says so and passes.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rewardanything_core::{Generate as _, Judge, JudgeRequest, Profile, Response, ThinkingPolicy};
use rewardanything_remote::{Address, Keys, Pool, Settings};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "only the environment says whether there is a server to test against"
)]
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .map(PathBuf::from)
        .filter(|path| path.is_file())
}

#[test]
fn a_real_server_judges() {
    let (Some(program), Some(model)) = (
        variable("REWARDANYTHING_LLAMA_SERVER"),
        variable("REWARDANYTHING_LLAMA_MODEL"),
    ) else {
        eprintln!("skipped: REWARDANYTHING_LLAMA_SERVER and REWARDANYTHING_LLAMA_MODEL do not name files");
        return;
    };
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|socket| socket.local_addr())
        .expect("a port")
        .port();
    let child = Command::new(program)
        .arg("-m")
        .arg(model)
        // llama.cpp does not know nano's way of cutting words.
        .args([
            "--override-kv",
            "tokenizer.ggml.pre=str:qwen2",
            "--alias",
            "nano",
            "--host",
            "127.0.0.1",
        ])
        .args([
            "--port",
            &port.to_string(),
            "-c",
            "4096",
            "-np",
            "2",
            "-t",
            "1",
            "--jinja",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let _running = Running(child);
    let connect = || {
        let address = Address::parse(&format!("http://127.0.0.1:{port}")).expect("an address");
        Pool::connect(
            vec![address],
            &Keys::default(),
            Settings {
                concurrency: 2,
                ..Settings::default()
            },
        )
    };
    let start = Instant::now();
    let pool = loop {
        match connect() {
            Ok(pool) => break pool,
            Err(error) => assert!(start.elapsed() < Duration::from_secs(60), "{error}"),
        }
        thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(pool.name(), format!("nano@127.0.0.1:{port}"));

    let responses = vec![
        Response::new(
            "long",
            "The capital of France is the old city of Paris, on the Seine.",
        ),
        Response::new("brief", "Paris."),
    ];
    let request =
        JudgeRequest::new("The shorter, the better.", "The capital of France?", responses).expect("valid");
    let with = |thinking| {
        let mut profile = Profile {
            thinking,
            system: String::new(),
            ..Profile::rewardanything()
        };
        profile.sampling.max_new_tokens = 400;
        Judge::new(&pool, profile, 0)
    };
    let requests = vec![request; 4];
    for judgment in with(ThinkingPolicy::Off).judge_batch(&requests) {
        let verdict = judgment
            .verdict
            .expect("held to the form, every reply is a verdict");
        assert!(verdict.reasoning.is_empty());
        for score in &verdict.scores {
            let distribution = score.distribution().expect("it offers probabilities");
            assert!((distribution.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            assert!(score.value().fract() == 0.0);
        }
    }
    for judgment in with(ThinkingPolicy::Optional).judge_batch(&requests) {
        let text = judgment.completion.expect("a reply").text;
        assert!(
            text.contains("</think>"),
            "the form must not swallow the thinking: {text}"
        );
    }
    let notes = pool.take_notes();
    assert!(
        notes.iter().any(|note| note.contains("cannot think")),
        "{notes:?}"
    );

    let long =
        JudgeRequest::new("Shorter.", "word ".repeat(5_000), vec![Response::new("a", "b")]).expect("valid");
    let error = with(ThinkingPolicy::Off)
        .judge(&long)
        .verdict
        .expect_err("too long");
    assert_eq!(error.kind(), "prompt_too_long", "{error}");
}
