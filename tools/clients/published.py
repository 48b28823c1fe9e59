"""The published package's client, unmodified, against a server: `python published.py URL [TOKEN]`.

Prints one JSON object of what the client made of the answers. Its package imports torch, transformers and scipy, which
the client does not use: where they are not installed, empty modules stand in for them.
"""

import importlib.util
import json
import sys
import types


class StandIn(types.ModuleType):
    """A module in which every name is there, and nothing can be done with it."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return object


def client_class():
    for package, modules in {
        "torch": ["torch"],
        "transformers": ["transformers"],
        "scipy": ["scipy", "scipy.stats"],
    }.items():
        if importlib.util.find_spec(package) is None:
            sys.modules.update({name: StandIn(name) for name in modules})
    from rewardanything import Client

    return Client


def requests():
    """Requests whose verdicts tell them apart: response `x` of request i is worth i % 5 + 1."""
    return [
        {
            "principle": "The number counts.",
            "prompt": f"Request {i}?",
            "responses": {"it's x": f"sleep {40 - 2 * i} worth {i % 5 + 1}", "größe": "worth 3"},
        }
        for i in range(20)
    ]


def shown(result):
    return {
        "reasoning": result.reasoning,
        "scores": result.scores,
        "ranking": result.ranking,
        "raw": json.loads(result.raw_output),
    }


def main():
    url, token = sys.argv[1], (sys.argv[2:] or [None])[0]
    client = client_class()(url, api_key=token, timeout=30.0, max_retries=0)
    first = requests()[0]
    report = {
        "healthy": client.health_check(),
        "one": shown(client.judge(first["principle"], first["prompt"], first["responses"])),
        "kept": shown(client.judge(first["principle"], first["prompt"], first["responses"], mask_responses=False)),
        "batch": [shown(result) for result in client.judge_batch(requests())],
    }
    failed = {"principle": "p", "prompt": "q", "responses": {"a": "garbage"}}
    for name, call in [
        ("failed", lambda: client.judge(**failed)),
        ("failed_batch", lambda: client.judge_batch([first, failed])),
        ("empty", lambda: client.judge_batch([])),
        ("unusable", lambda: client.judge("", "q", {"a": "x"})),
    ]:
        try:
            result = call()
            report[name] = [shown(one) for one in result] if isinstance(result, list) else shown(result)
        except Exception as error:
            response = getattr(error, "response", None)
            report[name] = response.status_code if response is not None else repr(error)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
