"""Rollouts and steps a minute of `rewardanything align` beside TRL's GRPOTrainer, and what judging whole groups saves.

    just bench-align [--policy FOLDER] [--prompts FILE] [--group N] [--cases N] [--steps N] [--rounds N] [--json]

One run, alternating: ours, TRL in f32, TRL under bf16 autocast, and again. All have the same policy, prompts, group size,
token limit, divergence weight and updates a step, two threads, and the same judge in the same program: ours has it in its
process, TRL asks `rewardanything serve` through the Python package's reward function. The judge's time is told apart, so
that trainers can be compared without it. The first step of each part warms up and is left out.

Afterwards the groups of our last part are judged again, whole, in pairs and one reply at a time, and the tokens counted.

Without --policy it is a model of random weights in the shape of `recipes/align/policy.toml`, whose replies mostly run to
their limit; without --prompts, sentences of this project's own pages.
"""

import argparse
import itertools
import json
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from pathlib import Path

from common import RELEASE, ROOT, THREADS, TOOLS, environment, machine

PRINCIPLE = "The fewer commas, the better."
RECIPE = ROOT / "recipes/align/fewer-commas.toml"


def sentences():
    """Sentences of the book and of the project's first page, in the order in which they stand."""
    pages = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]
    text = "\n\n".join(re.sub(r"```.*?```", "", page.read_text(), flags=re.S) for page in pages)
    flat = [" ".join(part.split()) for part in text.split("\n\n") if not part.lstrip().startswith(("|", "#", "-", "["))]
    found = [one for part in flat for one in re.split(r"(?<=[.?!]) ", part) if 6 <= len(one.split()) <= 30]
    return list(dict.fromkeys(found))


def make_model(folder, shape, files):
    """Random weights in a shape, with a tokenizer that is there."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    Qwen3ForCausalLM(Qwen3Config(**shape)).to(torch.bfloat16).save_pretrained(folder)
    for name, file in files.items():
        shutil.copy(file, folder / name)
    # Our loader wants the number at the top, where older configurations have it.
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"rope_theta": shape["rope_theta"]}))


def make_policy(folder):
    """In the shape of the case study's policy, with nano's tokenizer."""
    shape = tomllib.loads((ROOT / "recipes/align/policy.toml").read_text())["model"]["scratch"]
    files = {name: ROOT / "models/nano" / name for name in ("tokenizer.json", "tokenizer_config.json")}
    make_model(folder, shape | {"eos_token_id": 2, "pad_token_id": 0}, files)


def make_judge(folder, tokenizer):
    """One layer that reads a tokenizer of Qwen3's: its verdicts say nothing, its prompts are those of a judge of that kind."""
    template = next(path for path in (tokenizer / "qwen3.jinja", tokenizer / "chat_template.jinja") if path.is_file())
    files = {"tokenizer.json": tokenizer / "tokenizer.json", "chat_template.jinja": template}
    shape = {
        "vocab_size": 151_936, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 16_384, "rope_theta": 1_000_000.0,
    }
    make_model(folder, shape | {"eos_token_id": 151_645, "tie_word_embeddings": True}, files)
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}))


def settings(arguments, folder):
    """What both sides are told, as a recipe of ours; the case study's, but for what the measurement sets."""
    told = tomllib.loads(RECIPE.read_text())
    loss, optim = told["loss"], told["optim"]
    return {
        "policy": str(arguments.policy), "prompts": str(folder / "prompts.jsonl"), "principle": PRINCIPLE,
        "group": arguments.group, "cases": arguments.cases, "steps": arguments.steps,
        "max_new_tokens": told["rollout"]["max_new_tokens"], "threads": THREADS,
        "beta": loss["beta"], "clip_low": loss["clip_low"], "clip_high": loss["clip_high"], "lr": optim["lr"],
    }


def toml_of(told):
    text = json.dumps
    return f"""
seed = 1
policy = {text(told["policy"])}
template = "{{prompt}}\\n"
principle = {text(told["principle"])}
prompts = {text(told["prompts"])}
[rollout]
group = {told["group"]}
cases = {told["cases"]}
max_cases = {told["cases"]}
max_new_tokens = {told["max_new_tokens"]}
[loss]
clip_low = {told["clip_low"]}
clip_high = {told["clip_high"]}
beta = {told["beta"]}
[optim]
lr = {told["lr"]}
[run]
steps = {told["steps"]}
checkpoint_every = 1000
samples_every = 1
samples_cases = {told["cases"]}
threads = {told["threads"]}
[held_out]
prompts = 1
every = 1000
"""


