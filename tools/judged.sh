#!/usr/bin/env bash
# How well a model judges by principles that a program can measure: tools/judged.sh MODEL FILE..., with response files
# ({"prompt", "responses": [{"text"}]}, JSON Lines, plain or .gz) of models that it was not trained on. Prints a table in
# Markdown, in which *read right* is the share of items of which the judge says rightly what is asked for. Items and verdicts
# stay in target/judged/MODEL/ITEMS: a run that was stopped goes on from them, and items that failed are judged again. Remove
# the folder when the model has changed.
# ITEMS=N takes fewer than 1,000 items a set, SETS="NAME..." only some sets, RA=FILE another program.
set -euo pipefail
(($# > 1)) || { echo "usage: tools/judged.sh MODEL FILE..." >&2; exit 2; }
model=$1
[[ -e $model ]] && model=$(realpath "$model")
responses=()
for file in "${@:2}"; do responses+=("$(realpath "$file")"); done
cd "$(dirname "$0")/.."
ra=${RA:-target/release/rewardanything}
items=${ITEMS:-1000}
out=target/judged/$(basename "$model")/$items
mkdir -p "$out"

# NAME, MAX_WORDS, PRINCIPLES, PHRASINGS, [FLAG], [FLAGS OF THE JUDGE]
sets='train-60|60|train|held-out||
blank-60|60|train|held-out|--blank-principle|
unseen-60|60|train|unseen||
three-orders-60|60|train|held-out||--permutations 3
library-train-60|60|library-train|held-out||
library-novel-60|60|library-novel|held-out||
novel-60|60|novel|held-out||
intents-60|60|intents|held-out||
train-250|250|train|held-out||
blank-250|250|train|held-out|--blank-principle|
unseen-250|250|train|unseen||
library-train-250|250|library-train|held-out||
library-novel-250|250|library-novel|held-out||
novel-250|250|novel|held-out||
intents-250|250|intents|held-out||'

echo "| set | items | pairwise accuracy | without a verdict | read right |"
echo "|---|---|---|---|---|"
while IFS='|' read -r name words principles phrasings flag judging; do
    [[ -z ${SETS:-} || " $SETS " == *" $name "* ]] || continue
    [[ -e $out/$name.jsonl ]] || "$ra" data verifiable --responses "${responses[@]}" --max-words "$words" --per-item 4-8 \
        --items "$items" --seed 2 --principles "$principles" --phrasings "$phrasings" $flag --output "$out/$name.jsonl" \
        2>"$out/$name.log"
    resume=()
    [[ -e $out/$name.verdicts.jsonl ]] && resume=(--retry-failed)
    # 1 says that some items have no verdict, which the table says too.
    "$ra" judge --model "$model" --input "$out/$name.jsonl" --output "$out/$name.verdicts.jsonl" $judging "${resume[@]}" \
        2>>"$out/$name.log" || [[ $? == 1 ]]
    "$ra" score --items "$out/$name.jsonl" --verdicts "$out/$name.verdicts.jsonl" --json >"$out/$name.score.json"
    python3 - "$out" "$name" <<'PYTHON'
import json, sys

folder, name = sys.argv[1:]
lines = lambda kind: map(json.loads, open(f"{folder}/{name}.{kind}"))
judge = json.load(open(f"{folder}/{name}.score.json"))["judge"]
found = judge["pairwise_accuracy"]
low, high = (100 * bound for bound in found["interval"])
# What a judge in steps says is asked for, of items that ask for more or less of one thing.
wanted = {item["id"]: f'Asked for: {item["direction"]} {item["measure"].replace("_", " ")}.'
          for item in lines("jsonl") if "direction" in item}
said = {record["id"]: record["reasoning"].partition("\n")[0] for record in lines("verdicts.jsonl") if record["reasoning"]}
right = [said[id] == line for id, line in wanted.items() if said.get(id, "").startswith("Asked for: ")]
share = f"{100 * sum(right) / len(right):.1f}" if right and "blank" not in name else ""
print(f"| {name} | {judge['items']} | **{100 * found['value']:.1f} ({low:.1f} to {high:.1f})** | {judge['unparsed']} | {share} |")
PYTHON
done <<<"$sets"
