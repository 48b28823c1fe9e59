"""How well predicted scores agree with gold ones. Lists and arrays of one dimension are taken alike."""

from __future__ import annotations

from typing import Iterable, NamedTuple, SupportsFloat

from . import _rewardanything as _native

__all__ = ["PairCounts", "bootstrap_interval", "kendall_tau_b", "ndcg", "pairwise", "score_variance"]


class PairCounts(NamedTuple):
    """Pairs of responses whose gold differs: in its order, predicted equal, and the other way round or not predicted."""

    correct: int
    tied: int
    wrong: int

    @property
    def accuracy(self) -> float | None:
        """From 0 to 1, a tie counting half; None without a pair."""
        total = sum(self)
        return (self.correct + self.tied / 2) / total if total else None


def pairwise(predicted: Iterable[SupportsFloat | None], gold: Iterable[SupportsFloat]) -> PairCounts:
    """Counts pairs; None and NaN stand for no prediction.

    >>> pairwise([4, 4, 1], [5, 3, 3]).accuracy
    0.75
    """
    return PairCounts(*_native.pairwise(predicted, gold))


def kendall_tau_b(a: Iterable[SupportsFloat], b: Iterable[SupportsFloat]) -> float | None:
    """Kendall's τ_b (1945), from -1 to 1; None where it is undefined: a constant side, fewer than 2 values, a NaN.

    >>> round(kendall_tau_b([1, 2, 3], [1, 3, 2]), 4)
    0.3333
    """
    return _native.kendall_tau_b(a, b)


def ndcg(predicted: Iterable[SupportsFloat], gold: Iterable[SupportsFloat]) -> float | None:
    """Normalised discounted cumulative gain with gain `2^s - 1`, responses of equal prediction sharing theirs; from 0 to
    1, None without gain.

    >>> round(ndcg([3, 5], [4, 1]), 4)
    0.6694
    """
    return _native.ndcg(predicted, gold)


def score_variance(scores: Iterable[SupportsFloat]) -> float | None:
    """The population variance of scores; None of none.

    >>> score_variance([1, 5])
    4.0
    """
    return _native.score_variance(scores)


def bootstrap_interval(
    numerators: Iterable[SupportsFloat],
    denominators: Iterable[SupportsFloat],
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """A 95% percentile interval of sum over sum, items drawn with replacement; the same seed, the same interval.

    >>> low, high = bootstrap_interval([1, 0, 1, 1], [1, 1, 1, 1])
    >>> low < 0.75 < high
    True
    """
    return _native.bootstrap_interval(numerators, denominators, resamples, seed)
