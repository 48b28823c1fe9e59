"""A judge in this process."""

from __future__ import annotations

import os
from typing import Any, Iterable, Literal, Mapping, Sequence, overload

from . import _rewardanything as _native
from ._errors import NoVerdict
from ._requests import Request, checked_errors, request, requests, settled
from .models import RewardResult, Usage, Votes

Responses = Mapping[str, str] | Sequence[str]


def _hub_cache() -> str | None:
    """Where models are that were fetched, under the names that other programs go by."""
    env = os.environ
    home = env.get("HF_HOME") or os.path.join(
        env.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache"), "huggingface"
    )
    return env.get("HF_HUB_CACHE") or os.path.join(home, "hub")


class Judge:
    """A model that judges, loaded once and used from any number of threads.

    >>> judge = Judge()
    >>> result = judge.judge(
    ...     "The shorter the answer, the better.",
    ...     "What is the capital of France?",
    ...     {"brief": "Paris.", "long": "The capital of France is the old and famous city of Paris, on the Seine."},
    ... )
    >>> result.ranking
    ['brief', 'long']

    Args:
        model: ``"nano"``, the judge inside this package; a folder in the Hugging Face layout or a GGUF file (Qwen3);
            ``http://HOST:PORT[,...]`` for OpenAI-compatible servers; or ``ORG/NAME`` of a model that is in the cache of
            the hub already. Nothing is ever downloaded.
        profile: how the model is spoken to: ``"rewardanything"``, ``"published"`` or a TOML file. By default the
            model's own, or else ours.
        system_prompt: instructions in the place of the profile's.
        seed: of the order in which responses are shown, and of sampling.
        permutations: in how many orders the responses are shown; scores are means.
        samples: how many replies to each order; needs a temperature above 0.
        temperature, max_new_tokens, thinking, thinking_tokens: how the reply is written.
        decoding: ``"constrained"`` (the reply is held to the form of a verdict), ``"branches"`` (each score is read
            apart, without thinking) or ``"free"``.
        exact: compute in 32 bits, as the reference does.
        threads: that compute; 0 means one for each processor.
        prefix_cache_mib: memory for beginnings of prompts that later prompts share.
        api_key, served_model, concurrency, timeout: of servers; seconds. Without a key the variables
            ``REWARDANYTHING_API_KEY`` and, for api.openai.com alone, ``OPENAI_API_KEY`` are asked.

    Raises:
        ValueError: a setting, or a name that means no model; the message begins with the setting.
        RuntimeError: a model that cannot be loaded.

    A local model does not survive a fork: load it in the process that judges. A judge can be pickled; it is loaded
    anew where it arrives.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "nano",
        *,
        profile: str | None = None,
        system_prompt: str | None = None,
        seed: int | None = None,
        permutations: int = 1,
        samples: int = 1,
        temperature: float | None = None,
        max_new_tokens: int | None = None,
        thinking: bool | None = None,
        thinking_tokens: int | None = None,
        decoding: Literal["constrained", "branches", "free"] | None = None,
        exact: bool = False,
        threads: int = 0,
        prefix_cache_mib: int = 256,
        api_key: str | None = None,
        served_model: str | None = None,
        concurrency: int = 16,
        timeout: float = 300.0,
    ) -> None:
        settings = {key: value for key, value in locals().items() if key not in ("self", "model")}
        self._arguments: tuple[str, dict[str, Any]] = (os.fspath(model), settings)
        given = dict(settings, hub_cache=_hub_cache())
        given["api_key"] = api_key or os.environ.get("REWARDANYTHING_API_KEY")
        given["openai_key"] = os.environ.get("OPENAI_API_KEY")
        self._engine = _native.Engine(self._arguments[0], given)

    @property
    def model(self) -> str:
        """The model's name."""
        return self._engine.model

    @property
    def profile(self) -> str:
        """The name of the profile by which it is spoken to."""
        return self._engine.profile

    @property
    def max_responses(self) -> int:
        """The most responses of one request; `group_rewards` cuts larger groups into parts that share members."""
        return self._engine.max_responses

    def take_notes(self) -> list[str]:
        """What a server turned out not to take, since the last call."""
        return self._engine.take_notes()

    def judge(
        self, principle: str, prompt: str, responses: Responses, mask_responses: bool = True
    ) -> RewardResult:
        """Judges the responses to one prompt, all together.

        Args:
            principle: what counts, in plain language.
            prompt: what the responses answer.
            responses: texts by name, or texts, which are then called ``"0"``, ``"1"`` and so on. The judge never sees
                the names.
            mask_responses: whether they are shown in an order of the judge's own; otherwise in yours.

        Raises:
            NoVerdict: the model's reply is no verdict.
            ValueError, TypeError: an unusable argument; the message begins with its name.
        """
        one = request(principle, prompt, responses, mask_responses)
        result = self._run([one], numbered=False)[0]
        if isinstance(result, NoVerdict):
            raise result
        return result  # type: ignore[no-any-return]

    @overload
    def judge_batch(self, requests: Iterable[Any], errors: Literal["raise"] = "raise") -> list[RewardResult]: ...

    @overload
    def judge_batch(
        self, requests: Iterable[Any], errors: Literal["return"]
    ) -> list[RewardResult | NoVerdict]: ...

    def judge_batch(self, requests: Iterable[Any], errors: Literal["raise", "return"] = "raise") -> list[Any]:
        """Judges many requests in one go; results come in the order of the requests.

        >>> three = [("Be brief.", "Capital of France?", ["Paris.", "It is Paris, of course."])] * 3
        >>> [result.ranking[0] for result in Judge().judge_batch(three)]
        ['0', '0', '0']

        Args:
            requests: `RewardRequest`, mappings with the same keys, or triples of principle, prompt and responses.
            errors: a request without a verdict leaves the others alone. ``"raise"`` raises its `NoVerdict` when all are
                judged, with all results in its ``results``; ``"return"`` returns it in its place.
        """
        checked_errors(errors)
        return settled(self._run(_all(requests), numbered=True), errors)

    async def judge_async(
        self, principle: str, prompt: str, responses: Responses, mask_responses: bool = True
    ) -> RewardResult:
        """As `judge`, on a thread."""
        import asyncio

        return await asyncio.to_thread(self.judge, principle, prompt, responses, mask_responses)

    async def judge_batch_async(
        self, requests: Iterable[Any], errors: Literal["raise", "return"] = "raise"
    ) -> list[Any]:
        """As `judge_batch`, on a thread."""
        import asyncio

        return await asyncio.to_thread(self.judge_batch, requests, errors)

    def _run(self, asked: list[Request], numbered: bool) -> list[Any]:
        results: list[Any] = [None] * len(asked)
        for shuffled in (True, False):
            places = [place for place, one in enumerate(asked) if one.shuffled is shuffled]
            if not places:
                continue
            raw = [asked[place][:4] for place in places]
            for place, found in zip(places, self._engine.judge(raw, not shuffled, places if numbered else None)):
                results[place] = _result(asked[place].names, found, place)
        return results

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, self._arguments

    def __repr__(self) -> str:
        return f"Judge(model={self.model!r}, profile={self.profile!r})"


