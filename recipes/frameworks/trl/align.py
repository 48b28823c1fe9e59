"""TRL's GRPOTrainer, with the verdicts of `rewardanything serve` as its only reward.

    accelerate launch --config_file recipes/frameworks/trl/accelerate.yaml recipes/frameworks/trl/align.py \
        --model Qwen/Qwen3-8B --data data --judge http://127.0.0.1:8000 --output runs/trl-qwen3-8b

`--dry-run` makes one step on a processor with a random model of two layers: the same data, function and settings, but for
`DRY_RUN`. It reads the tokenizer alone of --model.
"""

import argparse
import json
from pathlib import Path

import torch
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3Config
from trl import GRPOConfig, GRPOTrainer

from rewardanything import AsyncClient
from rewardanything.integrations.trl import async_reward_function

# Of four processes each holds 64 replies of a step: eight whole groups, so that none is cut in two.
SETTINGS = dict(
    num_train_epochs=1,
    per_device_train_batch_size=8,
    gradient_accumulation_steps=8,
    num_generations=8,
    max_completion_length=1024,
    temperature=1.0,
    num_iterations=1,
    beta=0.02,
    epsilon=0.2,
    epsilon_high=0.28,
    loss_type="dapo",
    scale_rewards="group",
    learning_rate=1e-6,
    lr_scheduler_type="constant_with_warmup",
    warmup_steps=5,
    max_grad_norm=1.0,
    bf16=True,
    gradient_checkpointing=True,
    model_init_kwargs={"dtype": "bfloat16"},
    chat_template_kwargs={"enable_thinking": False},
    use_vllm=True,
    vllm_mode="colocate",
    vllm_gpu_memory_utilization=0.3,
    vllm_max_model_length=2048,
    vllm_enable_sleep_mode=True,
    logging_steps=1,
    log_completions=False,
    save_steps=20,
    save_only_model=True,
    report_to="none",
    seed=0,
)

DRY_RUN = dict(
    use_cpu=True, bf16=False, use_vllm=False, vllm_enable_sleep_mode=False, gradient_checkpointing=False,
    model_init_kwargs={"dtype": "float32"}, per_device_train_batch_size=16, gradient_accumulation_steps=1, max_completion_length=16,
    max_steps=1, save_strategy="no",
)


def tiny(tokenizer, folder):
    """A random model that reads this tokenizer, in a folder: the trainer loads it twice, to train and to refer to."""
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return str(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="Qwen/Qwen3-8B")
    parser.add_argument("--data", type=Path, default=Path("data"), help="the folder that prepare.py made")
    parser.add_argument("--judge", default="http://127.0.0.1:8000", help="where `rewardanything serve` listens")
    parser.add_argument("--output", default="runs/trl-qwen3-8b")
    parser.add_argument("--dry-run", action="store_true")
    arguments = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    data = load_dataset("json", data_files=str(arguments.data / "train.jsonl"), split="train")
    # The principle is a column of the data, so rows may have different ones. A group without a verdict has no reward: TRL
    # leaves it out, and logs the share as `judge/without_verdict`.
    reward = async_reward_function(judge=AsyncClient(arguments.judge, timeout=300), reward="soft", name="judge")
    trainer = GRPOTrainer(
        model=tiny(tokenizer, Path(arguments.output) / "tiny") if arguments.dry_run else arguments.model,
        processing_class=tokenizer,
        reward_funcs=reward,
        args=GRPOConfig(output_dir=arguments.output, **(SETTINGS | DRY_RUN if arguments.dry_run else SETTINGS)),
        train_dataset=data.select_columns(["prompt", "principle"]),
    )
    trainer.train()
    if arguments.dry_run:
        print(json.dumps([entry for entry in trainer.state.log_history if "reward" in entry]))
        return
    trainer.save_model(arguments.output)


if __name__ == "__main__":
    main()
