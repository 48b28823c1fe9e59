"""Rewards for training a policy: samples of one prompt are judged together, since a judge compares."""

from __future__ import annotations

from itertools import groupby
from typing import Any, Literal, NamedTuple, Sequence

from . import _rewardanything as _native
from ._errors import NoVerdict
from ._judge import loaded
from .models import RewardRequest, RewardResult

__all__ = ["NEUTRAL", "Group", "Kind", "Reward", "Verdict", "group_rewards", "group_rewards_async"]

Kind = Literal["soft", "score", "rank", "zscore"]

NEUTRAL: dict[str, float] = {"soft": 3.0, "score": 3.0, "rank": 0.5, "zscore": 0.0}
"""The middle of each kind of reward: what stands for a missing verdict where a framework takes no None."""

# Where nobody says how many responses a judge takes at once: as many as the judge inside does.
_LIMIT = 8


class Group(NamedTuple):
    """Samples to be judged together."""

    principle: str
    prompt: str
    texts: list[str]


class Verdict(NamedTuple):
    """What a group got, by place: scores as written and soft ones, from 1 to 5, and ranks from 0 for the best. All are
    None for members without a verdict; `failure` then says why."""

    scores: list[float | None]
    soft: list[float | None]
    ranks: list[int | None]
    failure: str | None


class Reward(NamedTuple):
    """What one sample got among its siblings."""

    value: float | None
    score: float | None
    rank: int | None
    siblings: int
    failure: str | None


def group_rewards(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    principle: str | Sequence[str],
    *,
    judge: Any = None,
    reward: Kind = "soft",
    missing: float | None = None,
    limit: int | None = None,
    anchors: int = 2,
) -> list[float | None]:
    """One reward for each completion, judged among those that stand beside it and have the same prompt.

    >>> prompts = ["Capital of France?"] * 2 + ["Capital of Spain?"] * 2
    >>> completions = ["Paris.", "It is Paris, of course.", "Well, it is Madrid.", "Madrid."]
    >>> group_rewards(prompts, completions, "The shorter, the better.", reward="rank")
    [1.0, 0.0, 0.0, 1.0]

    Args:
        prompts: `[n]` texts or conversations (lists of messages). Equal ones in a row are one group, of any length: a
            group that was cut is two groups.
        completions: `[n]` texts or conversations, of which the assistant's words count.
        principle: one for all, or `[n]`, one for each; samples are grouped by it too.
        judge: a `Judge`, a `Client`, or the model of a `Judge`; by default the judge inside this package.
        reward: ``"soft"``, the mean of the probabilities behind the score, or the score where they are not known; or
            ``"score"`` as written, both from 1 to 5; ``"rank"``, from 1 for the best evenly down to 0 for the last, 0.5
            for one alone; ``"zscore"``, the soft score less the group's mean over its standard deviation, 0 where all
            are equal.
        missing: what a sample without a verdict gets. None says that there is none; `NEUTRAL` has a number for each
            kind. It is never 0 by default: a 0 would look like a verdict.
        limit: how many responses the judge takes at once; a larger group is cut into parts that share `anchors` members,
            and their scores are brought onto one scale.

    Raises:
        ValueError, TypeError: the message begins with the argument.
    """
    work = Work.of(prompts, completions, principle, _options(judge, reward, missing, limit, anchors))
    return work.rewards(work.options.judging().judge_batch(work.requests, errors="return"))


async def group_rewards_async(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    principle: str | Sequence[str],
    *,
    judge: Any = None,
    reward: Kind = "soft",
    missing: float | None = None,
    limit: int | None = None,
    anchors: int = 2,
) -> list[float | None]:
    """As `group_rewards`; takes an `AsyncClient` too."""
    work = Work.of(prompts, completions, principle, _options(judge, reward, missing, limit, anchors))
    return work.rewards(await ask(work.options.judging(), work.requests))


