"""Writes fixtures/nano: what transformers computes with the weights of models/nano, in f32.

Run again whenever the weights change, from the root of the repository:

    .venv/bin/python tools/reference/nano.py
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "models/nano"
FIXTURES = ROOT / "fixtures/nano"
REPLY_TOKENS = 64
# Every so many positions' logits are kept: 4,096 numbers each.
STRIDE = 16

REQUESTS = [
    ("Prefer the shorter answer.", "What is the capital of France?", ["Paris.", "It is Paris, an old city on the Seine."]),
    ("The more questions, the better.", "Plan my day.", ["Sure! When do you get up? What must you do?", "Rest.", "Why?"]),
    ("Quotes like \"this\" should be rare.", "Schreib etwas über Öl \u2013 kurz.", ["\"Öl\"\nist\tteuer.", "- eins\n- zwei"]),
]


@torch.no_grad()
def main() -> None:
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32, attn_implementation="eager").eval()
    cases, tensors = [], {}
    for index, (principle, prompt, texts) in enumerate(REQUESTS):
        responses = {f"model-{i + 1}": text for i, text in enumerate(texts)}
        request = {"principle": principle, "prompt": prompt, "responses": responses}
        message = json.dumps(request, ensure_ascii=False)
        ids = tokenizer.apply_chat_template(
            [{"role": "user", "content": message}], add_generation_prompt=True, return_dict=True
        )["input_ids"]
        tensors[f"logits.{index}"] = model(torch.tensor([ids])).logits[0, ::STRIDE].contiguous()
        tokens = list(ids)
        for _ in range(REPLY_TOKENS):  # each step from scratch: no cache to trust
            tokens.append(model(torch.tensor([tokens])).logits[0, -1].argmax().item())
        cases.append({"message": message, "ids": ids, "reply": tokens[len(ids):]})
    FIXTURES.mkdir(parents=True, exist_ok=True)
    golden = {"stride": STRIDE, "cases": cases}
    (FIXTURES / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
    save_file(tensors, FIXTURES / "golden.safetensors")
    for case in cases:
        print(tokenizer.decode(case["reply"]))


if __name__ == "__main__":
    main()
