//! Damaged model folders: each a clear error that names the culprit, never a panic.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use rewardanything_engine::{EngineError, LoadOptions, LocalModel, ModelBytes, Qwen3, Weights};
use tempfile::TempDir;

use crate::common::{TINY, assert_close, config, fixture, golden};

/// A copy of a checkpoint that may be damaged.
fn copy(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        if !file.starts_with("golden") {
            std::fs::copy(&path, folder.path().join(file)).unwrap();
        }
    }
    folder
}

fn load(folder: &Path) -> Result<LocalModel, EngineError> {
    LocalModel::from_folder(folder, &LoadOptions::default())
}

/// Damages a copy and compares the error's text.
#[track_caller]
fn check(name: &str, damage: impl Fn(&Path), expect: &[&str]) {
    let folder = copy(name);
    damage(folder.path());
    let error = load(folder.path())
        .expect_err("a damaged folder loads")
        .to_string();
    for part in expect {
        assert!(error.contains(part), "expected {part:?} in: {error}");
    }
}

fn edit_json(folder: &Path, file: &str, edit: impl Fn(&mut serde_json::Value)) {
    let mut value = crate::common::json(&folder.join(file));
    edit(&mut value);
    std::fs::write(folder.join(file), value.to_string()).unwrap();
}

fn set_config(field: &'static str, value: serde_json::Value) -> impl Fn(&Path) {
    move |folder: &Path| edit_json(folder, "config.json", |config| config[field] = value.clone())
}

fn edit_tensors(folder: &Path, edit: impl Fn(&mut HashMap<String, Tensor>)) {
    let path = folder.join("model.safetensors");
    let mut tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    edit(&mut tensors);
    candle_core::safetensors::save(&tensors, path).unwrap();
}

