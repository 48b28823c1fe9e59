"""A judge in this process, under the published package's names."""

from __future__ import annotations

import os
from typing import Any, Iterable, Literal, Mapping

from ._judge import Judge, Responses, loaded
from .models import RewardResult

__all__ = ["RewardModel", "from_pretrained"]

# What the published package passes on to its generation, and what it is called here.
_GENERATION = {
    "max_new_tokens": "max_new_tokens",
    "temperature": "temperature",
    "seed": "seed",
}
# Said by every generation configuration of that package, and settled here by the temperature alone.
_SETTLED = ("do_sample", "pad_token_id", "eos_token_id")


def _settings(given: Mapping[str, Any], field: str) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for key, value in given.items():
        if key in _GENERATION:
            settings[_GENERATION[key]] = value
        elif key not in _SETTLED:
            known = ", ".join((*_GENERATION, *_SETTLED))
            raise ValueError(f"{field}: {key} is not understood, expected some of {known}")
    if given.get("do_sample") is False:
        settings["temperature"] = 0.0
    return settings


class RewardModel:
    """A loaded judge; `from_pretrained` makes one."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    @property
    def judging(self) -> Judge:
        """The judge behind it, which knows more."""
        return self._judge

    def _with(self, generation: Mapping[str, Any]) -> Judge:
        if not generation:
            return self._judge
        model, settings = self._judge._arguments
        # Loaded once for each set of settings, and kept.
        return loaded(model, **{**settings, **_settings(generation, "generation_kwargs")})

    def judge(
        self,
        principle: str,
        prompt: str,
        responses: Responses,
        mask_responses: bool = True,
        **generation_kwargs: Any,
    ) -> RewardResult:
        """As `Judge.judge`. `generation_kwargs` are `max_new_tokens`, `temperature`, `do_sample` and `seed`; a judge for
        each set of them is loaded once and kept."""
        return self._with(generation_kwargs).judge(principle, prompt, responses, mask_responses)

    def judge_batch(
        self,
        requests: Iterable[Any],
        batch_size: int = 8,
        *,
        errors: Literal["raise", "return"] = "raise",
        **generation_kwargs: Any,
    ) -> list[Any]:
        """As `Judge.judge_batch`. The engine batches by itself: `batch_size` is taken, and decides nothing."""
        if batch_size < 1:
            raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
        return self._with(generation_kwargs).judge_batch(requests, errors)


def from_pretrained(
    model_name_or_path: str | os.PathLike[str],
    device: str | None = None,
    torch_dtype: Any = None,
    trust_remote_code: bool = False,
    generation_config: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> RewardModel:
    """Loads a judge.

    >>> model = from_pretrained("nano")
    >>> model.judge("Be brief.", "Capital of France?", {"a": "Paris.", "b": "Well, it is Paris."}).ranking
    ['a', 'b']

    Args:
        model_name_or_path: as the model of `Judge`. Nothing is downloaded: an id must be in the hub's cache.
        device: ``"cpu"``, ``"auto"`` or None; this package computes on processors.
        torch_dtype: ``"float32"`` (or torch's own) computes in 32 bits; anything else in the processor's narrow numbers
            where the weights have them.
        trust_remote_code: has nothing to do here, no code comes with a model.
        generation_config: `max_new_tokens`, `temperature`, `do_sample`, `seed`. Without it decoding is greedy.
        kwargs: the settings of `Judge`.

    Raises:
        ValueError: a setting, or a name that means no model.
    """
    if device not in (None, "cpu", "auto"):
        raise ValueError(f"device: expected None, 'cpu' or 'auto', got {device!r}: this package computes on processors")
    settings = {**kwargs, **_settings(generation_config or {}, "generation_config")}
    if str(torch_dtype).rpartition(".")[2] == "float32":
        settings["exact"] = True
    return RewardModel(Judge(model_name_or_path, **settings))
