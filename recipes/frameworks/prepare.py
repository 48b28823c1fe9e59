#!/usr/bin/env python3
"""Prompts as all three frameworks and `rewardanything align` read them.

    prepare.py PROMPTS.jsonl OUTPUT [--principle FILE] [--train 2000] [--held-out 200] [--seed 0]

PROMPTS is JSON Lines of {"prompt": TEXT or MESSAGES}; everything else is ignored, and so is a prompt that was there before.
OUTPUT becomes a folder with `train.jsonl`, `held-out.jsonl`, which is never trained on, and `principle.txt`. A row has

    prompt         messages, which TRL and verl put through the policy's chat template
    question       the same as one text, which OpenRLHF puts into its own
    principle      the column by which `integrations.trl` judges
    extra_info     {question, principle, index}: what verl hands to the manager
    data_source, reward_model      which verl wants to be there, and which say nothing

Needs nothing beyond Python.
"""

import argparse
import json
import random
import sys
from pathlib import Path


def messages(prompt, where):
    if isinstance(prompt, str) and prompt.strip():
        return [{"role": "user", "content": prompt}]
    if isinstance(prompt, list) and prompt and all(isinstance(turn, dict) and turn.get("content") for turn in prompt):
        return [{"role": turn["role"], "content": turn["content"]} for turn in prompt]
    sys.exit(f"{where}: expected a prompt, a text or messages, got {prompt!r:.60}")


def read(path):
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            prompt = messages(json.loads(line).get("prompt"), f"{path}: line {number}")
            found.setdefault(json.dumps(prompt), prompt)
    return list(found.values())


def row(index, prompt, principle):
    question = prompt[-1]["content"] if len(prompt) == 1 else "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in prompt)
    return {
        "prompt": prompt,
        "question": question,
        "principle": principle,
        "data_source": "principle",
        "reward_model": {"style": "principle", "ground_truth": ""},
        "extra_info": {"question": question, "principle": principle, "index": index},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prompts", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--principle", type=Path, default=Path(__file__).parent / "principle.txt")
    parser.add_argument("--train", type=int, default=2000)
    parser.add_argument("--held-out", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    prompts = read(arguments.prompts)
    wanted = arguments.train + arguments.held_out
    if len(prompts) < wanted:
        sys.exit(f"{arguments.prompts}: expected {wanted} different prompts, {arguments.held_out} of them held out, got {len(prompts)}")
    random.Random(arguments.seed).shuffle(prompts)
    principle = arguments.principle.read_text(encoding="utf-8").strip()
    parts = {"train": prompts[: arguments.train], "held-out": prompts[arguments.train : wanted]}
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "principle.txt").write_text(principle + "\n", encoding="utf-8")
    for name, part in parts.items():
        lines = [json.dumps(row(index, prompt, principle), ensure_ascii=False) for index, prompt in enumerate(part)]
        (arguments.output / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{arguments.output / name}.jsonl: {len(part)} prompts")


if __name__ == "__main__":
    main()