def busy():
    """Seconds that the processors were busy for anybody, and for what this process waited for."""
    user, nice, system, _, _, irq, soft = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:8])
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK"), own.ru_utime + own.ru_stime


def used(pid):
    """Seconds of processor that a running process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def told_so(what):
    print(time.strftime("%H:%M:%S"), what, file=sys.stderr, flush=True)


def run(command, log, **more):
    with log.open("w") as errors:
        ran = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=errors, text=True, **more)
    if ran.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {ran.returncode}:\n{log.read_text()[-2000:]}{ran.stdout[-2000:]}")
    return ran.stdout


def ours(arguments, told, folder, round):
    """One part of ours: a line for each step."""
    recipe, output = folder / "align.toml", folder / f"ours-{round}"
    recipe.write_text(toml_of(told))
    command = [arguments.program, "align", "--config", recipe, "--judge", "nano", "--threads", THREADS, "--output", output]
    log, metrics, marks = folder / "ours.log", output / "metrics.jsonl", []
    with log.open("w") as errors:
        program = subprocess.Popen([str(word) for word in command], stdout=errors, stderr=errors, env=environment(""))
        # What it has used when the line of a step appears; the last step measures before it ends, so it has no mark.
        while program.poll() is None:
            done = metrics.read_text().count("\n") if metrics.exists() else 0
            if done > len(marks):
                marks.append(used(program.pid))
            time.sleep(0.005)
    if program.returncode != 0:
        raise RuntimeError(log.read_text()[-2000:])
    spent = [None] + [after - before for before, after in itertools.pairwise(marks)][: told["steps"] - 2] + [None]
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    # What is measured on held-out prompts, at the start and the end, is no part of a step.
    return output, [
        {
            "seconds": sum(line["seconds"][part] for part in ("rollout", "likelihoods", "update", "publish")),
            "judge": line["seconds"]["grading"], "replies": line["replies"], "tokens": line["length"],
            "calls": line["groups"] + line["ungraded_groups"], "judge_tokens": line["parts"]["judge_tokens"] * line["replies"],
            "reward": line["reward"], "parts": line["seconds"], "cpu": cpu,
        }
        for line, cpu in zip(lines, spent, strict=True)
    ]


class Served:
    """The judge as TRL asks it."""

    def __init__(self, program, log):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [str(program), "serve", "--model", "nano", "--port", str(port), "--threads", str(THREADS), "--log", "off"]
        self.process = subprocess.Popen(command, stderr=log.open("w"), env=environment(""))
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{self.url}/readyz")
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"no server at {self.url}: {log.read_text()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def trl(told, folder, bf16):
    """One part of TRL: a line for each step."""
    (folder / "told.json").write_text(json.dumps(told | {"bf16": bf16}))
    env = environment("") | {"PYTHONPATH": str(ROOT / "bindings/python/python")}
    output = run([sys.executable, TOOLS / "align_worker.py", folder / "told.json"], folder / "trl.log", env=env)
    return json.loads(output.splitlines()[-1])


def summary(parts):
    """Of the steps of all parts but each one's first: means, and how far the parts are from each other."""
    kept = [part[1:] for part in parts]
    steps = [step for part in kept for step in part]
    mean = lambda name: statistics.fmean(step[name] for step in steps)
    whole, alone = mean("seconds"), mean("seconds") - mean("judge")
    cpu = [step["cpu"] for step in steps if step["cpu"] is not None]
    by_part = [60 / statistics.fmean(step["seconds"] for step in part) for part in kept]
    return {
        "steps": len(steps), "seconds": whole, "judge_seconds": mean("judge"), "trainer_seconds": alone,
        "steps_a_minute": 60 / whole, "steps_a_minute_of_parts": by_part, "rollouts_a_minute": 60 * mean("replies") / whole,
        "steps_a_minute_without_judge": 60 / alone, "rollouts_a_minute_without_judge": 60 * mean("replies") / alone,
        "cpu_seconds": statistics.fmean(cpu), "tokens_a_reply": mean("tokens"), "reward_first_and_last": [parts[0][0]["reward"], parts[-1][-1]["reward"]],
    }


