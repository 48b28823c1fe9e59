//! Training frameworks and reward models' callers: their bodies, and what they read of the answers.

use std::thread;
use std::time::{Duration, Instant};

use rewardanything_serve::groups::Timing;
use rewardanything_serve::{GroupSettings, RewardSettings, Settings};
use serde_json::{Value, json};

use crate::common::{Reply, Server, by_number, call, nano, send};

const PROMPT: &str = "<|im_start|>user\nHow much?<|im_end|>\n<|im_start|>assistant\n";

fn settings() -> Settings {
    Settings {
        groups: GroupSettings {
            timing: Timing {
                wait: Duration::from_secs(20),
                ..GroupSettings::default().timing
            },
            ..GroupSettings::default()
        },
        rewards: RewardSettings {
            principle: Some("The number counts.".to_owned()),
            principles: [("brief".to_owned(), "Be brief.".to_owned())].into(),
            samples: 1,
        },
        ..Settings::default()
    }
}

/// One sample, as OpenRLHF sends it.
fn openrlhf(response: &str) -> String {
    json!({"query": [format!("{PROMPT}{response}<|im_end|>")], "prompts": [PROMPT], "labels": [null]})
        .to_string()
}

fn all_at_once(server: &Server, path: &str, bodies: &[String]) -> Vec<Reply> {
    thread::scope(|scope| {
        let calls: Vec<_> = bodies
            .iter()
            .map(|body| scope.spawn(move || server.post(path, body)))
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    })
}

#[track_caller]
fn counted(server: &Server, line: &str) {
    let text = server.get("/metrics").body;
    assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
}

#[test]
fn samples_of_one_prompt_are_judged_in_one_call() {
    let server = Server::start(by_number(), settings());
    let bodies: Vec<String> = (1..=5)
        .map(|worth| openrlhf(&format!("It is worth {worth}")))
        .collect();
    let replies = all_at_once(&server, "/get_reward?n=5&principle=brief", &bodies);
    for (worth, reply) in (1..=5).zip(replies) {
        let reply = reply.ok();
        let unit = (f64::from(worth) - 1.0) / 4.0;
        assert_eq!(reply["rewards"], json!([unit]), "{reply}");
        assert_eq!(reply["scores"], json!([unit]));
        let logs = json!({"judge_score": [f64::from(worth)], "judge_rank": [f64::from(5 - worth)],
            "judge_siblings": [5.0], "judge_failed": [0.0]});
        assert_eq!(reply["extra_logs"], logs);
    }
    counted(&server, "rewardanything_judgments_total{outcome=\"verdict\"} 1");
    counted(&server, "rewardanything_groups_total{by=\"full\"} 1");
    counted(&server, "rewardanything_open_groups 0");
}

#[test]
fn a_group_with_a_lost_member_is_judged_with_what_came() {
    let mut settings = settings();
    settings.groups.timing.wait = Duration::from_millis(300);
    let server = Server::start(by_number(), settings);
    let began = Instant::now();
    let bodies = [openrlhf("worth 4"), openrlhf("worth 2")];
    let replies = all_at_once(&server, "/get_reward?n=3&scale=raw", &bodies);
    assert!(
        began.elapsed() >= Duration::from_millis(280),
        "it waited for the third"
    );
    let rewards: Vec<Value> = replies
        .into_iter()
        .map(|reply| reply.ok()["rewards"].clone())
        .collect();
    assert_eq!(rewards, [json!([4.0]), json!([2.0])]);
    counted(&server, "rewardanything_groups_total{by=\"deadline\"} 1");
}

#[test]
fn a_client_that_loses_its_connection_and_tries_again_is_judged_once() {
    let server = Server::start(by_number(), settings());
    let path = "/get_reward?n=2";
    let lost = send(server.address, "POST", path, &[], &openrlhf("worth 5"));
    let until = Instant::now() + Duration::from_secs(10);
    while !server
        .get("/metrics")
        .body
        .contains("rewardanything_open_groups 1")
    {
        assert!(Instant::now() < until);
    }
    drop(lost);
    while server
        .log
        .lock()
        .unwrap()
        .iter()
        .all(|line| line["status"] != 499)
    {
        assert!(Instant::now() < until, "its going was noticed");
        thread::sleep(Duration::from_millis(2));
    }
    let replies = all_at_once(&server, path, &[openrlhf("worth 5"), openrlhf("worth 1")]);
    let rewards: Vec<Value> = replies
        .into_iter()
        .map(|reply| reply.ok()["rewards"].clone())
        .collect();
    assert_eq!(rewards, [json!([1.0]), json!([0.0])]);
    counted(&server, "rewardanything_judgments_total{outcome=\"verdict\"} 1");
    counted(&server, "rewardanything_group_members_total 2");
}

