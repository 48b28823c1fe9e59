//! The recipes of the paper's scale, run dry: every line of them, on a tiny model whose tensors have the same names.

use rewardanything_engine::{Config, Weights};
use rewardanything_train::{grpo, sft};
use std::fs;
use std::path::{Path, PathBuf};

/// As Qwen3-8B, whose output projection is its own; one layer, and a tokenizer of its own.
const MODEL: &str = r#"
seed = 3
output = "model"

[model.scratch]
architectures = ["Qwen3ForCausalLM"]
model_type = "qwen3"
vocab_size = 600
hidden_size = 32
intermediate_size = 64
num_hidden_layers = 1
num_attention_heads = 2
num_key_value_heads = 1
head_dim = 16
max_position_embeddings = 4096
rms_norm_eps = 1e-6
rope_theta = 1000000.0
tie_word_embeddings = false

[profile]
name = "tiny"
system = ""

[[examples.stages]]
until = 1.0
measure = 0.5
name = 0.5
responses = [1, 1]
max_words = [10]
prompt_words = [4]

[run]
steps = 1
batch_tokens = 100
max_tokens = 4000
checkpoint_every = 1
"#;

fn changed(name: &str, changes: &[(&str, &str)]) -> String {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/qwen3-8b");
    let mut text = fs::read_to_string(own.join(name)).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{name}: {from}");
        text = text.replace(from, to);
    }
    text
}

fn names(folder: &Path) -> Vec<String> {
    let bytes = fs::read(folder.join("model.safetensors")).unwrap();
    let weights = Weights::from_bytes(&bytes).unwrap();
    let mut names: Vec<String> = weights.names().map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn the_papers_scale_runs_dry() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let model = sft::run(&write("model.toml", MODEL), false).unwrap().folder;
    let item = r#"{"id": 7, "principle": "Short.", "prompt": "Hi?", "responses": {"a": "A", "b": "Bb c"}, "gold": {"scores": {"a": 5, "b": 2}, "ranking": ["a", "b"]}}"#;
    write("items.jsonl", &format!("{item}\n"));
    let here = [
        ("../../items.jsonl", "items.jsonl"),
        ("steps = 125", "steps = 2"),
        ("../../runs/", ""),
    ];
    let small = [
        ("../../models/Qwen3-8B", "model"),
        ("batch_tokens = 65536", "batch_tokens = 100"),
        ("max_tokens = 8192", "max_tokens = 4000"),
        // Instructions of three thousand tokens would be most of the work.
        ("[items]", "[profile]\nname = \"tiny\"\nsystem = \"\"\n\n[items]"),
        // A build for GPUs takes the other.
        ("device = \"cuda\"", "device = \"cpu\""),
    ];
    let text = changed("sft.toml", &[&here[..], &small].concat());
    let shown = sft::run(&write("sft.toml", &text), false).unwrap().folder;
    let few = [
        ("group = 8", "group = 2"),
        ("cases = 32", "cases = 1"),
        ("max_cases = 64", "max_cases = 2"),
        ("max_new_tokens = 2048", "max_new_tokens = 24"),
        ("max_prompt_tokens = 6144", "max_prompt_tokens = 4000"),
        ("accumulation = 16", "accumulation = 2"),
    ];
    let text = changed("grpl.toml", &[&here[..], &few].concat());
    let rewarded = grpo::run(&write("grpl.toml", &text), false).unwrap().folder;

    // Nothing of the tensors' names hangs on their sizes: a layer of these is a layer of Qwen3-8B.
    let layer = |module: &str| format!("model.layers.0.{module}.weight");
    let mut expect: Vec<String> = [
        "input_layernorm",
        "mlp.down_proj",
        "mlp.gate_proj",
        "mlp.up_proj",
        "post_attention_layernorm",
        "self_attn.k_norm",
        "self_attn.k_proj",
        "self_attn.o_proj",
        "self_attn.q_norm",
        "self_attn.q_proj",
        "self_attn.v_proj",
    ]
    .map(layer)
    .to_vec();
    expect.extend(["lm_head.weight", "model.embed_tokens.weight", "model.norm.weight"].map(str::to_owned));
    expect.sort();
    for made in [&model, &shown, &rewarded] {
        assert_eq!(names(made), expect);
    }
    for made in [&shown, &rewarded] {
        assert!(made.join("adapter/adapter_model.safetensors").is_file());
    }
    let config = Config::from_json(&fs::read(rewarded.join("config.json")).unwrap()).unwrap();
    assert!(!config.tie_word_embeddings);
}
