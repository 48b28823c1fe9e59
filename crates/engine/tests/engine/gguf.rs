//! Models in one file: against the reference's values, tokens and logits, and there and back.

use std::io::BufRead as _;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use rewardanything_engine::{
    BackendOptions, Config, EngineError, GgufFormat, LoadOptions, LocalModel, ModelFiles, Tokenizer,
    TokenizerConfig, Weights, write_gguf,
};
use rewardanything_kernels::Format;

use crate::common::{TINY, assert_close, config, exact, fixture, golden, json, tensor};

fn file() -> PathBuf {
    fixture("gguf").join("tiny.gguf")
}

fn numbers() -> std::collections::HashMap<String, candle_core::Tensor> {
    candle_core::safetensors::load(fixture("gguf").join("golden.safetensors"), &Device::Cpu).unwrap()
}

fn twin() -> LoadOptions {
    LoadOptions {
        backend: BackendOptions::Candle {
            dtype: DType::F32,
            device: Device::Cpu,
        },
        ..LoadOptions::default()
    }
}

#[test]
fn values_of_every_format_are_the_references_to_the_bit() {
    let files = ModelFiles::from_gguf(&file()).unwrap();
    let names = [
        ("model.embed_tokens.weight", "token_embd.weight", Format::Q6K),
        (
            "model.layers.0.self_attn.q_proj.weight",
            "blk.0.attn_q.weight",
            Format::Q4K,
        ),
        (
            "model.layers.0.self_attn.k_proj.weight",
            "blk.0.attn_k.weight",
            Format::F16,
        ),
        (
            "model.layers.0.self_attn.v_proj.weight",
            "blk.0.attn_v.weight",
            Format::Q8_0,
        ),
        (
            "model.layers.0.self_attn.o_proj.weight",
            "blk.0.attn_output.weight",
            Format::Bf16,
        ),
        ("lm_head.weight", "output.weight", Format::Q4K),
    ];
    let golden = numbers();
    for (name, short, format) in names {
        assert_eq!(files.weights.describe(name).unwrap().1, format);
        let values = files.weights.tensor(name, DType::F32, &Device::Cpu).unwrap();
        let rows: Vec<Vec<f32>> = values.to_vec2().unwrap();
        let expect: Vec<Vec<f32>> = golden[&format!("rows.{short}")].to_vec2().unwrap();
        for (row, expect) in [0, 17, rows.len() - 1].into_iter().zip(expect) {
            assert_eq!(rows[row], expect, "{name}, row {row}");
        }
    }
}

#[test]
fn tokens_and_logits_are_the_references() {
    let golden = json(&fixture("gguf").join("golden.json"));
    for options in [exact(), twin()] {
        let model = LocalModel::from_gguf(&file(), &options).unwrap();
        let tokenizer = model.chat().tokenizer();
        let ids: Vec<Vec<u32>> = serde_json::from_value(golden["ids"].clone()).unwrap();
        for (text, ids) in golden["texts"].as_array().unwrap().iter().zip(&ids) {
            let text = text.as_str().unwrap();
            assert_eq!(&tokenizer.encode(text).unwrap(), ids, "{text:?}");
        }
        let logits = tensor(&model.logits(&ids[0]).unwrap());
        assert_close("logits", &logits, &numbers()["logits"], 1e-4);
        assert_eq!(u64::from(model.stop_tokens()[0]), golden["eos"].as_u64().unwrap());
        assert_eq!(
            tokenizer.specials(),
            ["<|endoftext|>", "<|im_end|>", "<|im_start|>"]
        );
        // As in the published tokenizers: special tokens vanish from text, the marks of thinking stay.
        assert_eq!(tokenizer.decode(&ids[1]).unwrap().matches("think>").count(), 2);
        assert!(!tokenizer.decode(&ids[1]).unwrap().contains("im_end"));
    }
}