#[test]
fn a_group_larger_than_the_judge_takes_is_split() {
    let mut setup = by_number();
    setup.profile.max_responses = 4;
    let server = Server::start(setup, settings());
    let bodies: Vec<String> = (0..11)
        .map(|index| openrlhf(&format!("number {index} worth {}", index % 5 + 1)))
        .collect();
    let replies = all_at_once(&server, "/get_reward?n=11&scale=raw", &bodies);
    for (index, reply) in replies.into_iter().enumerate() {
        let reply = reply.ok();
        assert_eq!(reply["rewards"], json!([(index % 5 + 1) as f64]), "{index}");
        assert_eq!(reply["extra_logs"]["judge_siblings"], json!([11.0]));
    }
    // Two anchors in each part leave room for two others.
    counted(&server, "rewardanything_judgments_total{outcome=\"verdict\"} 5");
}

#[test]
fn training_goes_on_where_there_is_no_verdict_but_not_without_a_principle() {
    let server = Server::start(by_number(), settings());
    let reply = server.post("/get_reward", &openrlhf("garbage")).ok();
    assert_eq!(
        (&reply["rewards"], &reply["scores"]),
        (&json!([0.5]), &json!([0.5]))
    );
    assert_eq!(reply["extra_logs"]["judge_failed"], json!([1.0]));
    let text = server.get("/metrics").body;
    assert!(text.contains("rewardanything_neutral_total{kind=\""), "{text}");
    let bare = Server::start(by_number(), Settings::default());
    assert_eq!(bare.post("/get_reward", &openrlhf("worth 3")).status, 422);
    assert_eq!(
        bare.post("/get_reward?principle=p", &openrlhf("worth 3")).status,
        200
    );
    assert_eq!(server.post("/get_reward", "{}").status, 400);
    let uneven = json!({"query": ["a", "b"], "prompts": ["a"]});
    assert_eq!(server.post("/get_reward", &uneven.to_string()).status, 400);
}

#[test]
fn what_a_template_and_a_cut_left_is_taken_off() {
    let server = Server::start(by_number(), settings());
    let check = |query: &str, prompt: &str| {
        let body = json!({"query": [query], "prompts": [prompt], "labels": ["x"]});
        let reply = server.post("/get_reward?scale=raw", &body.to_string()).ok();
        assert_eq!(reply["rewards"], json!([4.0]), "{query}");
    };
    check(&format!("{PROMPT}It is worth 4<|im_end|>\n<|endoftext|>"), PROMPT);
    check(&format!("{}It is worth 4<|im_end|>", &PROMPT[20..]), PROMPT);
    check(
        "Question: how much? Answer: worth 4</s>",
        "Question: how much? Answer:",
    );
    // Older versions send a batch, and none sends prompts where they are not known.
    let body = json!({"query": [format!("{PROMPT}worth 2"), format!("{PROMPT}worth 5")]});
    let reply = server.post("/get_reward?n=2&scale=raw", &body.to_string()).ok();
    assert_eq!(reply["rewards"], json!([2.0, 5.0]));
}

#[test]
fn slime_gets_a_bare_number() {
    let server = Server::start(by_number(), settings());
    let one = |path: &str, worth: u8| {
        let body = json!({"prompt": [{"role": "user", "content": "How much?"}], "response": format!("worth {worth}<|im_end|>"),
            "label": null});
        (path.to_owned(), body.to_string())
    };
    let (path, body) = one("/rewards/slime?scale=raw", 4);
    assert_eq!(server.post(&path, &body).ok(), json!(4.0));
    let bodies: Vec<String> = [1, 5].into_iter().map(|worth| one("", worth).1).collect();
    let replies = all_at_once(&server, "/rewards/slime?n=2&group=7&reply=object", &bodies);
    let replies: Vec<Value> = replies.into_iter().map(Reply::ok).collect();
    assert_eq!(
        replies[0],
        json!({"reward": 0.0, "score": 1.0, "rank": 1, "siblings": 2, "failed": 0})
    );
    assert_eq!(replies[1]["reward"], json!(1.0));
    let (path, body) = ("/rewards/slime", json!({"prompt": PROMPT, "response": "garbage"}));
    assert_eq!(server.post(path, &body.to_string()).ok(), json!(0.5));
}