class Options(NamedTuple):
    """How groups are judged and rewarded; picklable, as processes of frameworks want it."""

    judge: Any
    reward: str
    missing: float | None
    limit: int | None
    anchors: int

    def judging(self) -> Any:
        """The judge itself."""
        if self.judge is None:
            return loaded()
        if isinstance(self.judge, str) or hasattr(self.judge, "__fspath__"):
            return loaded(self.judge)
        return getattr(self.judge, "judging", self.judge)

    def at_most(self) -> int:
        """How many responses it takes at once."""
        return self.limit or int(getattr(self.judging(), "max_responses", _LIMIT))


def _options(judge: Any, reward: str, missing: float | None, limit: int | None, anchors: int) -> Options:
    if reward not in NEUTRAL:
        raise ValueError(f"reward: expected one of {', '.join(NEUTRAL)}, got {reward!r}")
    if limit is not None and limit < 1:
        raise ValueError(f"limit: expected at least 1, got {limit}")
    if anchors < 0:
        raise ValueError(f"anchors: expected 0 or more, got {anchors}")
    if missing is not None and not isinstance(missing, (int, float)):
        raise TypeError(f"missing: expected a number or None, got {missing!r}")
    return Options(judge, reward, missing, limit, anchors)


# For the adapters beside this module, which take the same arguments.
options = _options


async def ask(judging: Any, requests: list[RewardRequest]) -> list[Any]:
    """Requests of any kind of judge, awaited."""
    import asyncio
    import inspect

    if inspect.iscoroutinefunction(judging.judge_batch):
        return list(await judging.judge_batch(requests, errors="return"))
    return await asyncio.to_thread(judging.judge_batch, requests, errors="return")


class Work:
    """Groups on their way to a judge: what to ask, and what to make of the answers."""

    def __init__(self, groups: list[Group], options: Options) -> None:
        self.groups = groups
        self.options = options
        limit = options.at_most()
        self.parts = [_native.plan(len(group.texts), limit, options.anchors) for group in groups]
        self.requests = [
            RewardRequest(group.principle, group.prompt, [group.texts[member] for member in part])
            for group, parts in zip(groups, self.parts)
            for part in parts
        ]

    @classmethod
    def of(cls, prompts: Any, completions: Any, principle: Any, options: Options) -> Work:
        """Samples in a row, grouped."""
        prompts, completions = list(prompts), list(completions)
        if len(prompts) != len(completions):
            raise ValueError(f"completions: expected {len(prompts)}, one for each prompt, got {len(completions)}")
        principles = [principle] * len(prompts) if isinstance(principle, str) else list(principle)
        if len(principles) != len(prompts):
            raise ValueError(f"principle: expected {len(prompts)}, one for each prompt, got {len(principles)}")
        for index, one in enumerate(principles):
            if not isinstance(one, str) or not one.strip():
                raise ValueError(f"principle[{index}]: expected a text, got {one!r:.60}")
        texts = [completion_text(completion, f"completions[{index}]") for index, completion in enumerate(completions)]
        asked = [prompt_text(prompt, f"prompts[{index}]") for index, prompt in enumerate(prompts)]
        groups = []
        for (principle, prompt), members in groupby(zip(principles, asked, texts), key=lambda sample: sample[:2]):
            groups.append(Group(principle, prompt, [text for *_, text in members]))
        return cls(groups, options)

    def verdicts(self, results: list[Any]) -> list[Verdict]:
        """What became of each group."""
        left = iter(results)
        return [
            _joined(len(group.texts), parts, [next(left) for _ in parts])
            for group, parts in zip(self.groups, self.parts)
        ]

    def samples(self, results: list[Any]) -> list[Reward]:
        """What became of each sample, in the order of the samples."""
        return [
            reward
            for verdict in self.verdicts(results)
            for reward in rewarded(verdict, self.options.reward, self.options.missing)
        ]

    def rewards(self, results: list[Any]) -> list[float | None]:
        """The rewards alone."""
        return [reward.value for reward in self.samples(results)]


