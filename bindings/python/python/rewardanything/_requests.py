"""Whatever a caller gives for a request becomes one form; what is none is refused by the name of its field."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, NamedTuple


class Request(NamedTuple):
    """Principle, prompt, names and texts of the responses, and whether their order may be shuffled."""

    principle: str
    prompt: str
    names: list[str]
    texts: list[str]
    shuffled: bool


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{field}: expected a text, got {value!r:.60}")
    # Texts of numpy are texts of their own kind.
    return str(value)


def request(principle: Any, prompt: Any, responses: Any, shuffled: Any = True, at: str = "") -> Request:
    """A request from its parts. Responses are a mapping from names to texts, or texts, which are then called "0", "1"
    and so on."""
    if isinstance(responses, Mapping):
        names = [_text(name, f"{at}responses: a name") for name in responses]
        texts = [_text(text, f"{at}responses[{name!r}]") for name, text in responses.items()]
    elif isinstance(responses, str) or not isinstance(responses, Iterable):
        raise TypeError(f"{at}responses: expected texts by name, or a list of texts, got {responses!r:.60}")
    else:
        texts = [_text(text, f"{at}responses[{index}]") for index, text in enumerate(responses)]
        names = [str(index) for index in range(len(texts))]
    return Request(_text(principle, f"{at}principle"), _text(prompt, f"{at}prompt"), names, texts, bool(shuffled))


def requests(given: Any) -> list[Request]:
    """Every request of a batch."""
    return [_one(one, f"requests[{index}].") for index, one in enumerate(given)]


def _one(one: Any, at: str) -> Request:
    if isinstance(one, Mapping):
        missing = [key for key in ("principle", "prompt", "responses") if key not in one]
        if missing:
            raise ValueError(f"{at}{missing[0]}: expected, and not there")
        return request(one["principle"], one["prompt"], one["responses"], one.get("mask_responses", True), at)
    if hasattr(one, "principle"):
        return request(one.principle, one.prompt, one.responses, getattr(one, "mask_responses", True), at)
    try:
        principle, prompt, responses = one
    except (TypeError, ValueError):
        raise TypeError(f"{at[:-1]}: expected principle, prompt and responses, got {one!r:.60}") from None
    return request(principle, prompt, responses, True, at)


def checked_errors(errors: str) -> bool:
    """Whether what has no verdict is returned instead of raised."""
    if errors not in ("raise", "return"):
        raise ValueError(f'errors: expected "raise" or "return", got {errors!r}')
    return errors == "return"


def settled(results: list[Any], errors: str) -> list[Any]:
    """The results; or the first error among them, raised with all of them at hand."""
    from ._errors import NoVerdict

    if not checked_errors(errors):
        for result in results:
            if isinstance(result, NoVerdict):
                result.results = results
                raise result
    return results
