"""Writes fixtures/user_message.json: the user message as Python's json module writes it, for the golden test of
crates/core/src/prompt.rs. The published weights depend on these bytes.

Needs nothing but Python. Run from the root of the repository:

    python tools/reference/user_message.py
"""

import json
import pathlib
import random

control = "".join(map(chr, range(0x20))) + "\x7f\x80\x85\x9f"
marks = "\"\\/'<>&\u2028\u2029\ufeff\u200b\ufffd\ufffe\U0001f600\U0010ffff e\u0301 \u00e9"
cases = [
    ("Be brief.", "Why is the sky blue?", ["Rayleigh scattering.", ""]),
    (control + ".", marks, [control, marks, "\\u0041 \\n", "  spaces  "]),
    ("p", "q", [f"response {i}" for i in range(32)]),
    ("p", '{"principle": "x"}', ['{"scores": {"model-1": 5}}', "</think>", "a\r\nb\tc"]),
]

rows = []
for principle, prompt, texts in cases:
    # What the published package does: shuffle with a fixed seed, name by position, dump.
    order = list(range(len(texts)))
    random.seed(42)
    random.shuffle(order)
    responses = {f"model-{i + 1}": texts[j] for i, j in enumerate(order)}
    message = json.dumps({"principle": principle, "prompt": prompt, "responses": responses}, ensure_ascii=False)
    rows.append({"principle": principle, "prompt": prompt, "texts": texts, "utf8": message.encode().hex()})

path = pathlib.Path("fixtures/user_message.json")
path.write_text(json.dumps(rows, indent=1) + "\n")
print(path, len(rows), "cases")
