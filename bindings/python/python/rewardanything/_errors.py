"""What can go wrong, beside `ValueError` and `TypeError` for arguments."""

from __future__ import annotations

from typing import Any


class RewardAnythingError(Exception):
    """The base of this package's own errors."""


class NoVerdict(RewardAnythingError):
    """A request without a verdict: the model's reply cannot be read, or there was none.

    Attributes:
        kind: a word for programs, for example ``"missing_scores"``, ``"truncated"`` or ``"deadline"``.
        raw: the model's reply, where there is one.
        index: the place of the request in its batch.
        results: of a batch, what became of every request: results, and errors like this one.
    """

    def __init__(self, kind: str, message: str, raw: str | None = None, index: int = 0) -> None:
        super().__init__(kind, message, raw, index)
        self.kind = kind
        self.message = message
        self.raw = raw
        self.index = index
        self.results: list[Any] | None = None

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


class ParseError(RewardAnythingError, ValueError):
    """A text that cannot be read as a verdict; `kind` is a word for programs."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


class ServerError(RewardAnythingError):
    """A server that refused, or could not be reached.

    Attributes:
        status: the HTTP status; `None` where there was no answer.
        repeatable: whether the request surely never arrived, so that it can be sent again.
    """

    def __init__(self, message: str, status: int | None = None, repeatable: bool = False) -> None:
        super().__init__(message, status, repeatable)
        self.repeatable = repeatable
        self.message = message
        self.status = status

    def __str__(self) -> str:
        return self.message
