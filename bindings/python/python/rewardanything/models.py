"""What is asked and what is answered."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Mapping, NamedTuple, Sequence

__all__ = ["RewardRequest", "RewardResponse", "RewardResult", "Usage", "Votes"]


class Usage(NamedTuple):
    """Tokens that the model read and wrote, over all runs."""

    prompt_tokens: int
    completion_tokens: int


class Votes(NamedTuple):
    """What several runs over one request had in common.

    `agreement` is the chance that two runs order two responses alike, `confidence` the share of runs that give the best
    response the highest score; both from 0 to 1, `None` where they are not defined.
    """

    asked: int
    answered: int
    agreement: float | None
    confidence: float | None


@dataclass
class RewardResult:
    """A verdict.

    >>> result = RewardResult("b is shorter", {"a": 2.0, "b": 5.0}, ["b", "a"])
    >>> result.ranking[0], result.soft_scores()
    ('b', [2.0, 5.0])
    """

    reasoning: str
    """Why, in the judge's words, with your names in it. May be empty."""
    scores: dict[str, float]
    """From 1 to 5, by the response's name, in the order of the request."""
    ranking: list[str]
    """Names, best first; it also orders equal scores."""
    raw_output: str | None = None
    """The model's reply as it came."""
    soft: dict[str, float] = field(default_factory=dict)
    """The mean of the probabilities behind each score, from 1 to 5, for those where they are known."""
    distributions: dict[str, list[float]] = field(default_factory=dict)
    """Those probabilities, of the scores 1 to 5; they sum to 1."""
    repairs: list[str] = field(default_factory=list)
    """What had to be mended to read the reply."""
    usage: Usage | None = None
    """Tokens read and written."""
    votes: Votes | None = None
    """Where the request was judged several times."""

    def soft_scores(self) -> list[float]:
        """One number for each response, in the order of the request: the soft score, or else the score as written."""
        return [float(self.soft.get(name, score)) for name, score in self.scores.items()]

    def __str__(self) -> str:
        return f"RewardResult(scores={self.scores}, ranking={self.ranking})"

    __repr__ = __str__


@dataclass
class RewardRequest:
    """One request; `judge_batch` takes these, mappings with the same keys, and triples.

    >>> RewardRequest("Be brief.", "Why?", {"a": "So."}).model_dump()["mask_responses"]
    True
    """

    principle: str
    prompt: str
    responses: Mapping[str, str] | Sequence[str]
    mask_responses: bool = True

    def model_dump(self) -> dict[str, Any]:
        """As a dictionary."""
        return asdict(self)

    dict = model_dump


@dataclass
class RewardResponse:
    """The form in which a server answers the published client."""

    thoughts: str
    results: dict[str, Any]
