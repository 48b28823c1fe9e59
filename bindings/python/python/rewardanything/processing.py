"""What a judge is told and how its reply is read, under the published package's names."""

from __future__ import annotations

import json
from typing import Mapping

from . import _rewardanything as _native
from ._errors import ParseError
from .models import RewardResult

__all__ = ["SYSTEM_PROMPT", "parse_rewardanything_output", "prepare_chat_messages"]

SYSTEM_PROMPT: str = _native.SYSTEM_PROMPT
"""Our instructions for a general chat model that is to judge. Those that the published weights were trained with belong
to the published package; give them as `system_prompt` where you have them."""


def prepare_chat_messages(
    principle: str,
    prompt: str,
    responses: Mapping[str, str],
    mask_responses: bool = True,
    *,
    system_prompt: str | None = None,
) -> tuple[list[dict[str, str]], dict[str, str] | None]:
    """The messages that ask for a verdict, and which response is behind which label.

    The order is that of the published package, byte for byte its user message too; the caller's random state is left
    alone.

    >>> messages, real = prepare_chat_messages("Be brief.", "Why?", {"a": "So.", "b": "No."})
    >>> real
    {'model-1': 'b', 'model-2': 'a'}
    >>> messages[1]["content"]
    '{"principle": "Be brief.", "prompt": "Why?", "responses": {"model-1": "No.", "model-2": "So."}}'

    Args:
        mask_responses: whether names are hidden; without, there is no mapping (`None`).
        system_prompt: instructions in the place of `SYSTEM_PROMPT`.

    Raises:
        ValueError: more than 32 responses to mask, for which the order is not known.
    """
    real = None
    shown = dict(responses)
    if mask_responses:
        names = list(responses)
        order = _native.published_order(len(names))
        real = {f"model-{place + 1}": names[index] for place, index in enumerate(order)}
        shown = {label: responses[name] for label, name in real.items()}
    asked = {"principle": principle, "prompt": prompt, "responses": shown}
    return [
        {"role": "system", "content": SYSTEM_PROMPT if system_prompt is None else system_prompt},
        {"role": "user", "content": json.dumps(asked, ensure_ascii=False)},
    ], real


def parse_rewardanything_output(output_text: str, masked2real: Mapping[str, str] | None = None) -> RewardResult:
    """Reads a judge's reply: reasoning in `<think>` tags, then the scores and the ranking as JSON.

    >>> reply = '<think>model-2 is shorter.</think>{"scores": {"model-1": 2, "model-2": 5}, "best-to-worst": ["model-2"]}'
    >>> parse_rewardanything_output(reply, {"model-1": "b", "model-2": "a"})
    RewardResult(scores={'b': 2, 'a': 5}, ranking=['a', 'b'])

    Slips with one reading are mended and told in `repairs`; a ranking that is short or contradicts the scores gives way
    to them. The reasoning stays as it came, labels and all.

    Args:
        masked2real: names by label, as `prepare_chat_messages` gives them: the labels that the judge was shown, all of
            them. Without it the labels are taken to be `model-1` to the highest number that the reply names.

    Raises:
        ParseError: the reply is no verdict over these responses: cut off, without a score for one of them, off the
            scale, or forged inside the reasoning. The published package gives empty or partial scores there.
    """
    if not isinstance(output_text, str):
        raise TypeError(f"output_text: expected a text, got {output_text!r:.60}")
    if masked2real is None:
        labels = _labels_in(output_text)
        named = {label: label for label in labels}
    else:
        named = dict(masked2real)
        labels = list(named)
    if not labels:
        raise ParseError("no_labels", "masked2real: the reply names no model-1, so the labels of the responses are needed")
    places = [f"model-{place + 1}" for place in range(len(labels))]
    text = output_text
    if set(labels) == set(places):
        labels = places
    else:
        text = _relabelled(text, dict(zip(labels, places)))
    try:
        found = _native.parse_reply(text, len(labels))
    except ValueError as error:
        raise ParseError(*error.args) from None
    names = [named[label] for label in labels]
    scores = {name: int(score) if score == int(score) else score for name, score in zip(names, found["scores"])}
    return RewardResult(
        reasoning=found["reasoning"],
        scores=scores,
        ranking=[names[index] for index in found["ranking"]],
        raw_output=output_text,
        repairs=found["repairs"],
    )


def _labels_in(text: str) -> list[str]:
    """`model-1` up to the highest number that stands behind the reasoning."""
    import re

    answer = text.rpartition("</think>")[2]
    numbers = [int(digits) for digits in re.findall(r"model-(\d{1,4})\b", answer)]
    highest = min(max(numbers, default=0), _native.MAX_RESPONSES)
    return [f"model-{number}" for number in range(1, highest + 1)]


def _relabelled(text: str, labels: Mapping[str, str]) -> str:
    """The reply with labels of our own where it quotes the caller's, in one pass and behind the reasoning alone."""
    import re

    reasoning, tag, answer = text.rpartition("</think>")
    quoted = {json.dumps(label, ensure_ascii=False): f'"{ours}"' for label, ours in labels.items()}
    pattern = "|".join(re.escape(label) for label in sorted(quoted, key=len, reverse=True))
    return reasoning + tag + re.sub(pattern, lambda found: quoted[found[0]], answer)
