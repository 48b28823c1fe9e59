"""Rewards for verl: a function of one sample, and a reward manager that judges whole groups by their uid.

The function, which needs no more than the configuration:

    reward.custom_reward_function.path=pkg://rewardanything.integrations.verl
    reward.custom_reward_function.name=compute_score
    +reward.custom_reward_function.reward_kwargs.base_url=http://judge:8000
    +reward.custom_reward_function.reward_kwargs.n=8

The manager, which knows the group of a sample by verl's own `uid`:

    reward.reward_manager.source=importlib
    reward.reward_manager.module.path=pkg://rewardanything.integrations.verl
    reward.reward_manager.name=RewardAnythingManager

verl hands out one sample at a time to one of several workers. With `base_url`, `rewardanything serve` puts the samples of
a prompt together wherever they come from. Without, they meet inside one worker: set `reward.num_workers=1`.

A data set's row says in `extra_info` what the judge needs: `question` (or `prompt`), and `principle` unless the settings
have one. verl takes no None: a sample without a verdict gets `missing`, by default the kind's neutral reward, and
`judge_failed` is 1.
"""

from __future__ import annotations

from typing import Any, Mapping

from ..groups import NEUTRAL, Kind, Reward, options, prompt_text
from ._gather import Gatherer

__all__ = ["Rewarder", "RewardAnythingManager", "compute_score"]  # noqa: F822 (the manager is made when asked for)


class Rewarder:
    """Judges samples one by one, each among its siblings.

    Args:
        principle: what counts; without one, each row's own.
        base_url: `rewardanything serve`; without it, a judge of this process.
        api_key: for that server.
        n: how many samples of a prompt there are (`actor_rollout_ref.rollout.n`).
        wait: seconds after which a group is judged with what came; without a server.
        timeout: seconds that a server may take.
        judge, reward, missing, limit, anchors: those of `rewardanything.group_rewards`. A server gives scores and ranks,
            no `zscore`.
    """

    def __init__(
        self,
        principle: str | None = None,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        n: int = 1,
        wait: float = 30.0,
        timeout: float = 300.0,
        judge: Any = None,
        reward: Kind = "soft",
        missing: float | None = None,
        limit: int | None = None,
        anchors: int = 2,
    ) -> None:
        from .._http import Route

        self.principle = principle
        self.options = options(judge, reward, NEUTRAL.get(reward) if missing is None else missing, limit, anchors)
        if base_url is not None and reward == "zscore":
            raise ValueError("reward: a server answers one sample at a time and knows no zscore of it")
        self.route = None if base_url is None else Route.to(base_url.rstrip("/"))
        self.headers = {"Content-Type": "application/json"}
        if api_key:
            self.headers["Authorization"] = f"Bearer {api_key}"
        self.n = n
        self.timeout = timeout
        self._gatherer = Gatherer(self.options, n, wait)

    async def score(
        self, text: str, row: Mapping[str, Any], prompt: Any = None, group: str | None = None, index: Any = None
    ) -> dict[str, float]:
        """The reward of one sample, with the same keys every time: verl indexes all samples by those of the first."""
        import asyncio

        for key in ("question", "prompt"):
            prompt = row.get(key) if prompt is None else prompt
        if prompt is None:
            raise ValueError("extra_info: expected `question` or `prompt`: verl does not pass the prompt on")
        principle = self.principle if self.principle is not None else row.get("principle")
        if principle is None:
            raise ValueError("extra_info: expected `principle`, since none was given")
        asked = prompt_text(prompt)
        if self.route is None:
            waiting = self._gatherer.submit(group, index, principle, asked, text)
            found = await asyncio.wrap_future(waiting)
        else:
            found = await self._served(principle, asked, text, group, index)
        return {
            "score": float(found.value if found.value is not None else NEUTRAL[self.options.reward]),
            "judge_score": float(NEUTRAL["score"] if found.score is None else found.score),
            "judge_rank": float(found.rank or 0),
            "judge_siblings": float(found.siblings),
            "judge_failed": float(found.failure is not None),
        }

    async def _served(self, principle: str, prompt: str, text: str, group: str | None, index: Any) -> Reward:
        import json
        from urllib.parse import urlencode

        from .._http import ask_async

        query: dict[str, Any] = {"principle": principle, "n": self.n, "scale": "raw", "reply": "object"}
        if group is not None:
            query["group"] = group
            if index is not None:
                query["index"] = int(index)
        body = json.dumps({"prompt": prompt, "response": text}, ensure_ascii=False).encode()
        assert self.route is not None
        path = f"/rewards/slime?{urlencode(query)}"
        reply = (await ask_async(self.route, "POST", path, self.headers, body, self.timeout)).json()
        failed = bool(reply["failed"])
        score, rank, siblings = reply["score"], int(reply["rank"]), int(reply["siblings"])
        if failed:
            return Reward(self.options.missing, None, None, siblings, "the server has no verdict")
        if self.options.reward == "rank":
            value = 1 - rank / (siblings - 1) if siblings > 1 else 0.5
        else:
            value = score
        return Reward(value, score, rank, siblings, None)


