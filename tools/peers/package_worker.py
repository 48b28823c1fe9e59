"""The published package's local mode on a set: `package_worker.py SET COUNT`, in a process of its own.

It reads the same messages as every other peer: its system text is replaced by ours, and it is given the labels that it
would otherwise make up itself. It writes exactly as many tokens as our verdict has.
"""

import json
import sys
import time

import rewardanything
import torch
import transformers
from common import MODEL, THREADS
from judging import SETS, facts, load, system_text
from rewardanything import local, processing


def main() -> None:
    name, count = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(THREADS)
    processing.SYSTEM_PROMPT = system_text()
    model = local.from_pretrained(str(MODEL), device="cpu", torch_dtype="bfloat16")
    # The package knows no switch for thinking: its template is told to leave it off.
    template = "{%- set enable_thinking = false %}" + model.tokenizer.chat_template
    if not SETS[name]["system"]:
        template = "{%- set messages = messages[1:] %}" + template
    model.tokenizer.chat_template = template
    new = facts()["verdict_tokens"]
    read = []
    plain = model.model.generate

    def generate(*arguments, **named):
        reply = plain(*arguments, **named)
        read.append(named["input_ids"].shape[1])
        if reply.shape[1] - read[-1] != new:
            raise RuntimeError(f"expected {new} tokens, got {reply.shape[1] - read[-1]}")
        return reply

    model.model.generate = generate
    settings = {"max_new_tokens": new, "min_new_tokens": new, "do_sample": False}

    def judge(item: dict) -> None:
        shown = {f"model-{i + 1}": text for i, text in enumerate(item["responses"].values())}
        model.judge(item["principle"], item["prompt"], shown, mask_responses=False, **settings)

    items = load(name)[:count]
    judge(load(name)[-1])
    read.clear()
    start = time.perf_counter()
    for item in items:
        judge(item)
    seconds = time.perf_counter() - start
    expected = facts()[name]["tokens"][: len(items)]
    if read != expected:
        raise RuntimeError(f"expected prompts of {expected} tokens, the package read {read}")
    version = f"rewardanything {getattr(rewardanything, '__version__', '?')}, transformers {transformers.__version__}"
    print(json.dumps({"per_minute": 60 * len(items) / seconds, "items": len(items), "version": version}))


if __name__ == "__main__":
    main()