fn converted(name: &str, format: GgufFormat, folder: &Path) -> LocalModel {
    let output = folder.join(format!("{name}.gguf"));
    let mut seen = Vec::new();
    let files = ModelFiles::from_folder(&fixture(name)).unwrap();
    write_gguf(&files, format, &output, |done, all| seen.push((done, all))).unwrap();
    assert_eq!(seen.last().map(|(done, all)| done == all), Some(true));
    LocalModel::from_gguf(&output, &LoadOptions::default()).unwrap()
}

#[test]
fn a_folder_survives_conversion() {
    let folder = tempfile::tempdir().unwrap();
    for name in TINY {
        let original = LocalModel::from_folder(&fixture(name), &LoadOptions::default()).unwrap();
        for (format, tolerance) in [
            (GgufFormat::F16, 2e-2),
            (GgufFormat::Bf16, 0.1),
            (GgufFormat::Q8_0, 0.2),
        ] {
            let model = converted(name, format, folder.path());
            let (mut config, got) = (original.config().clone(), model.config().clone());
            // What a GGUF file does not say, or says elsewhere.
            config.torch_dtype = None;
            config.eos_token_id.clone_from(&got.eos_token_id);
            assert_eq!(got, config, "{name}");
            assert_eq!(model.stop_tokens(), original.stop_tokens(), "{name}");
            assert_eq!(
                model.chat().tokenizer().size(),
                original.chat().tokenizer().size()
            );
            let golden = golden(name);
            for (index, prompt) in golden.prompts.iter().enumerate() {
                let logits = tensor(&model.logits(prompt).unwrap());
                assert_close(
                    &format!("{name} {format:?} {index}"),
                    &logits,
                    &golden.tensors[&format!("logits.{index}")],
                    tolerance,
                );
            }
        }
    }
}

#[test]
fn the_judge_inside_keeps_its_profile_and_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let nano = fixture("../models/nano");
    let output = folder.path().join("small.gguf");
    let files = ModelFiles::from_folder(&nano).unwrap();
    write_gguf(&files, GgufFormat::Q8_0, &output, |_, _| {}).unwrap();
    let original = LocalModel::from_folder(&nano, &LoadOptions::default()).unwrap();
    let model = LocalModel::from_gguf(&output, &LoadOptions::default()).unwrap();
    assert_eq!(model.profile(), original.profile());
    let text = "{\"principle\": \"Fewer words.\"} <think> Café";
    let ids = original.chat().tokenizer().encode(text).unwrap();
    assert_eq!(model.chat().tokenizer().encode(text).unwrap(), ids);
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    assert!(size(&output) < size(&nano.join("model.safetensors")) * 6 / 10);
}

/// Cuts and overwrites the fixture; every damage is an error that says what is wrong.
#[test]
fn damaged_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.gguf");
    let whole = std::fs::read(file()).unwrap();
    let load = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        LocalModel::from_gguf(&path, &LoadOptions::default())
    };
    for length in (0..whole.len()).step_by(whole.len() / 40) {
        let error = load(&whole[..length]).expect_err("cut").to_string();
        assert!(error.contains("damaged.gguf"), "{length}: {error}");
    }
    let replaced = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = whole
            .windows(from.len())
            .position(|window| window == from.as_bytes())
            .unwrap();
        let mut bytes = whole.clone();
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        load(&bytes).expect_err("damaged").to_string()
    };
    let check = |from: &str, to: &str, expect: &str| {
        let error = replaced(from, to);
        assert!(error.contains(expect), "{from}: {error}");
    };
    check("qwen3", "llama", "unknown architecture \"llama\"");
    check(
        "qwen3.block_count",
        "qwen3.bloke_count",
        "`qwen3.block_count`: missing",
    );
    check("qwen2", "other", "expected one of [\"qwen2\"");
    check("gpt2", "bert", "`tokenizer.ggml.model`");
    check(
        "blk.0.attn_q.weight",
        "blk.0.attn_z.weight",
        "self_attn.q_proj.weight",
    );
    check(
        "tokenizer.chat_template",
        "tokenizer.chat_templat_",
        "chat template",
    );
    let missing = LocalModel::from_gguf(&folder.path().join("none.gguf"), &LoadOptions::default());
    assert!(matches!(missing, Err(EngineError::MissingFile { .. })));
}

