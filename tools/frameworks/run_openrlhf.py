"""OpenRLHF's own executor, with the function of this package in a file as its flag takes it.

What it checks: rollouts of a prompt that end side by side are judged together, each gets its own reward, and the executor
keeps what is logged. What generates is a stand-in that writes given tokens.
"""

import asyncio
import pathlib
import sys
import tempfile
from types import SimpleNamespace

from openrlhf.utils.agent import SingleTurnAgentExecutor
from transformers import AutoTokenizer

ROOT = pathlib.Path(__file__).parents[2]
FILE = """
from rewardanything.integrations.openrlhf import reward_function

reward_func = reward_function("The shorter the answer, the better.", n=3, wait=20, reward="rank")
"""
TEXTS = ["Paris.", "The capital of France is the old and famous city of Paris.", "It is the city of Paris."]


def main():
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "models/nano")
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of France?"}], tokenize=False, add_generation_prompt=True
    )
    left = iter(TEXTS)

    async def generate(ids, params, multi_modal_data=None):
        tokens = tokenizer(next(left), add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
        return SimpleNamespace(outputs=[SimpleNamespace(token_ids=tokens, finish_reason="stop", logprobs=None)])

    async def rollouts(executor):
        params, engine = SimpleNamespace(max_tokens=64, logprobs=None), SimpleNamespace(generate=generate)
        calls = [executor.execute(prompt, None, params, 512, tokenizer, engine) for _ in TEXTS]
        return await asyncio.gather(*calls)

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "reward.py"
        path.write_text(FILE)
        outputs = asyncio.run(rollouts(SingleTurnAgentExecutor(str(path))))
    rewards = [output["reward"].item() for output in outputs]
    assert rewards == [1.0, 0.0, 0.5], rewards
    assert [output["scores"].item() for output in outputs][0] == max(output["scores"].item() for output in outputs)
    assert all(0 <= output["scores"].item() <= 1 for output in outputs)
    assert [output["extra_logs"]["judge_siblings"].item() for output in outputs] == [3.0] * 3
    print("OpenRLHF: three rollouts of a prompt, judged together:", rewards)


if __name__ == "__main__":
    sys.exit(main())
