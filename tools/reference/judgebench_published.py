"""Writes fixtures/metrics/judgebench-published.json: decisions that judges of JudgeBench are published with, and their figures.

The decisions come from the outputs beside the authors' code (github.com/ScalerLab/JudgeBench, folder outputs, the 350
pairs of GPT-4o's answers); of each file only which answer each game was decided for is kept, no text. The figures are
those of the table of reward models in the authors' paper (arXiv 2410.12784), here from a public transcription of it. They
are what the test compares with; this script only says whether a plain reading of the authors' rule gives them too. Run
from the root of the repository:

    python tools/reference/judgebench_published.py FOLDER_OF_OUTPUTS
"""

import json
import pathlib
import sys

# Knowledge, reasoning, math, coding, overall; percent, as printed.
PUBLISHED = {
    "Skywork_Skywork-Reward-Gemma-2-27B": ("59.74", "66.33", "83.93", "50.00", "64.29"),
    "Skywork_Skywork-Reward-Llama-3.1-8B": ("59.09", "64.29", "76.79", "50.00", "62.29"),
    "internlm_internlm2-20b-reward": ("62.34", "69.39", "66.07", "50.00", "63.43"),
    "internlm_internlm2-7b-reward": ("56.49", "61.22", "71.43", "50.00", "59.43"),
    "Ray2333_GRM-Gemma-2B-rewardmodel-ft": ("62.99", "53.06", "64.29", "54.76", "59.43"),
}
DOMAINS = {"livebench-reasoning": "r", "livebench-math": "m", "livecodebench": "c"}
SIGNS = {"A>B": "A", "B>A": "B", "A=B": "=", None: "-"}
FLIPPED = {"A": "B", "B": "A"}


def right(label, games):
    first, second = games[0], FLIPPED.get(games[1], games[1])
    return sum((game == label) - (game == FLIPPED[label]) for game in (first, second)) > 0


folder = pathlib.Path(sys.argv[1])
golden = {"ids": None, "domains": None, "labels": None, "judges": []}
for judge, printed in PUBLISHED.items():
    name = f"dataset=judgebench,response_model=gpt-4o-2024-05-13,judge_name=reward_model,judge_model={judge}.jsonl"
    records = [json.loads(line) for line in (folder / name).read_text().splitlines()]
    records.sort(key=lambda record: record["pair_id"])
    shape = {
        "ids": " ".join(record["pair_id"][:8] for record in records),
        "domains": "".join(DOMAINS.get(record["source"], "k") for record in records),
        "labels": "".join(SIGNS[record["label"]] for record in records),
    }
    assert len(set(shape["ids"].split())) == len(records) == 350
    assert golden["ids"] in (None, shape["ids"]), "the files are over the same pairs"
    golden |= shape
    games = ["".join(SIGNS[record["judgments"][game]["decision"]] for record in records) for game in (0, 1)]
    won = [right(label, pair) for label, pair in zip(shape["labels"], zip(*games))]
    for domain, figure in zip("krmc*", printed):
        inside = [value for value, of in zip(won, shape["domains"]) if domain in ("*", of)]
        assert f"{100 * sum(inside) / len(inside):.2f}" == figure, (judge, domain)
    golden["judges"].append({"judge": judge.split("_", 1)[1], "games": games, "published": printed})
path = pathlib.Path("fixtures/metrics/judgebench-published.json")
path.write_text(json.dumps(golden, indent=0) + "\n")
print(path, path.stat().st_size)
