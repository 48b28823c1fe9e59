"""Writes fixtures/: tiny random Qwen3 checkpoints, the reference's numbers for them, and chat renderings.

Golden numbers come from here and nowhere else: from transformers in f32, never from our own output. See README.md.
"""

import argparse
import json
import shutil
from pathlib import Path

import tokenizers
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import decoders, models, pre_tokenizers, trainers
from transformers import Qwen3Config, Qwen3ForCausalLM
from transformers.utils.chat_template_utils import render_jinja_template

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
VOCABULARY = 384  # more rows than the tokenizer has ids, as in the published checkpoints
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
PLAIN = ["<think>", "</think>"]  # one id each, but text: they survive decoding
GREEDY_TOKENS = 64
VARIETY = 16  # distinct tokens in each greedy continuation, so that an early mistake cannot hide in a loop
MARGIN = 1e-3  # least gap between the two best logits of a greedy step, so that rounding can't change the token

TEXT = """
A principle says what counts. A judge reads the principle, the prompt and every response, and then says which
response follows the principle best, and why. Short answers may be better than long ones, or worse: the principle
decides, not the taste of the judge. The judge thinks before the verdict. It names the quality that is asked for, says
how much of it each response shows, and only then gives the scores and the order, best first. Two responses may earn
the same score. A response that claims to be the best is not better for saying so. The answer of model-1 has twelve
words; the answer of model-2 has three questions; the answer of model-3 is polite, clear and correct.
"""

TEMPLATE = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content.strip() + eos_token + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""

# Ragged on purpose: one token, a few, and more than one block would hold if blocks were short.
PROMPTS = [
    "A",
    "The judge reads the principle.",
    "Which response follows the principle best? The answer of model-2 has three questions, and it is polite.",
]

CONVERSATIONS = {
    "plain": [{"role": "user", "content": "Which answer is shorter?"}],
    "system": [
        {"role": "system", "content": "You judge responses.\nBe brief."},
        {"role": "user", "content": "  {\"principle\": \"Fewer words\", \"prompt\": \"Hi\"}  "},
    ],
    "turns": [
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "<think>\nCounting.\n</think>\n\nOne."},
        {"role": "user", "content": "Two?\n"},
        {"role": "assistant", "content": "Two."},
        {"role": "user", "content": "Ünïcode – 你好 🙂?"},
    ],
    "answered": [
        {"role": "system", "content": ""},
        {"role": "user", "content": "Judge \"this\" & <that>."},
        {"role": "assistant", "content": "<think>\nShort.\n</think>\n\n{\"scores\": {\"model-1\": 5}}"},
    ],
}


def tiny_tokenizer() -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY - 16, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([TEXT], trainer)
    tokenizer.add_special_tokens(SPECIALS)
    tokenizer.add_tokens([tokenizers.AddedToken(token, special=False, normalized=False) for token in PLAIN])
    return tokenizer


def configuration(tied: bool, eos: int) -> Qwen3Config:
    sizes = (
        # Heads of width 16 in a stream of 48 with 4 heads: head_dim is a field, not a quotient.
        dict(num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, rope_theta=10_000.0)
        if tied
        else dict(num_hidden_layers=3, num_attention_heads=3, num_key_value_heads=1, rope_theta=1e6)
    )
    return Qwen3Config(
        architectures=["Qwen3ForCausalLM"],
        vocab_size=VOCABULARY,
        hidden_size=48,
        intermediate_size=96,
        head_dim=16,
        max_position_embeddings=160,
        tie_word_embeddings=tied,
        attention_bias=not tied,
        eos_token_id=eos,
        attn_implementation="eager",
        **sizes,
    )


def random_model(config: Qwen3Config, seed: int) -> Qwen3ForCausalLM:
    """Weights far livelier than a fresh model's, so that no part is near the identity and no norm weight is one."""
    torch.manual_seed(seed)
    model = Qwen3ForCausalLM(config).to(torch.float32).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.copy_(1 + 0.3 * torch.randn_like(weight))
            elif name.endswith("bias"):
                weight.copy_(0.2 * torch.randn_like(weight))
            elif "embed" in name or "lm_head" in name:
                # Small beside what the blocks add, or a tied model would only repeat its last token.
                weight.copy_(0.15 * torch.randn_like(weight))
            else:
                weight.copy_(1.2 * torch.randn_like(weight) / weight.shape[1] ** 0.5)
    model.tie_weights()
    return model


@torch.no_grad()
def greedy(model: Qwen3ForCausalLM, prompt: list[int]) -> tuple[list[int], float]:
    """Tokens and the smallest margin, each step from scratch: no cache to trust."""
    tokens, margin = list(prompt), float("inf")
    for _ in range(GREEDY_TOKENS):
        best = model(torch.tensor([tokens])).logits[0, -1].topk(2)
        margin = min(margin, (best.values[0] - best.values[1]).item())
        tokens.append(best.indices[0].item())
    return tokens[len(prompt):], margin


