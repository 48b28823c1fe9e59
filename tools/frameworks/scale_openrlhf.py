"""`recipes/frameworks/openrlhf/align.sh` as it stands, up to where OpenRLHF would start its engines.

The script starts this file in the place of `openrlhf.cli.train_ppo_ray`. OpenRLHF's own entry then reads the flags and
checks them; once it has made its strategy of them, its data set is read with them and its executor sends eight samples of a
prompt to a real server by the URL. Nothing is trained: its engines need GPUs. The compiled part of flash-attn, which needs
one too, is an empty module here; nothing calls it.
"""

import asyncio
import importlib.machinery
import os
import runpy
import subprocess
import sys
import types
from pathlib import Path
from types import SimpleNamespace

from scale import RECIPES, ROOT, record, scene

SCRIPT = RECIPES / "openrlhf/align.sh"


class Enough(Exception):
    """All that needs no GPU was done."""


def advantages(args, strategy, outputs):
    """What the trainer makes of its executor's answers: experiences, and advantages within the group."""
    import torch
    from openrlhf.trainer.ppo_utils.experience_maker import RemoteExperienceMaker
    from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator

    made = [SamplesGenerator._process_response_into_experience(None, output, max_len=args.data.max_len) for output in outputs]
    for place, experience in enumerate(made):
        experience.index, experience.kl = [place], torch.zeros_like(experience.action_mask, dtype=torch.float32)
    rewards = torch.cat([experience.rewards for experience in made]).flatten()
    told = {name: [experience.info[name].item() for experience in made] for name in ("judge_siblings", "judge_failed")}
    assert told == {"judge_siblings": [8.0] * 8, "judge_failed": [0.0] * 8}, told
    assert rewards[0] > rewards[-1] and 0 <= rewards.min() and rewards.max() <= 1, rewards
    maker = object.__new__(RemoteExperienceMaker)
    maker.strategy, maker.advantage_estimator = strategy, args.algo.advantage.estimator
    maker.kl_ctl = SimpleNamespace(value=args.algo.kl.init_coef)
    found = [experience.advantages.flatten()[-1].item() for experience in maker.compute_advantages_and_returns(made)]
    wanted = (rewards - rewards.mean()) / rewards.std()
    assert torch.allclose(torch.tensor(found), wanted, atol=1e-4), (found, wanted)
    return rewards.tolist()


def checked(args, strategy):
    from openrlhf.datasets import PromptDataset
    from openrlhf.datasets.utils import blending_datasets
    from openrlhf.utils.agent import SingleTurnAgentExecutor
    from transformers import AutoTokenizer

    assert args.critic.model_name_or_path is None and args.reward.remote_url[0].endswith("/get_reward")
    tokenizer = AutoTokenizer.from_pretrained(args.actor.model_name_or_path)
    rows = blending_datasets(args.data.prompt_dataset, args.data.prompt_probs, strategy, args.train.seed, args.data.max_samples)
    data = PromptDataset(rows, tokenizer, strategy, input_template=args.data.input_template)
    assert len(data) == 32, len(data)
    _, prompt, label, _ = data[0]
    assert prompt.startswith("<|im_start|>user\nWhat is ") and prompt.endswith("</think>\n\n"), prompt
    left = iter("It is so because it is." + " Indeed it is." * place for place in range(args.rollout.n_samples_per_prompt))

    async def generate(ids, params, multi_modal_data=None):
        tokens = tokenizer(next(left), add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
        output = SimpleNamespace(token_ids=tokens, finish_reason="stop", logprobs=None)
        return SimpleNamespace(outputs=[output])

    async def rollouts():
        executor = SingleTurnAgentExecutor(args.reward.remote_url)
        params, engine = SimpleNamespace(max_tokens=args.rollout.max_new_tokens, logprobs=None), SimpleNamespace(generate=generate)
        calls = [
            executor.execute(prompt, label, params, args.data.max_len, tokenizer, engine)
            for _ in range(args.rollout.n_samples_per_prompt)
        ]
        return await asyncio.gather(*calls)

    rewards = advantages(args, strategy, asyncio.run(rollouts()))
    print("OpenRLHF: flags checked, one group of eight judged:", *(f"{reward:.2f}" for reward in rewards))
    record("openrlhf", "openrlhf", {word for word in sys.argv[1:] if word.startswith("--")})


def entry():
    compiled = types.ModuleType("flash_attn_2_cuda")
    compiled.__spec__ = importlib.machinery.ModuleSpec(compiled.__name__, None)
    sys.modules[compiled.__name__] = compiled
    import openrlhf.utils
    import ray

    make = openrlhf.utils.get_strategy

    def made(args):
        checked(args, make(args))
        raise Enough

    openrlhf.utils.get_strategy = made
    # It would start a cluster before the strategy.
    ray.is_initialized = lambda: True
    try:
        runpy.run_module("openrlhf.cli.train_ppo_ray", run_name="__main__")
    except Enough:
        return 0
    return 1


def main():
    if os.environ.get("MODULE"):
        return entry()
    with scene() as (folder, url):
        env = os.environ | {
            "PYTHON": sys.executable, "MODULE": Path(__file__).stem, "MODEL": str(folder / "policy"), "DATA": str(folder / "data"),
            "JUDGE_URL": url, "OUTPUT": str(folder / "out"),
            "PYTHONPATH": f"{ROOT / 'tools/frameworks'}:{ROOT / 'bindings/python/python'}",
        }
        subprocess.run([SCRIPT], env=env, check=True)


if __name__ == "__main__":
    sys.exit(main())
