"""Writes fixtures/gguf: a random model as one file of mixed number formats, and the reference's numbers for it.

Values of blocks come from the gguf package, logits from transformers on those values. See README.md.
"""

import json
from pathlib import Path

import gguf
import numpy as np
import tokenizers
import torch
from gguf.quants import dequantize, quantize
from safetensors.torch import save_file
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import Qwen3Config, Qwen3ForCausalLM

from make_fixtures import PLAIN, SPECIALS, TEMPLATE, TEXT, VOCABULARY

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "gguf"
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEXTS = [
    "The judge's principle: fewer words, please.",
    "  two  blanks\n\n and\r\nbreaks 1234 <think>\nwell</think> <|im_end|>",
    "Cafe\u0301 na\u00efve \u4f60\u597d \U0001f642 don't I'LL x=1;\t// ok",
]
Q = gguf.GGMLQuantizationType


def tokenizer() -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(WORDS), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIALS) - len(PLAIN) - 9,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    tokenizer.add_special_tokens(SPECIALS)
    tokenizer.add_tokens(PLAIN)
    return tokenizer


def stored(kind: Q, shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Bytes of a matrix. The reference writes no K blocks, so theirs are random bits under sensible scales."""
    rows, inner = shape
    if kind not in (Q.Q4_K, Q.Q6_K):
        return quantize((random.standard_normal(shape) * 1.2 / inner**0.5).astype(np.float32), kind)
    size = gguf.GGML_QUANT_SIZES[kind][1]
    blocks = random.integers(0, 256, (rows * inner // 256, size), dtype=np.uint8)
    scale = random.uniform(0.7, 1.3, (len(blocks), 1)).astype(np.float16)
    if kind == Q.Q4_K:
        blocks[:, 0:2] = (scale * np.float16(2.5e-4)).view(np.uint8)
        blocks[:, 2:4] = (scale * np.float16(7.5 * 2.5e-4)).view(np.uint8)
    else:
        blocks[:, 208:210] = (scale * np.float16(5.5e-5)).view(np.uint8)
    return blocks.reshape(rows, -1)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    words = tokenizer()
    eos = words.token_to_id("<|im_end|>")
    config = Qwen3Config(
        vocab_size=VOCABULARY, hidden_size=256, intermediate_size=256, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, head_dim=32, max_position_embeddings=160, tie_word_embeddings=False,
        rope_theta=1e6, rms_norm_eps=1e-6, attn_implementation="eager",
    )
    kinds = {
        ("model.embed_tokens.weight", "token_embd.weight"): Q.Q6_K,
        ("model.layers.0.self_attn.q_proj.weight", "blk.0.attn_q.weight"): Q.Q4_K,
        ("model.layers.0.self_attn.k_proj.weight", "blk.0.attn_k.weight"): Q.F16,
        ("model.layers.0.self_attn.v_proj.weight", "blk.0.attn_v.weight"): Q.Q8_0,
        ("model.layers.0.self_attn.o_proj.weight", "blk.0.attn_output.weight"): Q.BF16,
        ("model.layers.0.mlp.gate_proj.weight", "blk.0.ffn_gate.weight"): Q.Q4_K,
        ("model.layers.0.mlp.up_proj.weight", "blk.0.ffn_up.weight"): Q.Q8_0,
        ("model.layers.0.mlp.down_proj.weight", "blk.0.ffn_down.weight"): Q.Q6_K,
        ("lm_head.weight", "output.weight"): Q.Q4_K,
    }
    norms = {
        "model.layers.0.input_layernorm.weight": "blk.0.attn_norm.weight",
        "model.layers.0.self_attn.q_norm.weight": "blk.0.attn_q_norm.weight",
        "model.layers.0.self_attn.k_norm.weight": "blk.0.attn_k_norm.weight",
        "model.layers.0.post_attention_layernorm.weight": "blk.0.ffn_norm.weight",
        "model.norm.weight": "output_norm.weight",
    }
    model = Qwen3ForCausalLM(config).to(torch.float32).eval()
    shapes = {name: tuple(weight.shape) for name, weight in model.named_parameters()}

    writer = gguf.GGUFWriter(FOLDER / "tiny.gguf", "qwen3")
    writer.add_name("tiny")
    writer.add_block_count(1)
    writer.add_context_length(160)
    writer.add_embedding_length(256)
    writer.add_feed_forward_length(256)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_key_length(32)
    writer.add_value_length(32)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    tokens = [f"[PAD{id}]" for id in range(VOCABULARY)]
    types = [gguf.TokenType.UNUSED] * VOCABULARY
    for token, id in words.get_vocab().items():
        tokens[id] = token
        types[id] = gguf.TokenType.NORMAL
    for id, token in words.get_added_tokens_decoder().items():
        types[id] = gguf.TokenType.CONTROL if token.special else gguf.TokenType.USER_DEFINED
    merges = json.loads(words.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_eos_token_id(eos)
    writer.add_chat_template(TEMPLATE)

    state, golden = {}, {}
    for (name, short), kind in kinds.items():
        data = stored(kind, shapes[name], random)
        values = dequantize(data, kind).astype(np.float32).reshape(shapes[name])
        state[name] = torch.from_numpy(values)
        golden[f"rows.{short}"] = torch.from_numpy(values[[0, 17, len(values) - 1]].copy())
        writer.add_tensor(short, data, raw_dtype=kind)
    for name, short in norms.items():
        values = (1 + 0.3 * random.standard_normal(shapes[name])).astype(np.float32)
        state[name] = torch.from_numpy(values)
        writer.add_tensor(short, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    model.load_state_dict(state)
    ids = [words.encode(text, add_special_tokens=False).ids for text in TEXTS]
    with torch.no_grad():
        golden["logits"] = model(torch.tensor([ids[0]])).logits[0].contiguous()
    # What the reference makes of a matrix when it writes Q8_0: rows of 64, one of them zero.
    plain = random.standard_normal((4, 64)).astype(np.float32)
    plain[2] = 0
    golden["plain"] = torch.from_numpy(plain)
    golden["plain.q8_0"] = torch.from_numpy(quantize(plain, Q.Q8_0))
    save_file(golden, FOLDER / "golden.safetensors")
    (FOLDER / "golden.json").write_text(json.dumps({"texts": TEXTS, "ids": ids, "eos": eos}) + "\n")
    print({file.name: file.stat().st_size for file in FOLDER.iterdir()})


if __name__ == "__main__":
    main()