# The method's parameter has this name too.
_all = requests


def _again(model: str, settings: dict[str, Any]) -> Judge:
    return Judge(model, **settings)


def _result(names: list[str], found: dict[str, Any], place: int) -> RewardResult | NoVerdict:
    if found["error"] is not None:
        kind, message = found["error"]
        return NoVerdict(kind, message, found["raw"], place)
    distributions = dict(zip(names, found["distributions"]))
    known = {name: weights for name, weights in distributions.items() if weights is not None}
    return RewardResult(
        reasoning=found["reasoning"],
        scores=dict(zip(names, found["scores"])),
        ranking=[names[index] for index in found["ranking"]],
        raw_output=found["raw"],
        soft={name: soft for name, soft in zip(names, found["soft"]) if name in known},
        distributions=known,
        repairs=found["repairs"],
        usage=Usage(*found["usage"]),
        votes=None if found["votes"] is None else Votes(*found["votes"]),
    )


_loaded: dict[Any, Judge] = {}


def loaded(model: str | os.PathLike[str] = "nano", **settings: Any) -> Judge:
    """A judge by its settings, loaded at the first call in this process and kept."""
    key = (os.getpid(), os.fspath(model), tuple(sorted(settings.items())))
    if key not in _loaded:
        _loaded[key] = Judge(model, **settings)
    return _loaded[key]


def judge(
    principle: str,
    prompt: str,
    responses: Responses,
    mask_responses: bool = True,
    *,
    model: str | os.PathLike[str] = "nano",
    **settings: Any,
) -> RewardResult:
    """Judges the responses to one prompt; see `Judge.judge` for the arguments, and `Judge` for the settings.

    The model is loaded at the first call and kept.

    >>> import rewardanything
    >>> responses = {"a": "Paris.", "b": "It is the old and famous city of Paris, on the Seine."}
    >>> rewardanything.judge("The shorter, the better.", "What is the capital of France?", responses).ranking
    ['a', 'b']
    """
    return loaded(model, **settings).judge(principle, prompt, responses, mask_responses)


def judge_batch(
    requests: Iterable[Any],
    errors: Literal["raise", "return"] = "raise",
    *,
    model: str | os.PathLike[str] = "nano",
    **settings: Any,
) -> list[Any]:
    """Judges many requests in one go; see `Judge.judge_batch` for the arguments, and `Judge` for the settings."""
    return loaded(model, **settings).judge_batch(requests, errors)
