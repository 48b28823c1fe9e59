"""verl's own loading and calling code: its managers are made from its configuration, and given its batches.

What it checks: the manager of this package is found by its path, groups by verl's uid, and gives what verl reads; the
function is called by verl's own manager. Nothing is trained, and no cluster is started.
"""

import asyncio
import pathlib
import sys

import numpy
import torch
from omegaconf import OmegaConf
from transformers import AutoTokenizer
from verl import DataProto
from verl.trainer.ppo.reward import load_reward_manager

ROOT = pathlib.Path(__file__).parents[2]
PRINCIPLE = "The shorter the answer, the better."
TEXTS = ["Paris.", "The capital of France is the old and famous city of Paris.", "It is, of course, the city of Paris.", "Paris!"]
MODULE = "pkg://rewardanything.integrations.verl"


def configuration(manager, function):
    return OmegaConf.create({
        "reward": {
            "reward_manager": manager,
            "custom_reward_function": {"reward_kwargs": {"principle": PRINCIPLE, "reward": "rank", "wait": 20, "n": 2}, **function},
            "sandbox_fusion": None,
        },
        "actor_rollout_ref": {"rollout": {"n": 2}},
    })


def batch(tokenizer):
    """Two uids with two sessions each, padded as verl pads."""
    width = 48
    responses, masks = [], []
    for text in TEXTS:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        responses.append(ids + [tokenizer.pad_token_id] * (width - len(ids)))
        masks.append([1] * 4 + [1] * len(ids) + [0] * (width - len(ids)))
    prompt = numpy.empty(len(TEXTS), dtype=object)
    prompt[:] = [[{"role": "user", "content": "What is the capital of France?"}]] * len(TEXTS)

    def objects(values):
        made = numpy.empty(len(values), dtype=object)
        made[:] = values
        return made

    return DataProto.from_dict(
        tensors={
            "prompts": torch.zeros(len(TEXTS), 4, dtype=torch.long),
            "responses": torch.tensor(responses),
            "attention_mask": torch.tensor(masks),
        },
        non_tensors={
            "uid": objects(["a", "a", "b", "b"]),
            "session_id": objects([0, 1, 0, 1]),
            "raw_prompt": prompt,
            "data_source": objects(["ours"] * 4),
            "reward_model": objects([{"ground_truth": ""} for _ in TEXTS]),
            "extra_info": objects([{"question": "What is the capital of France?"} for _ in TEXTS]),
        },
    )


async def judged(config, tokenizer, data):
    manager = load_reward_manager(config, tokenizer, reward_router_address=None, reward_model_tokenizer=None)
    # As the reward loop's workers do: slices of one sample, all at once.
    tasks = [asyncio.create_task(manager.run_single(data[place : place + 1])) for place in range(len(data))]
    return manager, await asyncio.gather(*tasks)


def main():
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "models/nano")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    data = batch(tokenizer)
    ours = configuration(
        {"source": "importlib", "name": "RewardAnythingManager", "module": {"path": MODULE, "name": None}}, {"path": None, "name": None}
    )
    manager, answers = asyncio.run(judged(ours, tokenizer, data))
    from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase

    assert isinstance(manager, RewardManagerBase)
    assert [answer["reward_score"] for answer in answers] == [1.0, 0.0, 0.0, 1.0], answers
    assert {answer["reward_extra_info"]["judge_siblings"] for answer in answers} == {2.0}
    tensor = manager.assemble_rm_scores(data, [answer["reward_score"] for answer in answers])
    assert tensor.shape == data.batch["responses"].shape and tensor.sum() == 2
    naive = configuration({"source": "register", "name": "naive"}, {"path": MODULE, "name": "compute_score"})
    _, again = asyncio.run(judged(naive, tokenizer, data))
    # By prompt alone all four belong together, two at a time in the order in which they come.
    assert all(len(answer["reward_extra_info"]) == 5 for answer in again)
    assert {answer["reward_extra_info"]["judge_siblings"] for answer in again} == {2.0}, again
    assert sorted(answer["reward_score"] for answer in again) == [0.0, 0.0, 1.0, 1.0], again
    print("verl: the manager by uid and the function by prompt, four samples in two groups each")


if __name__ == "__main__":
    sys.exit(main())
