"""Two steps of TRL's own GRPOTrainer, on a processor, with a tiny random model and the judge inside this package.

What it checks: the trainer takes both kinds of reward functions, hands them whole groups, logs their rewards, and moves
the weights; a sample without a verdict is left out of the mean and not taken for 0.
"""

import math
import pathlib
import sys
import tempfile

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3Config
from trl import GRPOConfig, GRPOTrainer

from rewardanything import Judge, NoVerdict
from rewardanything.integrations import trl as rewards

ROOT = pathlib.Path(__file__).parents[2]
PRINCIPLE = "The shorter the answer, the better."
GENERATIONS = 4


class Watched:
    """The judge inside, which keeps what it was asked; of the first group of all it has no verdict."""

    def __init__(self):
        self.judge = Judge()
        self.max_responses = self.judge.max_responses
        self.groups = []

    def judge_batch(self, requests, errors):
        results = self.judge.judge_batch(requests, errors)
        if not self.groups:
            results[0] = NoVerdict("made_up", "as a test")
        self.groups += [len(request.responses) for request in requests]
        return results


def main():
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "models/nano")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, max_position_embeddings=512,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )
    model = AutoModelForCausalLM.from_config(config)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    prompts = ["What is the capital of France?", "Why is the sky blue?", "Who wrote Faust?", "What is 2 + 2?"]
    data = Dataset.from_dict({
        "prompt": [[{"role": "user", "content": prompt}] for prompt in prompts],
        "principle": [PRINCIPLE] * len(prompts),
    })
    watched = Watched()
    with tempfile.TemporaryDirectory() as folder:
        settings = GRPOConfig(
            output_dir=folder, max_steps=2, per_device_train_batch_size=2 * GENERATIONS, num_generations=GENERATIONS,
            max_completion_length=24, logging_steps=1, report_to=[], use_cpu=True, bf16=False, learning_rate=1e-3,
            save_strategy="no", temperature=1.0, seed=0, beta=0.0,
        )
        trainer = GRPOTrainer(
            model=model,
            processing_class=tokenizer,
            reward_funcs=[
                rewards.reward_function(PRINCIPLE, judge=watched, name="watched"),
                rewards.async_reward_function(reward="zscore", name="awaited"),
            ],
            args=settings,
            train_dataset=data,
        )
        trainer.train()
        logs = [entry for entry in trainer.state.log_history if "rewards/watched/mean" in entry]
    assert len(logs) == 2, trainer.state.log_history
    assert watched.groups == [GENERATIONS] * 4, watched.groups
    for entry in logs:
        assert 1 <= entry["rewards/watched/mean"] <= 5, entry
        assert abs(entry["rewards/awaited/mean"]) < 1e-4, "z-scores of whole groups sum to nothing"
        assert math.isfinite(entry["loss"]) and math.isfinite(entry["reward"]), entry
    assert logs[0]["watched/without_verdict"] == 0.5 and logs[1]["watched/without_verdict"] == 0.0, logs
    moved = [name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])]
    assert moved, "no weight moved"
    print(f"TRL: 2 steps, {len(moved)} of {len(before)} tensors moved;", *(f"{entry['rewards/watched/mean']:.3f}" for entry in logs))


if __name__ == "__main__":
    sys.exit(main())
