#!/usr/bin/env bash
# The figures of BENCHMARKS.md: tools/bench.sh FILE... with response files ({"prompt", "responses": [{"text"}]}, JSON
# Lines, plain or .gz) of models that nano never trained on. What it writes goes to target/bench. Linux only: peak
# memory is read from /proc.
set -euo pipefail
(($# > 0)) || { echo "usage: tools/bench.sh FILE..." >&2; exit 2; }
responses=()
for file in "$@"; do responses+=("$(realpath "$file")"); done
cd "$(dirname "$0")/.."

cargo build --release --quiet
ra=target/release/rewardanything
out=target/bench
rm -rf "$out" && mkdir -p "$out"

echo "## Start-up (ten runs, milliseconds each)"
request=(--principle 'Prefer the shorter answer.' --prompt 'Hi?' --response 'a=Hi.' --json)
start=$(date +%s%N)
for _ in {1..10}; do "$ra" judge "${request[@]}" >"$out/start.json" || true; done
echo "$((($(date +%s%N) - start) / 10000000)) ms to load nano and judge one response"
start=$(date +%s%N)
for _ in {1..10}; do "$ra" principle list >"$out/list.txt"; done
echo "$((($(date +%s%N) - start) / 10000000)) ms without a model"

echo
echo "## Speed and memory (200 items of at most 60 words a response)"
"$ra" data verifiable --responses "${responses[@]}" --max-words 60 --per-item 4 --items 200 --seed 2 \
    --principles train --phrasings held-out --output "$out/speed.jsonl"
start=$(date +%s%N)
"$ra" judge --input "$out/speed.jsonl" --output "$out/speed.verdicts.jsonl" &
judge=$!
peak=0
while kill -0 "$judge" 2>/dev/null; do
    now=$(awk '/VmHWM/ { print $2 }' "/proc/$judge/status" 2>/dev/null || true)
    peak=${now:-$peak}
    sleep 0.1
done
wait "$judge" || true
milliseconds=$((($(date +%s%N) - start) / 1000000))
count=$(wc -l <"$out/speed.jsonl")
echo "$((count * 60000 / milliseconds)) judgements a minute, peak memory $((peak / 1024)) MiB"

echo
echo "## Judging (tools/judged.sh)"
tools/judged.sh nano "${responses[@]}"
