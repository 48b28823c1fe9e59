"""Whole groups out of single samples, inside one process, for frameworks that hand them out one by one."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any, Hashable

from ..groups import Group, Options, Reward, Work, rewarded


class _Open:
    """A group that is still waiting for members."""

    def __init__(self, principle: str, prompt: str) -> None:
        self.principle = principle
        self.prompt = prompt
        self.members: list[tuple[Any, str, Future[Reward]]] = []
        self.timer: threading.Timer | None = None


class Gatherer:
    """Holds samples until `size` of a group are there, or the first has waited `wait` seconds; judges them together, and
    gives each its own reward. A group that was judged short is no error: its late members are a group of their own.

    What the judge sees does not depend on who came first: members are put in the order of their index, then of their
    text.
    """

    def __init__(self, settings: Options, size: int, wait: float = 30.0) -> None:
        if size < 1:
            raise ValueError(f"n: expected at least 1, got {size}")
        if not wait > 0:
            raise ValueError(f"wait: expected more than 0 seconds, got {wait}")
        self.options = settings
        self.size = size
        self.wait = wait
        self._open: dict[Hashable, _Open] = {}
        self._lock = threading.Lock()

    def submit(self, group: Hashable, index: Any, principle: str, prompt: str, text: str) -> Future[Reward]:
        """A sample's reward, in time. `group` is the group's name, or None: then principle and prompt tell."""
        key = (group, principle, prompt)
        future: Future[Reward] = Future()
        with self._lock:
            opened = self._open.get(key)
            if opened is None:
                opened = self._open[key] = _Open(principle, prompt)
                if self.size > 1:
                    opened.timer = threading.Timer(self.wait, self._late, (key, opened))
                    opened.timer.daemon = True
                    opened.timer.start()
            opened.members.append((index, text, future))
            full = len(opened.members) == self.size
            if full:
                del self._open[key]
        if full:
            if opened.timer is not None:
                opened.timer.cancel()
            # Whoever came last may be an event loop, which must not wait for a judge.
            threading.Thread(target=self._judge, args=(opened,), daemon=True).start()
        return future

    def _late(self, key: Hashable, opened: _Open) -> None:
        with self._lock:
            if self._open.get(key) is not opened:
                return
            del self._open[key]
        self._judge(opened)

    def _judge(self, opened: _Open) -> None:
        members = sorted(opened.members, key=lambda member: (str(member[0]), member[1]))
        try:
            group = Group(opened.principle, opened.prompt, [text for _, text, _ in members])
            work = Work([group], self.options)
            results = self.options.judging().judge_batch(work.requests, errors="return")
            rewards = rewarded(work.verdicts(results)[0], self.options.reward, self.options.missing)
        except BaseException as error:
            for *_, future in members:
                future.set_exception(error)
            return
        for (*_, future), reward in zip(members, rewards):
            future.set_result(reward)
