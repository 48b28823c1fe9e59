"""Rewards for OpenRLHF: the function of its `--reward.remote_url FILE.py`, or a URL of `rewardanything serve`.

A file for the flag:

    from rewardanything.integrations.openrlhf import reward_function
    reward_func = reward_function("Prefer the answer that cites its sources.", n=8)

OpenRLHF hands out one sample a call, those of a prompt side by side; `n` of them (its `n_samples_per_prompt`) are judged
together, or what came of them within `wait` seconds. Each call waits on a thread of its own, of which the process has
`min(32, processors + 4)`: where more samples than that are under way at a time, groups wait for members that cannot come,
and are judged short at the end of `wait` (`judge_siblings` tells). Take the URL then, and where several executors share a
group: its server puts them together.
"""

from __future__ import annotations

import os
from typing import Any, Sequence

from .. import _rewardanything as _native
from ..groups import NEUTRAL, Kind, options
from ._gather import Gatherer

__all__ = ["reward_function", "reward_url"]


def _tensor(values: list[Any]) -> Any:
    try:
        import torch  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return values
    return torch.tensor(values, dtype=torch.float32)


def reward_function(
    principle: str | None = None,
    *,
    n: int = 1,
    wait: float = 30.0,
    judge: Any = None,
    reward: Kind = "soft",
    missing: float | None = None,
    limit: int | None = None,
    anchors: int = 2,
) -> Any:
    """OpenRLHF's `reward_func(queries, prompts, labels)`.

    Args:
        principle: what counts; without one, `labels` are the principles.
        n: how many samples of a prompt are judged together.
        wait: seconds after which a group is judged with what came.
        missing: the reward of a sample without a verdict, by default the kind's neutral one: OpenRLHF takes no None.
            `judge_failed` in its logs is then 1.

    The others are those of `rewardanything.group_rewards`. What the function returns: `rewards`, `[b]` of the kind
    asked for; `scores`, `[b]` from 0 to 1, by which OpenRLHF filters; `extra_logs`, always the same numbers.
    """
    settings = options(judge, reward, NEUTRAL.get(reward) if missing is None else missing, limit, anchors)
    threads = min(32, (os.cpu_count() or 1) + 4)
    if n > threads:
        raise ValueError(f"n: this process has {threads} threads for calls, so {n} samples never meet: take reward_url")
    gatherer = Gatherer(settings, n, wait)

    def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any], **_: Any) -> dict[str, Any]:
        if not len(queries) == len(prompts) == len(labels):
            raise ValueError(
                f"queries, prompts, labels: expected as many of each, got {len(queries)}, {len(prompts)}, {len(labels)}"
            )
        waiting = []
        for index, (query, prompt, label) in enumerate(zip(queries, prompts, labels)):
            by = label if principle is None else principle
            if not isinstance(by, str) or not by.strip():
                raise ValueError(f"labels[{index}]: expected a principle, since none was given, got {by!r:.60}")
            asked, text = _native.prompt_of(prompt), _native.response_of(query, prompt)
            waiting.append(gatherer.submit(None, None, by, asked, text))
        rewards = [future.result() for future in waiting]
        scores = [3.0 if one.score is None else one.score for one in rewards]
        return {
            "rewards": _tensor([one.value for one in rewards]),
            "scores": _tensor([(score - 1) / 4 for score in scores]),
            "extra_logs": {
                "judge_score": _tensor(scores),
                "judge_rank": _tensor([float(one.rank or 0) for one in rewards]),
                "judge_siblings": _tensor([float(one.siblings) for one in rewards]),
                "judge_failed": _tensor([float(one.failure is not None) for one in rewards]),
            },
        }

    return reward_func


def reward_url(
    base_url: str, principle: str, n: int = 1, *, scale: str = "unit", route: str = "/get_reward"
) -> str:
    """The URL for `--reward.remote_url`, without a comma: OpenRLHF splits there.

    >>> reward_url("http://judge:8000", "Correct first, then brief.", n=8)
    'http://judge:8000/get_reward?principle=Correct%20first%2C%20then%20brief.&n=8&scale=unit'

    Args:
        principle: a text, or the id of one in the server's library.
        n: how many samples of a prompt are judged together.
        scale: of rewards: ``"unit"`` from 0 to 1, ``"raw"`` from 1 to 5.
    """
    from urllib.parse import quote

    if scale not in ("unit", "raw"):
        raise ValueError(f'scale: expected "unit" or "raw", got {scale!r}')
    if n < 1:
        raise ValueError(f"n: expected at least 1, got {n}")
    return f"{base_url.rstrip('/')}{route}?principle={quote(principle, safe='')}&n={n}&scale={scale}"
