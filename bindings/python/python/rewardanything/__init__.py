"""Judges responses by a principle in plain language.

    >>> import rewardanything
    >>> result = rewardanything.judge(
    ...     "The shorter the answer, the better.",
    ...     "What is the capital of France?",
    ...     {"brief": "Paris.", "long": "The capital of France is the old and famous city of Paris, on the Seine."},
    ... )
    >>> result.scores["brief"] > result.scores["long"]
    True

`judge` and `judge_batch` ask a model in this process: the small one inside this package, one in a folder, or one behind
a URL (`Judge` says how). `Client` and `AsyncClient` ask `rewardanything serve`. `from_pretrained`, `Client`,
`RewardResult`, `RewardRequest`, `rewardanything.processing` and the like answer to the names and signatures of the
published package. `rewardanything.rewards` and `rewardanything.metrics` are for training and measuring judges,
`rewardanything.integrations` for training by one.
"""

from __future__ import annotations

from ._errors import NoVerdict, ParseError, RewardAnythingError, ServerError
from ._judge import Judge, judge, judge_batch
from ._rewardanything import __version__
from .client import AsyncClient, Client
from .groups import group_rewards
from .local import RewardModel, from_pretrained
from .models import RewardRequest, RewardResponse, RewardResult, Usage, Votes
from .processing import parse_rewardanything_output, prepare_chat_messages

__all__ = [
    "AsyncClient",
    "Client",
    "Judge",
    "NoVerdict",
    "ParseError",
    "RewardAnythingError",
    "RewardModel",
    "RewardRequest",
    "RewardResponse",
    "RewardResult",
    "ServerError",
    "Usage",
    "Votes",
    "__version__",
    "from_pretrained",
    "group_rewards",
    "judge",
    "judge_batch",
    "parse_rewardanything_output",
    "prepare_chat_messages",
]
