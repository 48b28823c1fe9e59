"""Clients of `rewardanything serve`, and of the published package's server."""

from __future__ import annotations

import json
from typing import Any, Callable, Iterable, Literal, Mapping

from ._errors import NoVerdict, ServerError
from ._http import Reply, Route, ask, ask_async
from ._requests import Request, checked_errors, request, requests, settled
from .models import RewardResult, Usage, Votes

__all__ = ["AsyncClient", "Client"]


class _Server:
    """What both clients know of a server."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 3,
        headers: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.api_key = api_key
        self.timeout = timeout
        self.max_retries = max_retries
        self.headers = {"Content-Type": "application/json", "User-Agent": "rewardanything-python"}
        if api_key:
            self.headers["Authorization"] = f"Bearer {api_key}"
        self.headers.update(headers or {})
        self.config = kwargs
        # Whether the server has our own routes: asked once, by using them.
        self._ours = True
        self._route = Route.to(self.base_url)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"

    def _plan(self, asked: list[Request], extra: Mapping[str, Any]) -> "_Exchange":
        return _Exchange(self, asked, extra)


class _Exchange:
    """One call, as steps: what to send, and what to make of the answer. The clients differ in how they wait."""

    def __init__(self, server: _Server, asked: list[Request], extra: Mapping[str, Any]) -> None:
        self.server = server
        self.asked = asked
        self.extra = extra

    @property
    def ours(self) -> bool:
        plain = not self.extra and all(one.shuffled for one in self.asked)
        return plain and self.server._ours

    def path(self) -> str:
        return "/v1/judge/batch" if self.ours else "/api/rewardanything_batch"

    def body(self) -> bytes:
        items = []
        for one in self.asked:
            item: dict[str, Any] = {
                "principle": one.principle,
                "prompt": one.prompt,
                "responses": dict(zip(one.names, one.texts)),
            }
            if not self.ours:
                item["mask_responses"] = one.shuffled
                item.update(self.extra)
            items.append(item)
        return json.dumps(items, ensure_ascii=False).encode()

    def again(self, reply: Reply) -> bool:
        """Whether the server lacks our routes, so that those of the published package are to be asked."""
        if self.ours and reply.status in (404, 405):
            self.server._ours = False
            return True
        return False

    def results(self, reply: Reply) -> list[Any]:
        answers = reply.json()
        if not isinstance(answers, list) or len(answers) != len(self.asked):
            raise ServerError(f"{self.server.base_url}: expected a list of {len(self.asked)}, got {answers!r:.80}")
        read = _record if self.ours else _published
        return [read(one, answer, place) for place, (one, answer) in enumerate(zip(self.asked, answers))]


def _record(one: Request, answer: Mapping[str, Any], place: int) -> RewardResult | NoVerdict:
    """An answer of our own server."""
    failure = answer["error"]
    if failure is not None:
        if failure["kind"] in ("request", "input"):
            raise ValueError(f"requests[{place}]: {failure['message']}")
        return NoVerdict(failure["kind"], failure["message"], None, place)
    soft, votes = answer.get("soft", {}), answer.get("votes")
    return RewardResult(
        reasoning=answer["reasoning"],
        scores=answer["scores"],
        ranking=answer["ranking"],
        raw_output=json.dumps(answer, ensure_ascii=False),
        soft={name: known["mean"] for name, known in soft.items()},
        distributions={name: known["probabilities"] for name, known in soft.items()},
        repairs=[repair if isinstance(repair, str) else json.dumps(repair) for repair in answer["repairs"]],
        usage=Usage(answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"]),
        votes=votes and Votes(votes["asked"], votes["answered"], votes["agreement"], votes["confidence"]),
    )


def _published(one: Request, answer: Mapping[str, Any], place: int) -> RewardResult | NoVerdict:
    """An answer in the published form, where a verdict that could not be read looks like an empty one."""
    results = answer.get("results") or {}
    scores = results.get("scores") or {}
    missing = [name for name in one.names if not isinstance(scores.get(name), (int, float))]
    raw = json.dumps(answer, ensure_ascii=False)
    if missing:
        return NoVerdict("missing_scores", f"the server gave no score for {missing[0]!r}", raw, place)
    return RewardResult(
        reasoning=answer.get("thoughts") or "",
        scores={name: scores[name] for name in one.names},
        ranking=[name for name in results.get("best-to-worst") or [] if name in one.names],
        raw_output=raw,
    )


class Client(_Server):
    """A server's judge, with the published client's signatures.

    Args:
        base_url: for example ``http://localhost:8000``.
        api_key: sent as a bearer token.
        timeout: seconds for one request; a batch has as many times that as it has requests.
        max_retries: how often a call is repeated that did not get through, or that a busy server sent away (429, 503),
            after 1, 2, 4 ... seconds. What was refused, and what may be judged still, is not asked again.
        headers: sent along.
        kwargs: kept in `config`.

    A request without a verdict raises `NoVerdict`, what else goes wrong `ServerError`.
    """

    def judge(
        self,
        principle: str,
        prompt: str,
        responses: Mapping[str, str],
        mask_responses: bool = True,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> RewardResult:
        """Judges the responses to one prompt; `kwargs` are sent along with the request.

        Our server always hides the names of responses, and refuses `mask_responses=False` with a `ServerError`.
        """
        one = request(principle, prompt, responses, mask_responses)
        result: RewardResult = settled(self._ask([one], timeout or self.timeout, kwargs), "raise")[0]
        return result

    def judge_batch(
        self,
        requests: Iterable[Any],
        timeout: float | None = None,
        *,
        errors: Literal["raise", "return"] = "raise",
        **kwargs: Any,
    ) -> list[Any]:
        """Judges many requests; results in their order. `errors` is as in `Judge.judge_batch`."""
        checked_errors(errors)
        asked = _all(requests)
        return settled(self._ask(asked, timeout or self.timeout * max(1, len(asked)), kwargs), errors)

    def health_check(self) -> bool:
        """Whether the server is there and well."""
        try:
            return ask(self._route, "GET", "/health", self.headers, None, 5.0).status == 200
        except ServerError:
            return False

    def _ask(self, asked: list[Request], timeout: float, extra: Mapping[str, Any]) -> list[Any]:
        import time

        if not asked:
            return []
        exchange = self._plan(asked, extra)

        def once() -> Reply:
            return ask(self._route, "POST", exchange.path(), self.headers, exchange.body(), timeout)

        for wait in _waits(self.max_retries):
            try:
                reply = once()
                if exchange.again(reply):
                    reply = once()
                if not reply.busy or wait is None:
                    return exchange.results(reply)
            except ServerError as error:
                if not error.repeatable or wait is None:
                    raise
            time.sleep(wait)
        raise AssertionError("the last wait is none")


class AsyncClient(_Server):
    """As `Client`, to be awaited. A call that is cancelled closes its connection, at which our server stops judging.

    Args: those of `Client`.
    """

    async def judge(
        self,
        principle: str,
        prompt: str,
        responses: Mapping[str, str],
        mask_responses: bool = True,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> RewardResult:
        """As `Client.judge`."""
        one = request(principle, prompt, responses, mask_responses)
        result: RewardResult = settled(await self._ask([one], timeout or self.timeout, kwargs), "raise")[0]
        return result

    async def judge_batch(
        self,
        requests: Iterable[Any],
        timeout: float | None = None,
        *,
        errors: Literal["raise", "return"] = "raise",
        **kwargs: Any,
    ) -> list[Any]:
        """As `Client.judge_batch`."""
        checked_errors(errors)
        asked = _all(requests)
        return settled(await self._ask(asked, timeout or self.timeout * max(1, len(asked)), kwargs), errors)

    async def health_check(self) -> bool:
        """Whether the server is there and well."""
        try:
            return (await ask_async(self._route, "GET", "/health", self.headers, None, 5.0)).status == 200
        except ServerError:
            return False

    async def _ask(self, asked: list[Request], timeout: float, extra: Mapping[str, Any]) -> list[Any]:
        import asyncio

        if not asked:
            return []
        exchange = self._plan(asked, extra)

        async def once() -> Reply:
            return await ask_async(self._route, "POST", exchange.path(), self.headers, exchange.body(), timeout)

        for wait in _waits(self.max_retries):
            try:
                reply = await once()
                if exchange.again(reply):
                    reply = await once()
                if not reply.busy or wait is None:
                    return exchange.results(reply)
            except ServerError as error:
                if not error.repeatable or wait is None:
                    raise
            await asyncio.sleep(wait)
        raise AssertionError("the last wait is none")


def _waits(retries: int) -> list[float | None]:
    """Seconds before each repetition; None where there is none."""
    return [*(float(2**attempt) for attempt in range(max(0, retries))), None]


# The methods' parameter has this name too.
_all: Callable[[Any], list[Request]] = requests