fn edit_bytes(folder: &Path, file: &str, edit: impl Fn(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(folder.join(file)).unwrap();
    edit(&mut bytes);
    std::fs::write(folder.join(file), bytes).unwrap();
}

#[test]
fn whole_folders_load() {
    for name in TINY {
        let model = load(copy(name).path()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(model.config(), &config(name));
        assert!(model.profile().is_none());
    }
}

#[test]
fn every_missing_file_is_named() {
    for file in [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "model.safetensors",
    ] {
        check(
            "tiny-tied",
            |folder| std::fs::remove_file(folder.join(file)).unwrap(),
            &["lacks", file],
        );
    }
    let shard = "model-00002-of-00002.safetensors";
    check(
        "tiny-untied",
        |folder| std::fs::remove_file(folder.join(shard)).unwrap(),
        &["lacks", shard],
    );
    let index = "model.safetensors.index.json";
    check(
        "tiny-untied",
        |folder| std::fs::remove_file(folder.join(index)).unwrap(),
        &["lacks", "model.safetensors"],
    );
    check(
        "tiny-untied",
        |folder| std::fs::remove_file(folder.join("chat_template.jinja")).unwrap(),
        &["chat template"],
    );
    let absent = tempfile::tempdir().unwrap().path().join("nowhere");
    assert!(matches!(load(&absent), Err(EngineError::MissingFile { .. })));
}

#[test]
fn malformed_configurations_name_the_field() {
    let cases = [
        ("hidden_size", serde_json::json!("wide"), "hidden_size"),
        ("hidden_size", serde_json::json!(null), "missing"),
        ("num_hidden_layers", serde_json::json!(-2), "num_hidden_layers"),
        ("num_hidden_layers", serde_json::json!(0), "expected 1 to"),
        ("vocab_size", serde_json::json!(1_u64 << 60), "vocab_size"),
        ("num_key_value_heads", serde_json::json!(3), "does not divide"),
        ("head_dim", serde_json::json!(15), "even"),
        ("rms_norm_eps", serde_json::json!(0), "rms_norm_eps"),
        ("rope_theta", serde_json::json!("big"), "rope_theta"),
        (
            "rope_scaling",
            serde_json::json!({"rope_type": "yarn", "factor": 4.0}),
            "rope_scaling",
        ),
        (
            "rope_parameters",
            serde_json::json!({"rope_type": "linear"}),
            "rope_parameters",
        ),
        (
            "use_sliding_window",
            serde_json::json!(true),
            "use_sliding_window",
        ),
        ("hidden_act", serde_json::json!("gelu"), "hidden_act"),
        ("eos_token_id", serde_json::json!("end"), "eos_token_id"),
    ];
    for (field, value, expect) in cases {
        check(
            "tiny-tied",
            set_config(field, value),
            &["config.json", field, expect],
        );
    }
    check(
        "tiny-tied",
        |folder| std::fs::write(folder.join("config.json"), "{").unwrap(),
        &["config.json", "JSON"],
    );
    check(
        "tiny-tied",
        |folder| std::fs::write(folder.join("config.json"), "[]").unwrap(),
        &["config.json", "JSON"],
    );
}

#[test]
fn other_architectures_are_refused() {
    check(
        "tiny-tied",
        set_config("architectures", serde_json::json!(["LlamaForCausalLM"])),
        &["LlamaForCausalLM"],
    );
    check(
        "tiny-tied",
        set_config("model_type", serde_json::json!("qwen3_moe")),
        &["unknown architecture", "qwen3_moe"],
    );
    let neither = |folder: &Path| {
        edit_json(folder, "config.json", |config| {
            config
                .as_object_mut()
                .unwrap()
                .retain(|field, _| field != "architectures" && field != "model_type");
        });
    };
    check("tiny-tied", neither, &["model_type", "missing"]);
}

#[test]
fn tensors_that_do_not_fit_are_named_with_both_shapes() {
    let name = "model.layers.1.mlp.up_proj.weight";
    let absent = |folder: &Path| edit_tensors(folder, |tensors| drop(tensors.remove(name)));
    check("tiny-tied", absent, &["lack", name]);
    let turned = |folder: &Path| {
        edit_tensors(folder, |tensors| {
            let t = tensors[name].t().unwrap().contiguous().unwrap();
            tensors.insert(name.to_owned(), t);
        });
    };
    check("tiny-tied", turned, &[name, "[96, 48]", "[48, 96]"]);
    let integers = |folder: &Path| {
        edit_tensors(folder, |tensors| {
            let t = tensors[name].to_dtype(DType::U8).unwrap();
            tensors.insert(name.to_owned(), t);
        });
    };
    check("tiny-tied", integers, &[name, "U8"]);
    check(
        "tiny-tied",
        set_config("tie_word_embeddings", serde_json::json!(false)),
        &["lm_head.weight"],
    );
    check(
        "tiny-tied",
        set_config("vocab_size", serde_json::json!(400)),
        &["embed_tokens", "[400, 48]", "[384, 48]"],
    );
}

/// A builder that was not checked first reports in the same words.
#[test]
fn a_model_built_from_foreign_weights_reports_alike() {
    let mut config = config("tiny-tied");
    let build = |config: &_| {
        let weights = Weights::open(&fixture("tiny-tied")).unwrap();
        Qwen3::new(config, weights.into_builder(DType::F32, &Device::Cpu))
    };
    config.intermediate_size = 95;
    let error = build(&config).unwrap_err();
    assert!(
        matches!(&error, EngineError::WrongShape { name, .. } if name.ends_with("gate_proj.weight")),
        "{error}"
    );
    config.intermediate_size = 96;
    config.num_hidden_layers = 3;
    let error = build(&config).unwrap_err();
    assert!(
        matches!(&error, EngineError::MissingTensor { name } if name.contains("layers.2")),
        "{error}"
    );
}

#[test]
fn truncated_and_malformed_weights_are_told_apart() {
    let file = "model.safetensors";
    for keep in [0, 5, 9, 500, 200_000] {
        let cut = |folder: &Path| edit_bytes(folder, file, |bytes| bytes.truncate(keep));
        check("tiny-tied", cut, &[file, "truncated", &format!("got {keep}")]);
    }
    let shard = "model-00001-of-00002.safetensors";
    check(
        "tiny-untied",
        |folder| edit_bytes(folder, shard, |bytes| bytes.truncate(100_000)),
        &[shard, "truncated"],
    );
    check(
        "tiny-tied",
        |folder| edit_bytes(folder, file, |bytes| bytes[..8].fill(0xff)),
        &[file, "malformed"],
    );
    check(
        "tiny-tied",
        |folder| edit_bytes(folder, file, |bytes| bytes[8] = b'['),
        &[file, "header"],
    );
    let other_shape = |folder: &Path| {
        edit_bytes(folder, file, |bytes| {
            let at = bytes.windows(8).position(|window| window == b"[384,48]").unwrap();
            bytes[at..at + 8].copy_from_slice(b"[999,48]");
        });
    };
    check("tiny-tied", other_shape, &[file, "embed_tokens", "disagree"]);
}

/// Every single damaged byte of the header, and every length, gives a model or an error, never a panic.
#[test]
fn no_damage_to_a_header_panics() {
    let bytes = std::fs::read(fixture("tiny-tied").join("model.safetensors")).unwrap();
    let config = config("tiny-tied");
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut refused = 0;
    for at in 0..header {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x15;
        let checked = Weights::from_bytes(&damaged).and_then(|weights| weights.check(&config));
        refused += usize::from(checked.is_err());
    }
    assert!(
        refused > header / 2,
        "only {refused} of {header} damaged headers were refused"
    );
}

#[test]
fn a_shard_list_stays_in_its_folder() {
    let index = "model.safetensors.index.json";
    let outside = |folder: &Path| {
        edit_json(folder, index, |index| {
            index["weight_map"]["lm_head.weight"] = serde_json::json!("../../etc/passwd")
        });
    };
    check("tiny-untied", outside, &[index, "plain file name"]);
    let promised = |folder: &Path| {
        edit_json(folder, index, |index| {
            index["weight_map"]["absent"] = index["weight_map"]["lm_head.weight"].clone()
        });
    };
    check("tiny-untied", promised, &["lack", "absent"]);
    check(
        "tiny-untied",
        |folder| std::fs::write(folder.join(index), "{}").unwrap(),
        &[index, "weight_map"],
    );
}

#[test]
fn broken_text_files_are_named() {
    let write = |file: &'static str, text: &'static str| {
        move |folder: &Path| std::fs::write(folder.join(file), text).unwrap()
    };
    check("tiny-tied", write("tokenizer.json", "{}"), &["tokenizer"]);
    check(
        "tiny-tied",
        write("tokenizer_config.json", "nonsense"),
        &["tokenizer_config.json"],
    );
    check(
        "tiny-tied",
        write("chat_template.jinja", "{% for %}"),
        &["chat template"],
    );
    check(
        "tiny-untied",
        write("generation_config.json", "{\"eos_token_id\": \"x\"}"),
        &["generation_config.json"],
    );
    check(
        "tiny-tied",
        write("judge.toml", "name = \"x\"\nsistem = \"y\""),
        &["judge.toml", "sistem"],
    );
}

#[test]
fn a_vocabulary_beyond_the_embedding_is_refused() {
    let shrink = |folder: &Path| {
        set_config("vocab_size", serde_json::json!(300))(folder);
        edit_tensors(folder, |tensors| {
            let t = tensors["model.embed_tokens.weight"].narrow(0, 0, 300).unwrap();
            tensors.insert("model.embed_tokens.weight".to_owned(), t);
        });
    };
    check("tiny-tied", shrink, &["up to 373", "300"]);
}

#[test]
fn half_precision_on_disk_is_read() {
    for dtype in [DType::BF16, DType::F16] {
        let folder = copy("tiny-tied");
        edit_tensors(folder.path(), |tensors| {
            for tensor in tensors.values_mut() {
                *tensor = tensor.to_dtype(dtype).unwrap();
            }
        });
        let loaded = Weights::open(folder.path()).unwrap();
        let (exact, name) = (
            Weights::open(&fixture("tiny-tied")).unwrap(),
            "model.layers.0.mlp.up_proj.weight",
        );
        let expect = exact
            .tensor(name, dtype, &Device::Cpu)
            .unwrap()
            .to_dtype(DType::F32)
            .unwrap();
        assert_close(
            "weight",
            &loaded.tensor(name, DType::F32, &Device::Cpu).unwrap(),
            &expect,
            0.0,
        );
        load(folder.path()).unwrap();
    }
}

#[test]
fn other_compute_types_come_near_the_reference() {
    let golden = golden("tiny-tied");
    for (dtype, tolerance) in [(DType::BF16, 0.3), (DType::F16, 0.05)] {
        let weights = Weights::open(&fixture("tiny-tied")).unwrap();
        let model = Qwen3::new(&config("tiny-tied"), weights.into_builder(dtype, &Device::Cpu)).unwrap();
        assert_eq!(model.dtype(), dtype);
        let batch = rewardanything_engine::Batch::ragged(&golden.prompts[2..]).unwrap();
        let mut cache = rewardanything_engine::Cache::new();
        let logits = model
            .forward(
                &batch,
                &mut cache,
                rewardanything_engine::Positions::All,
                rewardanything_engine::OpsMode::Fast,
            )
            .unwrap();
        assert_close(
            "logits",
            &logits.squeeze(0).unwrap(),
            &golden.tensors["logits.2"],
            tolerance,
        );
    }
}

#[test]
fn bytes_load_like_a_folder() {
    let folder = fixture("tiny-tied");
    let read = |file: &str| std::fs::read(folder.join(file)).unwrap();
    let (config, tokenizer, settings) = (
        read("config.json"),
        read("tokenizer.json"),
        read("tokenizer_config.json"),
    );
    let weights = read("model.safetensors");
    let files = ModelBytes {
        config: &config,
        tokenizer: &tokenizer,
        tokenizer_config: &settings,
        weights: &weights,
        profile: Some("name = \"tiny\""),
    };
    let loaded = LocalModel::from_bytes(files, "inside", &LoadOptions::default()).unwrap();
    assert_eq!(loaded.profile().unwrap().name, "tiny");
    let from_folder = load(&folder).unwrap();
    assert_eq!(
        loaded.logits(&[1, 2, 3]).unwrap(),
        from_folder.logits(&[1, 2, 3]).unwrap()
    );
    let cut = ModelBytes {
        weights: &weights[..1000],
        ..files
    };
    let error = LocalModel::from_bytes(cut, "cut", &LoadOptions::default()).unwrap_err();
    assert!(matches!(error, EngineError::Truncated { .. }), "{error}");
}
