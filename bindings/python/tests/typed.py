"""A program as a user with a type checker writes one: mypy reads it, strictly, and a test runs it."""

from __future__ import annotations

import asyncio

import rewardanything
from rewardanything import Judge, NoVerdict, RewardRequest, RewardResult, group_rewards, metrics, rewards
from rewardanything.integrations.trl import reward_function

PRINCIPLE = "The shorter the answer, the better."
RESPONSES = {"long": "It is the old and famous city of Paris, on the Seine.", "brief": "Paris."}


def best(result: RewardResult) -> str:
    return result.ranking[0]


async def awaited(judge: Judge) -> RewardResult:
    return await judge.judge_async(PRINCIPLE, "Capital of France?", RESPONSES)


def main() -> list[str]:
    judge = Judge("nano", decoding="branches", threads=1)
    requests = [RewardRequest(PRINCIPLE, "Capital of France?", RESPONSES)]
    whole: list[RewardResult] = judge.judge_batch(requests)
    names = [best(result) for result in whole]
    for either in judge.judge_batch(requests, errors="return"):
        names.append(either.kind if isinstance(either, NoVerdict) else best(either))
    names.append(best(asyncio.run(awaited(judge))))
    model = rewardanything.from_pretrained("nano", device="cpu")
    names.append(best(model.judge(PRINCIPLE, "Capital of France?", RESPONSES)))
    given: list[float | None] = group_rewards(["Why?"] * 2, list(RESPONSES.values()), PRINCIPLE, reward="rank")
    assert given == [0.0, 1.0]
    function = reward_function(PRINCIPLE, reward="rank")
    assert function(prompts=["Why?"] * 2, completions=list(RESPONSES.values())) == given
    tau = metrics.kendall_tau_b([1, 2, 3], [1, 3, 2])
    assert tau is not None and round(tau, 4) == 0.3333
    reply = '<think>\nThe first is shorter.\n</think>\n{"scores": {"model-1": 5}, "best-to-worst": ["model-1"]}'
    earned: float = rewards.grpl_reward(reply, [5.0])["total"]
    assert earned > 0
    return names


if __name__ == "__main__":
    print(main())
