//! The judge that ships inside, against what transformers computes with the same folder. When the weights have changed,
//! `tools/reference/nano.py` writes the numbers anew.

use std::path::Path;

use candle_core::{Device, Tensor};
use rewardanything_core::{Message, Role, Sampling};
use rewardanything_engine::{LocalModel, TokenJob};
use serde::Deserialize;

use crate::common::{assert_close, exact, fixture, json, tensor};

#[derive(Deserialize)]
struct Golden {
    stride: usize,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    message: String,
    ids: Vec<u32>,
    reply: Vec<u32>,
}

#[test]
fn nano_computes_what_transformers_computes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/nano");
    let model = LocalModel::from_folder(&folder, &exact()).unwrap();
    let golden: Golden = serde_json::from_value(json(&fixture("nano/golden.json"))).unwrap();
    let logits = candle_core::safetensors::load(fixture("nano/golden.safetensors"), &Device::Cpu).unwrap();
    assert!(golden.cases.len() >= 3);
    for (index, case) in golden.cases.iter().enumerate() {
        let message = Message {
            role: Role::User,
            content: case.message.clone(),
        };
        assert_eq!(
            model.chat().encode(&[message], true, true).unwrap(),
            case.ids,
            "tokens of {index}"
        );

        let all = tensor(&model.logits(&case.ids).unwrap());
        let kept: Vec<u32> = (0..case.ids.len() as u32).step_by(golden.stride).collect();
        let kept = Tensor::new(kept, &Device::Cpu).unwrap();
        let ours = all.index_select(&kept, 0).unwrap();
        assert_close(
            &format!("logits of {index}"),
            &ours,
            &logits[&format!("logits.{index}")],
            2e-4,
        );

        let job = TokenJob {
            prompt: case.ids.clone(),
            sampling: Sampling {
                max_new_tokens: case.reply.len(),
                ..Sampling::default()
            },
            log_probabilities: false,
            guide: None,
        };
        let reply = model.generate_tokens(&[job]).remove(0).unwrap();
        let common = reply
            .tokens
            .iter()
            .zip(&case.reply)
            .take_while(|(a, b)| a == b)
            .count();
        // The reply may have ended before the reference was stopped.
        assert!(
            common == reply.tokens.len() && common > 10,
            "reply {index}: {:?} {:?}",
            reply.tokens,
            case.reply
        );
    }
}
