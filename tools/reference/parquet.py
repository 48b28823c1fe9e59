"""Writes fixtures/parquet: our own records in the published layouts, as pyarrow, pandas and datasets lay them out.

Without arguments, from the root of the repository, it writes the fixtures. With arguments, FILE.parquet LINES.jsonl, it says
whether pyarrow, pandas and datasets (those that are installed) read from the one what the other holds: nulls and absent
keys alike, objects of responses and gold scores as lists of names.
"""

import importlib
import json
import pathlib
import sys

import pyarrow
import pyarrow.parquet as parquet


def lines(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]


def fixtures():
    folder = pathlib.Path("fixtures/parquet")
    folder.mkdir(exist_ok=True)
    layouts = {name: lines(f"fixtures/layouts/{name}.jsonl") for name in ("rm-bench", "judgebench", "rewardbench", "rewardbench2")}
    # As data sets are commonly uploaded: snappy, dictionaries, small groups of rows.
    table = pyarrow.Table.from_pylist(layouts["rewardbench"])
    parquet.write_table(table, folder / "rewardbench.parquet", compression="snappy", use_dictionary=True, row_group_size=1)
    # Lists of texts, zstd, pages of the second version.
    table = pyarrow.Table.from_pylist(layouts["rm-bench"])
    parquet.write_table(table, folder / "rm-bench.parquet", compression="zstd", data_page_version="2.0", row_group_size=3)
    # Long strings and a categorical column, gzip.
    table = pyarrow.Table.from_pylist(layouts["rewardbench2"])
    schema = [
        (field.name, pyarrow.list_(pyarrow.large_string()) if field.name in ("chosen", "rejected")
         else pyarrow.dictionary(pyarrow.int32(), pyarrow.string()) if field.name == "subset" else field.type)
        for field in table.schema
    ]
    table = pyarrow.Table.from_pylist(layouts["rewardbench2"], schema=pyarrow.schema(schema))
    parquet.write_table(table, folder / "rewardbench2.parquet", compression="gzip")
    # As pandas does it, with the index and what it knows of types beside; nothing compressed.
    import pandas
    pandas.DataFrame(layouts["judgebench"]).to_parquet(folder / "judgebench.parquet", compression=None)
    # Items: nested lists and records, nulls inside them, maps, numbers of every kind.
    kind = pyarrow.schema([
        ("id", pyarrow.int64()),
        ("principle", pyarrow.string()),
        ("prompt", pyarrow.list_(pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())]))),
        ("responses", pyarrow.map_(pyarrow.string(), pyarrow.string())),
        ("gold", pyarrow.struct([
            ("scores", pyarrow.map_(pyarrow.string(), pyarrow.float32())),
            ("ranking", pyarrow.list_(pyarrow.string())),
            ("pairs", pyarrow.list_(pyarrow.list_(pyarrow.string()))),
        ])),
        ("difficulty", pyarrow.string()),
        ("weight", pyarrow.float64()),
        ("seen", pyarrow.bool_()),
    ])
    says = lambda role, content: {"role": role, "content": content}
    rows = [
        {"id": 1, "principle": "Be brief.", "prompt": [says("system", "Be kind."), says("user", "Why?")],
         "responses": [("a", "So."), ("b", "Because it is so.")],
         "gold": {"scores": [("a", 5), ("b", 1.1)], "ranking": ["a", "b"]}, "difficulty": "easy", "weight": float("nan"), "seen": True},
        {"id": 2, "principle": "Be long.", "prompt": [says("user", "Schön?")],
         "responses": [("a", ""), ("b", "Ja \u20ac.")], "gold": {"pairs": [["b", "a"]]}, "weight": 0.5},
        {"id": 3, "principle": "Be plain.", "prompt": [says("user", "How?")], "responses": [("x", "1"), ("y", "2"), ("z", "3")],
         "gold": None, "seen": False},
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=kind), folder / "items.parquet", compression="snappy", row_group_size=2)
    expect = [
        {"id": 1, "principle": "Be brief.", "prompt": rows[0]["prompt"], "responses": dict(rows[0]["responses"]),
         "gold": {"scores": {"a": 5, "b": 1.1}, "ranking": ["a", "b"]}, "difficulty": "easy", "seen": True},
        {"id": 2, "principle": "Be long.", "prompt": rows[1]["prompt"], "responses": dict(rows[1]["responses"]),
         "gold": {"pairs": [["b", "a"]]}, "weight": 0.5},
        {"id": 3, "principle": "Be plain.", "prompt": rows[2]["prompt"], "responses": dict(rows[2]["responses"]), "seen": False},
    ]
    (folder / "items.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in expect))
    for path in sorted(folder.iterdir()):
        print(path, path.stat().st_size)


def bare(value):
    """Without nulls in records, as both sides mean the same by them."""
    if isinstance(value, dict):
        return {key: bare(of) for key, of in value.items() if of is not None}
    if hasattr(value, "tolist"):
        value = value.tolist()
    return [bare(of) for of in value] if isinstance(value, (list, tuple)) else value


def listed(row):
    if isinstance(row.get("responses"), dict):
        row["responses"] = [{"name": name, "text": text} for name, text in row["responses"].items()]
    if isinstance((row.get("gold") or {}).get("scores"), dict):
        row["gold"]["scores"] = [{"name": name, "score": score} for name, score in row["gold"]["scores"].items()]
    return row


def check(path, expect):
    expect = [bare(listed(row)) for row in lines(expect)]
    found = {"pyarrow": parquet.read_table(path).to_pylist()}
    for name in ("pandas", "datasets"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        if name == "pandas":
            frame = module.read_parquet(path).astype(object)
            found[name] = frame.where(frame.notna(), None).to_dict("records")
        else:
            found[name] = list(module.Dataset.from_parquet(path, cache_dir=str(pathlib.Path(path).parent / "cache")))
    for name, rows in found.items():
        rows = [bare(row) for row in rows]
        for index, (row, wanted) in enumerate(zip(rows, expect)):
            assert row == wanted, f"{name}, row {index}: {row} and not {wanted}"
        assert len(rows) == len(expect), name
    print(f"{len(expect)} rows are the same to {', '.join(found)}")


if len(sys.argv) == 3:
    check(*sys.argv[1:])
else:
    fixtures()
