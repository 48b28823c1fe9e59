"""Writes what the published package makes of replies and requests of ours into published.json: with an interpreter
that has it (`just peers`), `target/peers/venv/bin/python bindings/python/tests/record_published.py`.
"""

import json
import math
import pathlib
import re

from rewardanything.processing import parse_rewardanything_output, prepare_chat_messages

HERE = pathlib.Path(__file__).parent
REPLIES = HERE / "../../../fixtures/replies"


def replies():
    """Every reply of the fixtures with the names behind its labels."""
    for path in sorted(REPLIES.glob("*.md")):
        text = path.read_text("utf-8")
        reply = text.split("~~~~reply\n", 1)[1].split("\n~~~~", 1)[0]
        told = text.split("~~~~toml\n", 1)[1]
        shown = re.search(r"^order = (\[.*\])$", told, re.M)
        order = json.loads(shown[1]) if shown else range(int(re.search(r"^responses = (\d+)$", told, re.M)[1]))
        yield path.stem, reply, {f"model-{place + 1}": f"name {index}" for place, index in enumerate(order)}


def requests():
    """Requests of every number of responses, with characters that JSON treats each in its own way."""
    for n in range(1, 33):
        text = '“ü” \u2028 "quoted" \\ \n\t\x01\x7f 🙂' if n < 4 else ""
        responses = {f"name {index}": f"{index}{text}" for index in range(n)}
        yield {"principle": "Prefer the « shorter ».", "prompt": f"What of {n}?", "responses": responses}


def plain(value):
    """A value as JSON knows it: NaN as a text."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list) else value


def main():
    parsed = {}
    for name, reply, real in replies():
        try:
            result = parse_rewardanything_output(reply, real)
            parsed[name] = plain({"reasoning": result.reasoning, "scores": result.scores, "ranking": result.ranking})
        except Exception as error:
            parsed[name] = {"raises": type(error).__name__}
    prepared = []
    for request in requests():
        for masked in (True, False):
            messages, real = prepare_chat_messages(**request, mask_responses=masked)
            prepared.append({"roles": [message["role"] for message in messages], "user": messages[1]["content"], "real": real})
    recorded = {"parsed": parsed, "prepared": prepared}
    (HERE / "published.json").write_text(json.dumps(recorded, ensure_ascii=True, indent=1) + "\n")


if __name__ == "__main__":
    main()
