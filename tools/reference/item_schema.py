"""Writes fixtures/items/cases.jsonl: lines, and what jsonschema says of each under docs/formats/item.schema.json.

Our reader must accept what the schema accepts and refuse what it refuses; `beyond` marks lines that only the reader
can refuse, since a schema cannot compare two parts of a line. Run from the root of the repository:

    python tools/reference/item_schema.py
"""

import json
import pathlib

import jsonschema

schema = json.loads(pathlib.Path("docs/formats/item.schema.json").read_text())
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)

base = {"id": "x", "principle": "Be brief.", "prompt": "Why?", "responses": {"a": "Because.", "b": ""}}


def case(beyond=False, drop=(), **changes):
    item = {key: value for key, value in (base | changes).items() if key not in drop}
    return json.dumps(item, ensure_ascii=False), beyond


gold = {"scores": {"a": 1, "b": 2.5}}
lines = [
    case(),
    case(version=1),
    case(version=2),
    case(version="1"),
    case(id=7),
    case(id=1.5),
    case(id=None),
    case(drop=["id"]),
    case(drop=["principle"]),
    case(principle=" \n"),
    case(principle=3),
    case(drop=["prompt"]),
    case(prompt=""),
    case(prompt=[{"role": "user", "content": "Why?"}]),
    case(prompt=[{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Why?"}]),
    case(prompt=[{"role": "tool", "content": "x"}]),
    case(prompt=[{"role": "user"}]),
    case(prompt=[{"role": "user", "content": "x", "name": "y"}]),
    case(prompt=["Why?"]),
    case(prompt=[]),
    case(prompt={"role": "user"}),
    case(drop=["responses"]),
    case(responses={}),
    case(responses={"a": 1}),
    case(responses={" ": "x"}),
    case(responses="a"),
    case(responses=[{"text": "x", "model": "m"}, {"text": "y"}]),
    case(responses=[{"text": "x", "name": "m"}, {"text": "y", "name": "m"}]),
    case(responses=[{"model": "m"}]),
    case(responses=["x"]),
    case(responses={f"r{i}": "x" for i in range(64)}),
    case(responses={f"r{i}": "x" for i in range(65)}),
    case(gold=gold),
    case(gold=None),
    case(gold=[1]),
    case(gold={}),
    case(gold={"scores": {"a": "1", "b": 2}}),
    case(gold=gold | {"ranking": ["b", "a"]}),
    case(gold=gold | {"ranking": ["b", "b"]}),
    case(gold={"ranking": ["b", "a"]}),
    case(gold={"pairs": [["a", "b"]]}),
    case(gold={"pairs": [["a", "a"]]}),
    case(gold={"pairs": [["a"]]}),
    case(gold={"pairs": []}),
    case(beyond=True, gold={"scores": {"a": 1}}),
    case(beyond=True, gold={"scores": {"a": 1, "b": 2, "c": 3}}),
    case(beyond=True, gold=gold | {"ranking": ["a", "b"]}),
    case(beyond=True, gold=gold | {"ranking": ["b"]}),
    case(beyond=True, gold={"pairs": [["a", "c"]]}),
    case(domain="chat", category="tone", subset="s", source="ours", licence="MIT", measure="words"),
    case(difficulty="hard"),
    case(difficulty=None),
    case(difficulty=3),
    case(domain=None),
    case(domain=1),
    case(anything={"else": [1]}),
    ('[1]', False),
    ('"x"', False),
]

path = pathlib.Path("fixtures/items/cases.jsonl")
with path.open("w") as out:
    for line, beyond in lines:
        valid = validator.is_valid(json.loads(line))
        assert valid or not beyond, line
        out.write(json.dumps({"line": line, "valid": valid, "beyond": beyond}, ensure_ascii=False) + "\n")
print(path, len(lines), "cases")