_rewarders: dict[str, Rewarder] = {}


def _rewarder(settings: Mapping[str, Any]) -> Rewarder:
    """One for each set of settings in this process: samples of a group must meet in the same."""
    key = repr(sorted(settings.items()))
    if key not in _rewarders:
        _rewarders[key] = Rewarder(**settings)
    return _rewarders[key]


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    reward_router_address: str | None = None,
    reward_model_tokenizer: Any = None,
    **settings: Any,
) -> dict[str, float]:
    """verl's custom reward function; `settings` (its `reward_kwargs`) are those of `Rewarder`.

    Samples are grouped by principle and prompt, `n` of each. Returns `score` and `judge_score`, `judge_rank`,
    `judge_siblings`, `judge_failed`.
    """
    return await _rewarder(settings).score(solution_str, extra_info or {})


def _settings(config: Any) -> dict[str, Any]:
    """The settings in verl's configuration: those of the custom function, and how many samples a prompt has."""

    def at(*path: str) -> Any:
        found = config
        for key in path:
            found = found.get(key) if found is not None else None
        return found

    settings = dict(at("reward", "custom_reward_function", "reward_kwargs") or {})
    n = at("actor_rollout_ref", "rollout", "n")
    if n is not None:
        settings.setdefault("n", int(n))
    return settings


class GroupManager:
    """What the reward manager does, whatever verl's base class is."""

    def __init__(
        self,
        config: Any,
        tokenizer: Any,
        compute_score: Any = None,
        reward_router_address: str | None = None,
        reward_model_tokenizer: Any = None,
    ) -> None:
        super().__init__(config, tokenizer, compute_score)  # type: ignore[call-arg]
        self.rewarder = _rewarder(_settings(config))

    async def run_single(self, data: Any) -> dict[str, Any]:
        """The reward of the last sequence in `data`, judged in the group of its uid."""
        import asyncio

        item = data[-1:][0]
        told = item.non_tensor_batch
        responses = item.batch["responses"]
        length = int(item.batch["attention_mask"][-responses.shape[-1] :].sum())
        loop = asyncio.get_running_loop()
        text = await loop.run_in_executor(
            None, lambda: self.tokenizer.decode(responses[:length], skip_special_tokens=True)  # type: ignore[attr-defined]
        )
        row = told.get("extra_info") or {}
        group, index = told.get("uid"), told.get("session_id")
        scored = await self.rewarder.score(
            text, row, told.get("raw_prompt"), None if group is None else str(group), index
        )
        return {"reward_score": scored["score"], "reward_extra_info": scored}


def __getattr__(name: str) -> Any:
    # Made when verl asks for it: its base class comes with torch and ray.
    if name != "RewardAnythingManager":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase  # type: ignore[import-not-found]

    made = type(name, (GroupManager, RewardManagerBase), {"__module__": __name__, "__doc__": GroupManager.__doc__})
    globals()[name] = made
    return made
