"""Rewards for training a judge by its own replies: group relative preference learning (arXiv 2506.03637).

    total = 0.15 format + 0.85 accuracy

>>> reply = '<think>The first has fewer words, which is what counts here, so it wins.</think>' \\
...     '{"scores": {"model-1": 4, "model-2": 2}, "best-to-worst": ["model-1", "model-2"]}'
>>> round(grpl_reward(reply, [5, 2])["total"], 5)
0.93625
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping, SupportsFloat

from . import _rewardanything as _native

__all__ = ["accuracy_reward", "format_reward", "grpl_reward"]


def grpl_reward(
    reply: str,
    gold: Iterable[SupportsFloat],
    ranking: Iterable[int] | None = None,
    order: Iterable[int] | None = None,
    weights: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """The reward of a raw reply, and its parts.

    Args:
        reply: what the judge wrote, `[n]` responses shown as `model-1` to `model-n`.
        gold: the right score of each response, `[n]`, by index of the response; a list or an array.
        ranking: the right ranking, `[n]` indices, best first; by default the scores', equal ones by index.
        order: which response was shown at which place, `[n]` indices; by default in the order of `gold`.
        weights: of `format` (0.15) and `accuracy` (0.85), and inside accuracy of `pairs` (0.4), `distribution`,
            `near` and `rank` (0.2 each).

    Returns:
        `{"total", "format": {"thinking", "substantial", "json", "keys", "coverage", "consistency", "total"},
        "accuracy": {"pairs", "distribution", "near", "rank", "total"}}`, all from 0 to 1. `pairs` and `rank` are None
        for a single response.

    Raises:
        TypeError, ValueError: the message begins with the argument.
    """
    return _native.reward(reply, gold, ranking, order, None if weights is None else dict(weights))


def format_reward(reply: str, gold: Iterable[SupportsFloat], **kwargs: Any) -> float:
    """The format's part of `grpl_reward` alone, from 0 to 1.

    >>> format_reward("I can't say.", [5, 2])
    0.0
    """
    return float(grpl_reward(reply, gold, **kwargs)["format"]["total"])


def accuracy_reward(reply: str, gold: Iterable[SupportsFloat], **kwargs: Any) -> float:
    """The accuracy's part of `grpl_reward` alone, from 0 to 1.

    >>> accuracy_reward('{"scores": {"model-1": 5, "model-2": 2}}', [5, 2])
    1.0
    """
    return float(grpl_reward(reply, gold, **kwargs)["accuracy"]["total"])