#[test]
fn what_a_folder_cannot_hold_as_one_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = ModelFiles::from_folder(&fixture("tiny-tied")).unwrap();
    files.stop = vec![1, 2, 3];
    let output = folder.path().join("out.gguf");
    let error = write_gguf(&files, GgufFormat::Q8_0, &output, |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("tokens end a reply"), "{error}");
}

/// What we write is what the reference writes, block for block.
#[test]
fn quantised_blocks_are_the_references() {
    use candle_core::quantized::{GgmlDType, QTensor};
    let golden = numbers();
    let blocks = QTensor::quantize(&golden["plain"], GgmlDType::Q8_0).unwrap();
    let expect: Vec<u8> = golden["plain.q8_0"].flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(blocks.data().unwrap(), expect);
}

/// The published tokenizer of the Qwen3 models, rebuilt from a file's vocabulary and merges alone.
#[test]
fn the_published_tokenizer_survives_without_its_json() {
    let data = fixture("../../shared/data");
    let Ok(tokenizer) = std::fs::read(data.join("tokenizer/tokenizer.json")) else {
        eprintln!("skipped: {} is not there", data.display());
        return;
    };
    let original = Tokenizer::from_bytes(&tokenizer).unwrap();
    let config = Config {
        vocab_size: 151_936,
        hidden_size: 32,
        intermediate_size: 32,
        num_hidden_layers: 1,
        head_dim: 16,
        ..config("tiny-tied")
    };
    let tensors: std::collections::HashMap<String, candle_core::Tensor> = config
        .tensors()
        .into_iter()
        .map(|(name, shape)| {
            let zeros = candle_core::Tensor::zeros(shape, DType::BF16, &Device::Cpu).unwrap();
            (name, zeros)
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let (weights, output) = (
        folder.path().join("model.safetensors"),
        folder.path().join("m.gguf"),
    );
    candle_core::safetensors::save(&tensors, &weights).unwrap();
    let weights = Weights::open(folder.path()).unwrap();
    let files = ModelFiles {
        name: "published".to_owned(),
        stop: Vec::new(),
        config,
        tokenizer,
        settings: TokenizerConfig {
            chat_template: Some("{{ messages[0].content }}".to_owned()),
            bos_token: None,
            eos_token: Some("<|im_end|>".to_owned()),
        },
        weights,
        profile: None,
    };
    write_gguf(&files, GgufFormat::Q8_0, &output, |_, _| {}).unwrap();
    // Without the field that holds the whole file, the rest must do.
    let mut bytes = std::fs::read(&output).unwrap();
    let key = b"tokenizer.huggingface.json";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap();
    bytes[at..at + 9].copy_from_slice(b"forgotten");
    std::fs::write(&output, bytes).unwrap();
    let files = ModelFiles::from_gguf(&output).unwrap();
    let rebuilt = Tokenizer::from_bytes(&files.tokenizer).unwrap();
    assert_eq!(rebuilt.specials(), original.specials());
    let mut tokens = 0;
    for text in real_texts(&data) {
        let ids = original.encode(&text).unwrap();
        assert_eq!(rebuilt.encode(&text).unwrap(), ids, "{text:?}");
        assert_eq!(rebuilt.decode(&ids).unwrap(), original.decode(&ids).unwrap());
        tokens += ids.len();
    }
    assert!(tokens > 10_000, "{tokens} tokens compared");
}

/// The first lines of every file of real texts, as they stand there.
fn real_texts(data: &Path) -> Vec<String> {
    let mut texts = vec!["<think>\na\n</think> <|im_start|>user Caf\u{65}\u{301} I'LL 1234".to_owned()];
    for entry in std::fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "gz") {
            let file = flate2::read::GzDecoder::new(std::fs::File::open(&path).unwrap());
            texts.extend(std::io::BufReader::new(file).lines().take(20).map(Result::unwrap));
        }
    }
    texts
}