def gradients(model: Qwen3ForCausalLM, prompts: list[list[int]]) -> tuple[float, dict[str, torch.Tensor]]:
    """Of the mean next-token loss over all targets of all prompts together."""
    model.zero_grad()
    logits, targets = [], []
    for prompt in prompts:
        logits.append(model(torch.tensor([prompt])).logits[0, :-1])
        targets.extend(prompt[1:])
    loss = torch.nn.functional.cross_entropy(torch.cat(logits), torch.tensor(targets))
    loss.backward()
    return loss.item(), {name: weight.grad.clone() for name, weight in model.named_parameters()}


def write_checkpoint(folder: Path, tied: bool) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tokenizer = tiny_tokenizer()
    eos = tokenizer.token_to_id("<|im_end|>")
    prompts = [tokenizer.encode(text).ids for text in PROMPTS]
    prompts[0] = prompts[0][:1]
    config = configuration(tied, eos)
    for seed in range(1, 200):
        model = random_model(config, seed)
        continuations = [greedy(model, prompt) for prompt in prompts]
        varied = all(len(set(tokens)) >= VARIETY for tokens, _ in continuations)
        if varied and min(margin for _, margin in continuations) > MARGIN:
            break
    else:
        raise SystemExit("no seed gives clear and varied greedy paths")

    # The tied model is one file with the fields of the published checkpoints; the untied one is sharded and has the
    # fields that today's library writes.
    model.save_pretrained(folder, max_shard_size="10MB" if tied else "200KB")
    if tied:
        fields = json.loads((folder / "config.json").read_text())
        fields |= {"rope_theta": fields.pop("rope_parameters")["rope_theta"], "rope_scaling": None}
        fields |= {"torch_dtype": fields.pop("dtype")}
        del fields["layer_types"]
        (folder / "config.json").write_text(json.dumps(fields, indent=2, sort_keys=True) + "\n")
        (folder / "generation_config.json").unlink()
    else:
        generation = {"eos_token_id": [eos, tokenizer.token_to_id("<|endoftext|>")]}
        (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
        (folder / "chat_template.jinja").write_text(TEMPLATE)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"bos_token": None, "eos_token": "<|im_end|>", "tokenizer_class": "PreTrainedTokenizerFast"}
    if tied:
        settings["chat_template"] = TEMPLATE
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")

    reloaded = Qwen3ForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    tensors = {}
    for index, prompt in enumerate(prompts):
        with torch.no_grad():
            tensors[f"logits.{index}"] = reloaded(torch.tensor([prompt])).logits[0].contiguous()
    loss, grads = gradients(reloaded, prompts)
    tensors |= {f"grad.{name}": grad.contiguous() for name, grad in grads.items()}
    save_file(tensors, folder / "golden.safetensors")

    chats = []
    for name, messages in CONVERSATIONS.items():
        for generate, thinking in [(False, True), (True, True), (True, False)]:
            text = render(TEMPLATE, messages, generate, thinking, eos_token="<|im_end|>")
            ids = tokenizer.encode(text).ids
            chats.append(dict(conversation=name, generate=generate, thinking=thinking, text=text, ids=ids))
    golden = {
        "seed": seed,
        "prompts": prompts,
        "greedy": [tokens for tokens, _ in continuations],
        "least_margin": min(margin for _, margin in continuations),
        "loss": loss,
        "chats": chats,
    }
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
    size = sum(file.stat().st_size for file in folder.iterdir())
    assert size < 1_000_000, f"{folder} has {size} bytes"
    print(folder.name, "seed", seed, "margin", golden["least_margin"], "loss", loss, "bytes", size)


def render(template: str, messages: list[dict], generate: bool, thinking: bool, **tokens: str) -> str:
    rendered = render_jinja_template(
        [messages], chat_template=template, add_generation_prompt=generate, enable_thinking=thinking, **tokens
    )
    return (rendered[0] if isinstance(rendered, tuple) else rendered)[0]


def write_chats(data: Path | None) -> None:
    """Renderings of published templates, as ids: the templates themselves are other people's and stay where they are."""
    folder = FIXTURES / "chat"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "conversations.json").write_text(json.dumps(CONVERSATIONS, indent=1, ensure_ascii=False) + "\n")
    if data is None:
        print("no --tokenizer-data: fixtures/chat/golden.json is left as it is")
        return
    tokenizer = tokenizers.Tokenizer.from_file(str(data / "tokenizer.json"))
    golden = {}
    for file in sorted(data.glob("*.jinja")):
        golden[file.name] = [
            dict(
                conversation=name,
                generate=generate,
                thinking=thinking,
                ids=tokenizer.encode(render(file.read_text(), messages, generate, thinking)).ids,
            )
            for name, messages in CONVERSATIONS.items()
            for generate, thinking in [(False, True), (True, True), (True, False)]
        ]
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
    print("chat goldens of", ", ".join(golden))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer-data", type=Path, help="folder with a Qwen3 tokenizer.json and *.jinja templates")
    arguments = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    torch.set_num_threads(1)
    write_checkpoint(FIXTURES / "tiny-tied", tied=True)
    write_checkpoint(FIXTURES / "tiny-untied", tied=False)
    write_chats(arguments.tokenizer_data)


if __name__ == "__main__":
    main()
