"""`recipes/frameworks/verl/align.sh` as it stands, up to where verl would start its cluster.

The script starts this file in the place of `verl.trainer.main_ppo`. Verl's own entry then composes its configuration with
the script's settings and validates it; in the place of the cluster its parts are made of that configuration: the classes
behind each section, the data set, the reward manager, and eight samples of a prompt go through it to a real server.
Nothing is trained: rollouts of this version need a GPU.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from scale import RECIPES, ROOT, record, scene

SCRIPT = RECIPES / "verl/align.sh"


def overrides(words):
    """The keys that a command line sets."""
    return {word.lstrip("+").split("=", 1)[0] for word in words if "=" in word}


def samples(config, tokenizer, row):
    """A batch as verl's agent loop leaves it: replies of growing length to one row, under one uid."""
    import numpy
    import torch
    from verl import DataProto

    n, width, texts = config.actor_rollout_ref.rollout.n, 64, []
    for place in range(n):
        texts.append("It is so because it is." + " Indeed it is." * place)
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"][:width] for text in texts]

    def objects(values):
        made = numpy.empty(len(values), dtype=object)
        made[:] = values
        return made

    rows = {key: objects([row[key]] * n) for key in ("raw_prompt", "data_source", "reward_model", "extra_info")}
    return DataProto.from_dict(
        tensors={
            "prompts": torch.zeros(n, 4, dtype=torch.long),
            "responses": torch.tensor([one + [tokenizer.pad_token_id] * (width - len(one)) for one in ids]),
            "attention_mask": torch.tensor([[1] * (4 + len(one)) + [0] * (width - len(one)) for one in ids]),
        },
        non_tensors=rows | {"uid": objects(["first"] * n), "session_id": objects(list(range(n)))},
    )


def instead_of_a_cluster(config, *_, **__):
    from omegaconf import OmegaConf
    from verl.trainer.main_ppo import need_critic, need_reference_policy
    from verl.trainer.ppo.reward import load_reward_manager
    from verl.utils import hf_tokenizer
    from verl.utils.config import omega_conf_to_dataclass
    from verl.utils.dataset.rl_dataset import RLHFDataset

    OmegaConf.resolve(config)
    assert not need_critic(config) and need_reference_policy(config)
    parts = config.actor_rollout_ref
    for section in (parts.actor, parts.rollout, parts.model, config.algorithm):
        omega_conf_to_dataclass(section)
    tokenizer = hf_tokenizer(parts.model.path)
    data = RLHFDataset(config.data.train_files, tokenizer, config.data)
    assert len(data) == 32, len(data)
    row = data[0]
    assert [turn["role"] for turn in row["raw_prompt"]] == ["user"] and row["extra_info"]["principle"], row

    async def judged():
        manager = load_reward_manager(config, tokenizer, reward_router_address=None, reward_model_tokenizer=None)
        batch = samples(config, tokenizer, row)
        return await asyncio.gather(*(manager.run_single(batch[place : place + 1]) for place in range(len(batch))))

    answers = asyncio.run(judged())
    rewards = [answer["reward_score"] for answer in answers]
    told = [answer["reward_extra_info"] for answer in answers]
    assert all(one["judge_siblings"] == 8 and one["judge_failed"] == 0 for one in told), told
    assert rewards[0] > rewards[-1] and 1 <= min(rewards) and max(rewards) <= 5, rewards
    print("verl: configuration validated, one group of eight judged:", *(f"{reward:.2f}" for reward in rewards))
    record("verl", "verl", overrides(sys.argv[1:]))


def main():
    if os.environ.get("MODULE"):
        from verl.trainer import main_ppo

        main_ppo.run_ppo = instead_of_a_cluster
        return main_ppo.main()
    with scene() as (folder, url):
        env = os.environ | {
            "PYTHON": sys.executable, "MODULE": Path(__file__).stem, "MODEL": str(folder / "policy"), "DATA": str(folder / "data"),
            "JUDGE_URL": url, "OUTPUT": str(folder / "out"),
            "PYTHONPATH": f"{ROOT / 'tools/frameworks'}:{ROOT / 'bindings/python/python'}",
        }
        subprocess.run([SCRIPT, f"hydra.run.dir={folder}/hydra"], env=env, check=True)


if __name__ == "__main__":
    sys.exit(main())