def _joined(n: int, parts: list[list[int]], results: list[RewardResult | NoVerdict]) -> Verdict:
    """One verdict for a group out of those of its parts."""
    failures = [str(result) for result in results if isinstance(result, NoVerdict)]
    good = [result if isinstance(result, RewardResult) else None for result in results]
    failure = failures[0] if failures else None
    if len(parts) == 1:
        only = good[0]
        if only is None:
            return Verdict([None] * n, [None] * n, [None] * n, failure)
        place = {name: rank for rank, name in enumerate(only.ranking)}
        ranks: list[int | None] = [place.get(name) for name in only.scores]
        return Verdict(list(only.scores.values()), list(only.soft_scores()), ranks, failure)
    scores = _native.merge(n, parts, [list(result.scores.values()) if result else None for result in good])
    soft = _native.merge(n, parts, [result.soft_scores() if result else None for result in good])
    known = [member for member in range(n) if soft[member] is not None]
    # Equal ones in the order in which they were given: there is no ranking over parts.
    order = sorted(known, key=lambda member: -(soft[member] or 0.0))
    ranked = {member: rank for rank, member in enumerate(order)}
    return Verdict(scores, soft, [ranked.get(member) for member in range(n)], failure)


def rewarded(verdict: Verdict, kind: str, missing: float | None) -> list[Reward]:
    """A reward for each member of a group."""
    n = len(verdict.scores)
    values = _values(verdict, kind)
    return [
        Reward(
            missing if value is None else value,
            verdict.scores[member],
            verdict.ranks[member],
            n,
            verdict.failure if value is None else None,
        )
        for member, value in enumerate(values)
    ]


def _values(verdict: Verdict, kind: str) -> list[float | None]:
    if kind == "score":
        return [None if score is None else float(score) for score in verdict.scores]
    if kind == "soft":
        return verdict.soft
    if kind == "rank":
        last = sum(rank is not None for rank in verdict.ranks) - 1
        return [None if rank is None else (1 - rank / last if last else 0.5) for rank in verdict.ranks]
    known = [score for score in verdict.soft if score is not None]
    if not known:
        return [None] * len(verdict.soft)
    mean = sum(known) / len(known)
    deviation = (sum((score - mean) ** 2 for score in known) / len(known)) ** 0.5
    # Sums of equal numbers may be off by a rounding error, which is no difference.
    flat = deviation < 1e-9
    return [None if score is None else (0.0 if flat else (score - mean) / deviation) for score in verdict.soft]


def _content(content: Any, field: str) -> str:
    """What a message says: a text, or parts of which some are texts."""
    if isinstance(content, str):
        return str(content)
    if content is None:
        return ""
    if isinstance(content, Sequence):
        return "".join(str(part.get("text", "")) for part in content if part.get("type", "text") == "text")
    raise TypeError(f"{field}: expected a text, got {content!r:.60}")


def _is_conversation(value: Any) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, str)


def prompt_text(prompt: Any, field: str = "prompt") -> str:
    """A prompt as a judge reads it: a text, or a conversation, several turns of which are told as such."""
    if isinstance(prompt, str):
        return str(prompt)
    if not _is_conversation(prompt):
        raise TypeError(f"{field}: expected a text or a list of messages, got {prompt!r:.60}")
    turns = [(str(turn["role"]), _content(turn.get("content"), f"{field}.content")) for turn in prompt]
    # Results of tools are part of what was said to the model.
    return _native.conversation([("user" if role == "tool" else role, content) for role, content in turns])


def completion_text(completion: Any, field: str = "completion") -> str:
    """A completion as a judge reads it: a text, or what the assistant says in a conversation."""
    if isinstance(completion, str):
        return str(completion)
    if not _is_conversation(completion):
        raise TypeError(f"{field}: expected a text or a list of messages, got {completion!r:.60}")
    said = [_content(turn.get("content"), f"{field}.content") for turn in completion if turn["role"] == "assistant"]
    return "\n\n".join(text for text in said if text)
