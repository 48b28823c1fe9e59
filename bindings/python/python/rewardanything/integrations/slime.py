"""Rewards for slime: the function of its `--custom-rm-path`, with `--group-rm`; or a URL for `--rm-url`.

    # my_rewards.py, for --group-rm --custom-rm-path my_rewards.reward
    from rewardanything.integrations.slime import group_function
    reward = group_function("Prefer the answer that cites its sources.")
"""

from __future__ import annotations

from typing import Any, Sequence

from .. import _rewardanything as _native
from ..groups import NEUTRAL, Group, Kind, Work, ask, options, prompt_text, rewarded
from .openrlhf import reward_url as _url

__all__ = ["group_function", "reward_url"]


def group_function(
    principle: str | None = None,
    *,
    judge: Any = None,
    reward: Kind = "soft",
    missing: float | None = None,
    limit: int | None = None,
    anchors: int = 2,
) -> Any:
    """slime's `async fn(args, samples)`, which gets the samples of one prompt, or one sample in evaluation.

    Args:
        principle: what counts; without one, each sample's `metadata["principle"]`.
        missing: the reward of a sample without a verdict, by default the kind's neutral one: slime takes no None.

    The others are those of `rewardanything.group_rewards`.
    """
    settings = options(judge, reward, NEUTRAL.get(reward) if missing is None else missing, limit, anchors)

    async def group_reward(args: Any, samples: Any, **_: Any) -> Any:
        alone = not isinstance(samples, Sequence)
        members = [samples] if alone else list(samples)
        groups: dict[tuple[str, str], list[int]] = {}
        texts = []
        for place, sample in enumerate(members):
            by = principle if principle is not None else (getattr(sample, "metadata", None) or {}).get("principle")
            if not by:
                raise ValueError(f"samples[{place}].metadata: expected a principle, since none was given")
            prompt = sample.prompt
            asked = _native.prompt_of(str(prompt)) if isinstance(prompt, str) else prompt_text(prompt)
            groups.setdefault((by, asked), []).append(place)
            texts.append(_native.without_end(sample.response))
        work = Work([Group(*key, [texts[place] for place in places]) for key, places in groups.items()], settings)
        results = await ask(settings.judging(), work.requests)
        rewards: list[Any] = [None] * len(members)
        for places, verdict in zip(groups.values(), work.verdicts(results)):
            for place, one in zip(places, rewarded(verdict, settings.reward, settings.missing)):
                rewards[place] = one.value
        return rewards[0] if alone else rewards

    return group_reward


def reward_url(base_url: str, principle: str, n: int = 1, *, scale: str = "unit") -> str:
    """The URL for `--rm-type remote_rm --rm-url`, whose server puts the samples of a prompt together.

    >>> reward_url("http://judge:8000", "content-concise", n=8)
    'http://judge:8000/rewards/slime?principle=content-concise&n=8&scale=unit'
    """
    return _url(base_url, principle, n, scale=scale, route="/rewards/slime")
