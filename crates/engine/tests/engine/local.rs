//! Messages in, text out, on whole model folders.

use rewardanything_core::{FinishReason, Generate, GenerateError, GenerateJob, Message, Role, Sampling};
use rewardanything_engine::{LoadOptions, LocalModel, TokenJob};

use crate::common::{TINY, fixture, golden};

fn load(name: &str) -> LocalModel {
    LocalModel::from_folder(&fixture(name), &LoadOptions::default()).unwrap()
}

fn job(content: &str, max_new_tokens: usize) -> GenerateJob {
    GenerateJob {
        messages: vec![Message {
            role: Role::User,
            content: content.to_owned(),
        }],
        sampling: Sampling {
            max_new_tokens,
            ..Sampling::default()
        },
        thinking: true,
        form: None,
    }
}

#[test]
fn a_model_is_a_source_of_text() {
    fn check<T: Generate>(_: &T) {}
    for name in TINY {
        let model = load(name);
        check(&model);
        assert_eq!(model.name(), name);
        let jobs = [job("Which answer is shorter?", 20), job("Hi", 5)];
        let together = model.generate(&jobs);
        for (job, completion) in jobs.iter().zip(&together) {
            let completion = completion.as_ref().unwrap();
            assert_eq!(
                &model.generate(std::slice::from_ref(job))[0].as_ref().unwrap(),
                &completion
            );
            assert_eq!(
                completion.prompt_tokens,
                model.chat().encode(&job.messages, true, true).unwrap().len()
            );
            assert!(completion.completion_tokens <= job.sampling.max_new_tokens);
            assert!(!completion.text.contains("<|im_end|>"));
        }
    }
}

#[test]
fn stop_tokens_are_gathered_from_all_files() {
    let model = load("tiny-tied");
    let id = |token| model.chat().tokenizer().id(token).unwrap();
    assert_eq!(model.stop_tokens(), [id("<|im_end|>")]);
    let mut both = [id("<|im_end|>"), id("<|endoftext|>")];
    both.sort_unstable();
    assert_eq!(load("tiny-untied").stop_tokens(), both);
}

/// A greedy path of the reference runs over the end-of-text token, which the model is then told to stop at.
#[test]
fn a_reply_ends_at_a_stop_token_or_at_its_limit() {
    let loaded = load("tiny-tied");
    let golden = golden("tiny-tied");
    let stop = golden.greedy[2][20];
    let first = golden.greedy[2].iter().position(|&token| token == stop).unwrap();
    let model = LocalModel::from_parts(
        "told",
        crate::common::model("tiny-tied"),
        loaded.chat().clone(),
        vec![stop],
    );
    let run = |max_new_tokens| {
        let sampling = Sampling {
            max_new_tokens,
            ..Sampling::default()
        };
        let job = TokenJob {
            prompt: golden.prompts[2].clone(),
            sampling,
            log_probabilities: false,
            guide: None,
        };
        model.generate_tokens(&[job]).remove(0).unwrap()
    };
    let stopped = run(64);
    assert_eq!((stopped.finish(), stopped.stop), (FinishReason::Stop, Some(stop)));
    assert_eq!(stopped.tokens, golden.greedy[2][..first]);
    assert_eq!(stopped.computed(), first + 1);
    let cut = run(first);
    assert_eq!(
        (cut.finish(), cut.tokens.len(), cut.computed()),
        (FinishReason::Length, first, first)
    );
    assert_eq!(run(0).tokens, [0_u32; 0]);
}

#[test]
fn a_prompt_beyond_the_context_is_refused_with_both_numbers() {
    let model = load("tiny-tied");
    let tokens = |content: &str| {
        model
            .chat()
            .encode(&job(content, 1).messages, true, true)
            .unwrap()
            .len()
    };
    let frame = tokens("");
    let single = tokens("A") - frame;
    assert_eq!(single, 1);
    // "A" alone is one token, and no merge joins several.
    let content = |total: usize| "A".repeat(total - frame);
    let fits = content(159);
    assert_eq!(tokens(&fits), 159);
    let replies = model.generate(&[
        job("Hi", 3),
        job(&content(160), 9),
        job(&fits, 9),
        job(&content(400), 9),
    ]);
    let refused = |prompt_tokens| GenerateError::PromptTooLong {
        prompt_tokens,
        max_new_tokens: 9,
        context: 160,
    };
    assert!(replies[0].is_ok());
    assert_eq!(replies[1].as_ref().unwrap_err(), &refused(160));
    assert_eq!(replies[3].as_ref().unwrap_err(), &refused(400));
    let shrunk = replies[2].as_ref().unwrap();
    assert_eq!(
        (shrunk.completion_tokens, shrunk.finish),
        (1, FinishReason::Length)
    );
}

#[test]
fn a_folder_brings_its_own_profile() {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture("tiny-untied")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    std::fs::write(
        folder.path().join("judge.toml"),
        "name = \"mine\"\nsystem = \"Judge.\"\n",
    )
    .unwrap();
    let model = LocalModel::from_folder(folder.path(), &LoadOptions::default()).unwrap();
    let profile = model.profile().unwrap();
    assert_eq!(
        (profile.name.as_str(), profile.system.as_str()),
        ("mine", "Judge.")
    );
}