#[test]
fn a_group_with_names_keeps_apart_what_looks_alike() {
    let server = Server::start(by_number(), settings());
    let body = openrlhf("worth 2");
    let paths = [
        "&group=a&index=0",
        "&group=a&index=1",
        "&group=b&index=0",
        "&group=b&index=1",
    ];
    let replies: Vec<Reply> = thread::scope(|scope| {
        let calls: Vec<_> = paths
            .iter()
            .map(|path| {
                let (server, body) = (&server, &body);
                scope.spawn(move || server.post(&format!("/get_reward?n=2{path}"), body))
            })
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert!(replies.iter().all(|reply| reply.status == 200));
    counted(&server, "rewardanything_groups_total{by=\"full\"} 2");
    // The same once more is the same sample; another text in its place is not taken.
    assert_eq!(
        server.post("/get_reward?n=2&group=a&index=1", &body).ok()["rewards"],
        json!([0.25])
    );
    counted(&server, "rewardanything_groups_total{by=\"full\"} 2");
}

#[test]
fn callers_of_reward_models_find_their_shapes() {
    let server = Server::start(by_number(), settings());
    let chat = |worth: u8| format!("{PROMPT}worth {worth}<|im_end|>\n");
    let post = |path: &str, body: Value| server.post(path, &body.to_string());
    // verl over vLLM, then over SGLang.
    let reply = post(
        "/classify",
        json!({"model": "m", "input": chat(4), "use_activation": false}),
    )
    .ok();
    assert_eq!(
        reply["data"],
        json!([{"index": 0, "label": "reward", "probs": [4.0], "num_classes": 1}])
    );
    assert_eq!(reply["object"], "list");
    let reply = post(
        "/v1/embeddings",
        json!({"model": "m", "input": [chat(2), chat(5)]}),
    )
    .ok();
    let last: Vec<&Value> = reply["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["embedding"][0])
        .collect();
    assert_eq!(last, [&json!(0.25), &json!(1.0)]);
    let reply = post("/classify?scale=raw", json!({"text": [chat(2), chat(5)]})).ok();
    assert_eq!(
        (&reply[0]["embedding"], &reply[1]["embedding"]),
        (&json!([2.0]), &json!([5.0]))
    );
    let messages =
        json!([{"role": "user", "content": "How much?"}, {"role": "assistant", "content": "worth 3"}]);
    assert_eq!(
        post("/classify", json!({"messages": messages})).ok()["data"][0]["probs"],
        json!([0.5])
    );
    assert_eq!(post("/classify", json!({"input_ids": [1, 2]})).status, 400);
    assert_eq!(post("/classify", json!({"input": "no chat"})).status, 400);
    assert_eq!(
        post("/classify", json!({"input": format!("{PROMPT}garbage")})).status,
        502
    );

    let texts = ["worth 2", "worth 5", "worth 3"];
    let reply = post(
        "/score?scale=raw",
        json!({"text_1": "How much?", "text_2": texts}),
    )
    .ok();
    let scores: Vec<&Value> = reply["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["score"])
        .collect();
    assert_eq!(scores, [&json!(2.0), &json!(5.0), &json!(3.0)]);
    assert_eq!(reply["data"][1]["object"], "score");
    let reply = post(
        "/score?scale=raw",
        json!({"queries": ["a", "b", "a"], "documents": texts}),
    )
    .ok();
    assert_eq!(
        reply["data"][2],
        json!({"index": 2, "object": "score", "score": 3.0})
    );
    let reply = post(
        "/v1/score?scale=raw",
        json!({"query": "How much?", "items": texts, "label_token_ids": [1]}),
    )
    .ok();
    assert_eq!(
        (&reply["scores"], &reply["object"]),
        (&json!([[2.0], [5.0], [3.0]]), &json!("scoring"))
    );
    assert_eq!(
        post("/score", json!({"text_1": ["a", "b"], "text_2": texts})).status,
        400
    );

    let body = json!({"query": "How much?", "documents": texts, "top_n": 2});
    for path in ["/rerank", "/v1/rerank", "/v2/rerank"] {
        let reply = post(path, body.clone()).ok();
        assert_eq!(
            reply["results"],
            json!([{"index": 1, "document": {"text": "worth 5"}, "relevance_score": 1.0},
                {"index": 2, "document": {"text": "worth 3"}, "relevance_score": 0.5}])
        );
    }
    let reply = post("/v1/rerank?style=sglang", body).ok();
    assert_eq!(
        reply[0],
        json!({"score": 1.0, "index": 1, "meta_info": {}, "document": "worth 5"})
    );
    // Three calls to the reranker, each judged together, and so on: no response was judged by itself there.
    counted(&server, "rewardanything_queue_depth 0");
}

#[test]
fn the_model_itself_can_be_asked() {
    let server = Server::start(nano(), settings());
    let body = |stream: bool| {
        json!({"model": "nano", "messages": [{"role": "user", "content": "Hi."}], "max_tokens": 12, "stream": stream})
            .to_string()
    };
    let reply = server.post("/v1/chat/completions", &body(false)).ok();
    let text = reply["choices"][0]["message"]["content"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(!text.is_empty());
    assert!(reply["usage"]["completion_tokens"].as_u64().unwrap() <= 12);
    let streamed = server.post("/v1/chat/completions", &body(true));
    assert_eq!(streamed.header("content-type"), Some("text/event-stream"));
    let events: Vec<&str> = streamed
        .body
        .split("\n\n")
        .filter_map(|event| event.strip_prefix("data: "))
        .collect();
    assert_eq!(events.last(), Some(&"[DONE]"));
    let first: Value = serde_json::from_str(events[0]).unwrap();
    assert_eq!(
        first["choices"][0]["delta"]["content"], text,
        "greedy, so it says the same"
    );
    for wrong in [
        json!({"messages": [], "n": 2}),
        json!({"messages": [], "temperature": 9}),
    ] {
        let reply = call(
            server.address,
            "POST",
            "/v1/chat/completions",
            &[],
            &wrong.to_string(),
        );
        assert_eq!(reply.status, 422, "{wrong}");
    }
}