def groups_of(output, prompts):
    """The different replies of each group that a run sampled."""
    asked = {str(number): prompt for number, prompt in enumerate(prompts, 1)}
    found = {}
    for line in map(json.loads, (output / "samples.jsonl").read_text().splitlines()):
        found.setdefault((line["step"], line["id"]), []).append(line["text"])
    kept = {key: list(dict.fromkeys(texts)) for key, texts in found.items()}
    return [(asked[id], texts) for (_, id), texts in kept.items() if len(texts) > 1]


def judged(arguments, model, folder, name, asked):
    """Items of (group, prompt, texts) before a judge: what each took, and the time of all."""
    items, records = folder / f"{name}.jsonl", folder / f"{name}.out.jsonl"
    records.unlink(missing_ok=True)
    with items.open("w") as file:
        for number, (_, prompt, texts) in enumerate(asked):
            item = {"id": str(number), "principle": PRINCIPLE, "prompt": prompt}
            file.write(json.dumps(item | {"responses": {f"r{place}": text for place, text in enumerate(texts)}}) + "\n")
    start = time.perf_counter()
    command = [arguments.program, "judge", "--model", model, "--threads", THREADS, "--input", items, "--output", records]
    run(command + (["--thinking", "off"] if model != "nano" else []), folder / "judge.log", env=environment(""))
    seconds = time.perf_counter() - start
    answers = [json.loads(line) for line in records.read_text().splitlines()]
    assert len(answers) == len(asked) and all(answer["error"] is None for answer in answers), records.read_text()[:500]
    return answers, seconds


def ordered(groups, asked, answers):
    """The share of pairs of replies in a group, of those whose commas differ in number, that the verdicts order right, a tie
    half. Where no call had both, the scores of two calls are compared."""
    calls = {}
    for (place, _, texts), answer in zip(asked, answers):
        means = [known["mean"] for known in answer["soft"].values()] if answer.get("soft") else answer["scores"].values()
        calls.setdefault(place, []).append(dict(zip(texts, means)))
    right = []
    for place, (_, texts) in enumerate(groups):
        for fewer, more in itertools.permutations(texts, 2):
            if fewer.count(",") < more.count(","):
                both = [call for call in calls[place] if fewer in call and more in call]
                # The last call that had it: beside the first, the first is in all.
                apart = {text: score for call in calls[place] for text, score in call.items()}
                scores = (both or [apart])[0]
                difference = scores[fewer] - scores[more]
                right.append(1.0 if difference > 1e-9 else 0.5 if difference > -1e-9 else 0.0)
    return statistics.fmean(right)


def saving(arguments, model, folder, groups):
    """The same groups judged whole, in all pairs, each beside the group's first, and one by one."""
    forms = {
        "whole groups": [(place, prompt, texts) for place, (prompt, texts) in enumerate(groups)],
        "all pairs": [
            (place, prompt, pair) for place, (prompt, texts) in enumerate(groups) for pair in itertools.combinations(texts, 2)
        ],
        "each beside the first": [
            (place, prompt, [texts[0], text]) for place, (prompt, texts) in enumerate(groups) for text in texts[1:]
        ],
        "one by one": [(place, prompt, [text]) for place, (prompt, texts) in enumerate(groups) for text in texts],
    }
    found = {}
    for name, asked in forms.items():
        told_so(f"{Path(model).name}: {name}")
        answers, seconds = judged(arguments, model, folder, name.replace(" ", "-"), asked)
        read = sum(answer["usage"]["prompt_tokens"] for answer in answers)
        written = sum(answer["usage"]["completion_tokens"] for answer in answers)
        found[name] = {
            "calls_a_group": len(asked) / len(groups), "read_a_group": read / len(groups),
            "written_a_group": written / len(groups), "seconds": seconds, "ordered_right": ordered(groups, asked, answers),
        }
    return found


