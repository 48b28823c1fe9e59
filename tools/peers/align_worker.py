"""Some steps of TRL's GRPOTrainer on a processor, for `align_step.py`: settings come as a file, a line for each step goes
to standard output as one list."""

import json
import os
import sys
import time
from pathlib import Path

import torch
from datasets import Dataset
from transformers import AutoTokenizer, Qwen3ForCausalLM, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from rewardanything import Client
from rewardanything.integrations.trl import reward_function


def used(pid):
    """Seconds of processor that a running process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Timed:
    """The reward function, with its time and what it gave."""

    __name__ = "judge"

    def __init__(self, function):
        self.function = function
        self.seconds, self.missing = 0.0, 0

    def __call__(self, **columns):
        start = time.perf_counter()
        rewards = self.function(**columns)
        self.seconds += time.perf_counter() - start
        self.missing += sum(reward is None for reward in rewards)
        return rewards


class Stamps(TrainerCallback):
    """The time of each step, and how much of it was the judge's."""

    def __init__(self, reward, judge):
        self.reward, self.judge, self.lines = reward, judge, []

    def now(self):
        return {
            "seconds": time.perf_counter(), "judge": self.reward.seconds,
            "cpu": time.process_time() + used(self.judge), "judge_cpu": used(self.judge),
        }

    def on_step_begin(self, *_, **__):
        self.start = self.now()

    def on_step_end(self, *_, **__):
        self.lines.append({name: value - self.start[name] for name, value in self.now().items()})


def main():
    told = json.loads(Path(sys.argv[1]).read_text())
    torch.set_num_threads(told["threads"])
    tokenizer = AutoTokenizer.from_pretrained(told["policy"])
    model = Qwen3ForCausalLM.from_pretrained(told["policy"], dtype=torch.float32)
    prompts = [json.loads(line)["prompt"] for line in Path(told["prompts"]).read_text().splitlines()]
    reward = Timed(reward_function(told["principle"], judge=Client(told["url"], timeout=300)))
    stamps = Stamps(reward, told["judge_pid"])
    replies = told["group"] * told["cases"]
    trainer = GRPOTrainer(
        model=model,
        processing_class=tokenizer,
        reward_funcs=reward,
        # What the template of the other side makes of a prompt.
        train_dataset=Dataset.from_dict({"prompt": [prompt + "\n" for prompt in prompts]}),
        callbacks=[stamps],
        args=GRPOConfig(
            output_dir=str(Path(sys.argv[1]).parent / "trl"), use_cpu=True, bf16=told["bf16"], max_steps=told["steps"],
            per_device_train_batch_size=replies, gradient_accumulation_steps=1, num_generations=told["group"],
            max_completion_length=told["max_new_tokens"], num_iterations=1, beta=told["beta"], loss_type="grpo",
            epsilon=told["clip_low"], epsilon_high=told["clip_high"], learning_rate=told["lr"], temperature=1.0,
            gradient_checkpointing=False, logging_steps=1, save_strategy="no", report_to="none", disable_tqdm=True, seed=1,
        ),
    )
    trainer.train()
    logs = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert len(logs) == len(stamps.lines) == told["steps"], (len(logs), len(stamps.lines))
    for line, entry in zip(stamps.lines, logs):
        # From 1 to 5 here, from 0 to 1 there.
        line |= {"replies": replies, "tokens": entry["completions/mean_length"], "reward": (entry["reward"] - 1) / 4}
        line |= {"kl": entry["kl"], "without_verdict": reward.missing}
    print(json.dumps(stamps.lines))


if __name__ == "__main__":
    main()
