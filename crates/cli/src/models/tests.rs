//! Which judge the flags make, and what they refuse.

use rewardanything_core::ThinkingPolicy;

use super::*;

fn args() -> ModelArgs {
    let server = ServerArgs {
        served_model: None,
        concurrency: 16,
        timeout: 300,
        requests_per_minute: None,
        tokens_per_minute: None,
        key: None,
    };
    ModelArgs {
        model: "nowhere".to_owned(),
        ..ModelArgs::plain(&LocalArgs::default(), &server)
    }
}

#[test]
fn flags_replace_what_the_profile_says() {
    let given = Profile::rewardanything();
    let untouched = adjust(given.clone(), None, &args());
    assert_eq!(untouched, given);
    let flags = ModelArgs {
        seed: Some(7),
        max_new_tokens: Some(9),
        thinking_tokens: Some(5),
        temperature: Some(0.5),
        ..args()
    };
    let adjusted = adjust(given.clone(), Some("\nJudge.\n".to_owned()), &flags);
    assert_eq!((adjusted.sampling.seed, adjusted.sampling.max_new_tokens), (7, 9));
    assert_eq!(adjusted.thinking_tokens, NonZeroUsize::new(5));
    assert_eq!(adjusted.sampling.temperature, 0.5);
    assert_eq!(adjusted.system, "\nJudge.\n", "taken byte for byte");
    assert_eq!((adjusted.order, adjusted.name), (given.order, given.name));
}

#[test]
fn thinking_and_decoding_are_as_the_flags_or_else_the_profile_say() {
    let check = |thinking, decoding, expect| {
        let flags = ModelArgs {
            thinking,
            decoding,
            ..args()
        };
        let adjusted = adjust(Profile::published("x"), None, &flags);
        assert_eq!((adjusted.thinking, adjusted.decoding), expect);
    };
    let (optional, off) = (ThinkingPolicy::Optional, ThinkingPolicy::Off);
    check(None, None, (optional, Decoding::Free));
    check(Some(Thinking::On), None, (optional, Decoding::Free));
    check(
        Some(Thinking::Off),
        Some(DecodingArg::Constrained),
        (off, Decoding::Constrained),
    );
    check(None, Some(DecodingArg::Free), (optional, Decoding::Free));
    check(None, Some(DecodingArg::Branches), (off, Decoding::Branches));
    let flags = ModelArgs {
        thinking: Some(Thinking::On),
        ..args()
    };
    let silent = Profile {
        thinking: off,
        ..Profile::rewardanything()
    };
    assert_eq!(adjust(silent, None, &flags).thinking, optional);
}

#[test]
fn what_cannot_be_resolved_is_named() {
    let check = |args: ModelArgs, expect: &str| {
        let error = format!("{:#}", resolve(&args).expect_err("refused"));
        assert!(error.contains(expect), "{error}");
    };
    check(args(), "no model is called \"nowhere\"");
    check(
        ModelArgs {
            profile: Some("published".to_owned()),
            ..args()
        },
        "--system-prompt-file",
    );
    check(
        ModelArgs {
            model: NANO.to_owned(),
            samples: 2,
            ..args()
        },
        "--samples 2: at temperature 0",
    );
    check(
        ModelArgs {
            model: "http://127.0.0.1:1".to_owned(),
            deterministic: true,
            ..args()
        },
        "--deterministic",
    );
    let cuda = LocalArgs {
        device: DeviceArg::Cuda,
        ..LocalArgs::default()
    };
    check(
        ModelArgs {
            model: NANO.to_owned(),
            deterministic: true,
            local: cuda.clone(),
            ..args()
        },
        "leave out one of the two",
    );
    if !cfg!(feature = "cuda") {
        check(
            ModelArgs {
                model: NANO.to_owned(),
                local: cuda,
                ..args()
            },
            "--device cuda: this program was built without CUDA",
        );
    }
    check(
        ModelArgs {
            system_prompt_file: Some("nofile".into()),
            ..args()
        },
        "cannot read nofile",
    );
}