def shown(result):
    told = result["settings"]
    print(f"Other programs took {100 * result['others']:.0f}% of the processors' time meanwhile.")
    print(f"{told['cases']} groups of {told['group']}, at most {told['max_new_tokens']} tokens, beta {told['beta']}, {THREADS} threads")
    print("| | steps a minute | rollouts a minute | a step, s | judge, s | processor seconds a step | without the judge: steps a minute | rollouts a minute | tokens a reply |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, of in result["trainers"].items():
        least, most = min(of["steps_a_minute_of_parts"]), max(of["steps_a_minute_of_parts"])
        print(
            f"| {name} | {of['steps_a_minute']:.1f} ({least:.1f} to {most:.1f}) | {of['rollouts_a_minute']:.0f} | {of['seconds']:.2f} "
            f"| {of['judge_seconds']:.2f} | {of['cpu_seconds']:.2f} | {of['steps_a_minute_without_judge']:.1f} "
            f"| {of['rollouts_a_minute_without_judge']:.0f} | {of['tokens_a_reply']:.1f} |"
        )
    for judge, forms in result["judging"].items():
        print(f"\n{judge}, {result['groups']} groups:\n")
        print("| judged | calls a group | tokens read | written | together, against whole groups | seconds | pairs ordered right |")
        print("|---|---|---|---|---|---|---|")
        whole = forms["whole groups"]["read_a_group"] + forms["whole groups"]["written_a_group"]
        for name, of in forms.items():
            both = of["read_a_group"] + of["written_a_group"]
            print(
                f"| {name} | {of['calls_a_group']:.1f} | {of['read_a_group']:.0f} | {of['written_a_group']:.0f} "
                f"| {both / whole:.2f} | {of['seconds']:.1f} | {100 * of['ordered_right']:.1f}% |"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, default=RELEASE / "rewardanything")
    parser.add_argument("--policy", type=Path, help="a folder in the Hugging Face layout; without it, random weights")
    parser.add_argument("--prompts", type=Path, help="JSON Lines of {prompt}; without it, sentences of this project's pages")
    parser.add_argument("--group", type=int, default=4)
    parser.add_argument("--cases", type=int, default=16)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--tokenizer", type=Path, help="a folder with Qwen3's tokenizer.json and chat template: what a judge reads that has it")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if arguments.policy is None:
            arguments.policy = folder / "policy"
            make_policy(arguments.policy)
        arguments.policy = arguments.policy.resolve()
        prompts = sentences()
        if arguments.prompts is not None:
            prompts = [json.loads(line)["prompt"] for line in arguments.prompts.read_text().splitlines()]
        (folder / "prompts.jsonl").write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts))
        told = settings(arguments, folder)
        parts = {"rewardanything align": [], "TRL, f32": [], "TRL, bf16 autocast": []}
        before, start = busy(), time.perf_counter()
        for round in range(arguments.rounds):
            told_so(f"round {round + 1}: ours")
            output, steps = ours(arguments, told, folder, round)
            parts["rewardanything align"].append(steps)
            with Served(arguments.program, folder / "serve.log") as judge:
                for bf16, name in ((False, "TRL, f32"), (True, "TRL, bf16 autocast")):
                    told_so(f"round {round + 1}: {name}")
                    parts[name].append(trl(told | {"url": judge.url, "judge_pid": judge.process.pid}, folder, bf16))
        all_of_them, own = (after - then for after, then in zip(busy(), before))
        others = (all_of_them - own) / (time.perf_counter() - start) / os.cpu_count()
        groups = groups_of(output, prompts)
        judges = {"nano": "nano"}
        if arguments.tokenizer is not None:
            make_judge(folder / "judge", arguments.tokenizer)
            judges["the tokens of Qwen3, without thinking"] = folder / "judge"
        result = {
            "others": others,
            "machine": machine(), "settings": told,
            "trainers": {name: summary(of) for name, of in parts.items()},
            "judge_a_step": {
                name: statistics.fmean(step[name] for part in parts["rewardanything align"] for step in part)
                for name in ("calls", "judge_tokens")
            },
            "groups": len(groups),
            "judging": {name: saving(arguments, model, folder, groups) for name, model in judges.items()},
            "lines": parts,
        }
    print(json.dumps(result)) if arguments.json else shown(result)


if __name__ == "__main__":
    main()
