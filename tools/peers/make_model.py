"""Writes a checkpoint of Qwen3-0.6B's configuration with random bf16 weights, for measuring speed. See README.md."""

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

LAYERS, HIDDEN, FEED_FORWARD, HEADS, KV_HEADS, HEAD_DIM, VOCABULARY = 28, 1024, 3072, 16, 8, 128, 151_936
SEED = 0
END, PAD = "<|im_end|>", "<|endoftext|>"


def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(SEED)

    def matrix(rows: int, columns: int) -> torch.Tensor:
        # As large as in trained models, so that no value overflows or vanishes on its way through the layers.
        return (torch.randn(rows, columns, generator=generator) * 0.02).to(torch.bfloat16)

    def ones(length: int) -> torch.Tensor:
        return torch.ones(length, dtype=torch.bfloat16)

    weights = {"model.embed_tokens.weight": matrix(VOCABULARY, HIDDEN), "model.norm.weight": ones(HIDDEN)}
    for layer in range(LAYERS):
        name = f"model.layers.{layer}"
        weights |= {
            f"{name}.input_layernorm.weight": ones(HIDDEN),
            f"{name}.post_attention_layernorm.weight": ones(HIDDEN),
            f"{name}.self_attn.q_norm.weight": ones(HEAD_DIM),
            f"{name}.self_attn.k_norm.weight": ones(HEAD_DIM),
            f"{name}.self_attn.q_proj.weight": matrix(HEADS * HEAD_DIM, HIDDEN),
            f"{name}.self_attn.k_proj.weight": matrix(KV_HEADS * HEAD_DIM, HIDDEN),
            f"{name}.self_attn.v_proj.weight": matrix(KV_HEADS * HEAD_DIM, HIDDEN),
            f"{name}.self_attn.o_proj.weight": matrix(HIDDEN, HEADS * HEAD_DIM),
            f"{name}.mlp.gate_proj.weight": matrix(FEED_FORWARD, HIDDEN),
            f"{name}.mlp.up_proj.weight": matrix(FEED_FORWARD, HIDDEN),
            f"{name}.mlp.down_proj.weight": matrix(HIDDEN, FEED_FORWARD),
        }
    return weights


def config(ids: dict[str, int]) -> dict:
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": ids[PAD],
        "eos_token_id": ids[END],
        "head_dim": HEAD_DIM,
        "hidden_act": "silu",
        "hidden_size": HIDDEN,
        "initializer_range": 0.02,
        "intermediate_size": FEED_FORWARD,
        "max_position_embeddings": 40_960,
        "max_window_layers": LAYERS,
        "model_type": "qwen3",
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "num_key_value_heads": KV_HEADS,
        "rms_norm_eps": 1e-6,
        "rope_scaling": None,
        "rope_theta": 1_000_000,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        # Without it transformers takes the tokenizer for one with a known fault, and warns.
        "transformers_version": "5.19.0",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": VOCABULARY,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tokenizer",
        type=Path,
        required=True,
        help="a folder with Qwen3's tokenizer.json and its chat template, as qwen3.jinja or chat_template.jinja",
    )
    parser.add_argument("--output", type=Path, default=Path("target/peers/models/qwen3-0.6b-random"))
    arguments = parser.parse_args()

    source = arguments.tokenizer
    templates = [source / "qwen3.jinja", source / "chat_template.jinja"]
    template = next((path for path in templates if path.exists()), None)
    if template is None or not (source / "tokenizer.json").exists():
        parser.error(f"{source}: expected tokenizer.json, and qwen3.jinja or chat_template.jinja")
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    ids = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    if END not in ids or PAD not in ids:
        parser.error(f"{source / 'tokenizer.json'}: expected the added tokens {END} and {PAD}")

    folder = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / "tokenizer.json", folder / "tokenizer.json")
    shutil.copyfile(template, folder / "chat_template.jinja")
    files = {
        "config.json": config(ids),
        "generation_config.json": {"eos_token_id": [ids[END], ids[PAD]], "pad_token_id": ids[PAD]},
        "tokenizer_config.json": {
            "add_bos_token": False,
            "bos_token": None,
            "chat_template": template.read_text(),
            "clean_up_tokenization_spaces": False,
            "eos_token": END,
            "pad_token": PAD,
            "tokenizer_class": "Qwen2Tokenizer",
            "unk_token": None,
        },
    }
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value, indent=2) + "\n")
    save_file(tensors(), folder / "model.safetensors", metadata={"format": "pt"})
    print(f"wrote {folder}")


if __name__ == "__main__":
    main()
