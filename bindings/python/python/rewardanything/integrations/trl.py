"""Reward functions for TRL's trainers (GRPO, RLOO, online DPO; sync or async).

    trainer = GRPOTrainer(
        model=...,
        reward_funcs=reward_function("Prefer the answer that cites its sources."),
        ...
    )

TRL repeats each prompt `num_generations` times in a row and calls the function with what one process holds; equal
prompts in a row are judged together, a group that was cut between two processes as two. A column `principle` of the
data set comes before the principle given here. `trl grpo --reward_funcs rewardanything.integrations.trl.reward` needs
that column.

Completions without a verdict get None, which TRL leaves out of the reward, unless `missing` says otherwise.
"""

from __future__ import annotations

from typing import Any, Sequence

from ..groups import Kind, Options, Work, ask, options

__all__ = ["AsyncRewardFunction", "RewardFunction", "async_reward_function", "reward", "reward_function"]


class _Named:
    """What both functions are made of. They can be pickled, as TRL's asynchronous trainers want it."""

    def __init__(self, principle: str | None, settings: Options, name: str) -> None:
        self.principle = principle
        self.options = settings
        self.__name__ = name

    def _work(self, prompts: Sequence[Any], completions: Sequence[Any], columns: dict[str, Any]) -> Work:
        principle = columns.get("principle", self.principle)
        if principle is None:
            raise ValueError("principle: expected one, given here or as a column of the data set")
        return Work.of(prompts, completions, principle, self.options)

    def _rewards(self, work: Work, results: list[Any], columns: dict[str, Any]) -> list[float | None]:
        samples = work.samples(results)
        log = columns.get("log_metric")
        if log is not None:
            log(f"{self.__name__}/without_verdict", sum(one.failure is not None for one in samples) / max(1, len(samples)))
        return [one.value for one in samples]


class RewardFunction(_Named):
    """A reward function of TRL; `reward_function` makes one."""

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        work = self._work(prompts, completions, columns)
        results = self.options.judging().judge_batch(work.requests, errors="return")
        return self._rewards(work, results, columns)


class AsyncRewardFunction(_Named):
    """An asynchronous one; `async_reward_function` makes one."""

    async def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        work = self._work(prompts, completions, columns)
        return self._rewards(work, await ask(self.options.judging(), work.requests), columns)


def reward_function(
    principle: str | None = None,
    *,
    judge: Any = None,
    reward: Kind = "soft",
    missing: float | None = None,
    limit: int | None = None,
    anchors: int = 2,
    name: str = "rewardanything",
) -> RewardFunction:
    """A reward function; the arguments are those of `rewardanything.group_rewards`, and the name that TRL logs.

    >>> function = reward_function("The shorter, the better.", reward="rank")
    >>> function(prompts=["Capital of France?"] * 2, completions=["Paris.", "It is Paris, of course."])
    [1.0, 0.0]
    """
    return RewardFunction(principle, options(judge, reward, missing, limit, anchors), name)


def async_reward_function(
    principle: str | None = None,
    *,
    judge: Any = None,
    reward: Kind = "soft",
    missing: float | None = None,
    limit: int | None = None,
    anchors: int = 2,
    name: str = "rewardanything",
) -> AsyncRewardFunction:
    """As `reward_function`; TRL then awaits it beside other asynchronous ones. It takes an `AsyncClient` too."""
    return AsyncRewardFunction(principle, options(judge, reward, missing, limit, anchors), name)


def reward(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
    """Soft scores of the judge inside, by the column `principle`: for command lines that name a function."""
    return reward_function()(prompts, completions, **columns)
