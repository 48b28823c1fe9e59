#!/usr/bin/env bash
# What the server adds to an endpoint that answers after 20 ms: tools/serving.sh [groups|ours|published|open]...
#
#   groups      256 groups of 16 samples sent one by one: one group at a time, and 16 and 256 at once
#   ours        closed loop at 1, 64 and 1,024 callers, on the published package's endpoint and on our own
#   published   the same of the published server, its limiter lifted
#   open        both at half of what the published server does at 64 callers (RATE=N sets it by hand)
#
# Without arguments all of them, in one run. PUBLISHED is the published package's command, by default the one that
# `just peers` installs. SECONDS_EACH=10 is how long each closed loop lasts. Linux only: memory is read from /proc.
set -euo pipefail
cd "$(dirname "$0")/.."
ulimit -n 8192

published=$(realpath "${PUBLISHED:-target/peers/venv/bin/rewardanything}")
ra=${RA:-$PWD/target/release/rewardanything}
load=${LOAD:-$PWD/target/release/examples/load}
[[ -x $ra && -x $load ]] || {
    echo "first: cargo build --release && cargo build --release -p rewardanything-serve --examples" >&2
    exit 2
}
seconds=${SECONDS_EACH:-10}
parts=("$@")
((${#parts[@]} > 0)) || parts=(groups ours published open)
folder=$(mktemp -d)
server=
stand_in=
stop() {
    local pid
    for pid in $server $stand_in; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$folder"
}
trap stop EXIT

endpoint=127.0.0.1:19000
address=127.0.0.1:19001
"$load" stand-in "$endpoint" 20 &
stand_in=$!

ours() {
    "$ra" serve --port "${address#*:}" --model "http://$endpoint" --concurrency 1024 --queue 8192 --log off \
        2>"$folder/ours.log" &
    server=$!
    ready readyz
}
theirs() {
    # Bounds that are never met, so that nothing but its own work limits it.
    cat >"$folder/published.json" <<JSON
{"api_model": "stand-in", "api_key": "x", "api_base": "http://$endpoint/v1", "api_timeout": 120, "api_max_retries": 1,
 "num_workers": 2048, "request_limit": 100000000, "request_limit_period": 60, "dump_individual_rsp": true,
 "generation_config": {"max_tokens": 100, "temperature": 0.0}}
JSON
    (cd "$folder" && exec "$published" serve -c published.json --port "${address#*:}" --host 127.0.0.1 >published.log 2>&1) &
    server=$!
    ready health
}
ready() {
    local _
    for _ in {1..300}; do
        curl -sf "http://$address/$1" >/dev/null && return
        sleep 0.2
    done
    echo "it does not serve: $(tail -3 "$folder"/*.log)" >&2
    exit 1
}
memory() { awk '/VmHWM/ { print "memory at most " int($2 / 1024) " MiB" }' "/proc/$server/status"; }
end() {
    memory
    kill "$server"
    wait "$server" 2>/dev/null || true
    server=
}
# Processor time of the server so far, in hundredths of a second.
ticks() { awk '{ sub(/.*\)/, ""); print $12 + $13 }' "/proc/$server/stat"; }

closed() {
    local callers
    for callers in 1 64 1024; do "$load" judge "$address" "$callers" "$seconds" "$1"; done
}

for part in "${parts[@]}"; do
    case $part in
    groups)
        echo "== groups, ours"
        ours
        for at_once in 1 16 256; do
            before=$(ticks)
            "$load" groups "$address" 256 16 "$at_once"
            echo "   $(((($(ticks) - before) * 10000) / 256)) microseconds of the server's processor time for each group"
        done
        end
        ;;
    ours)
        echo "== ours, closed loop, /api/rewardanything"
        ours
        closed /api/rewardanything
        echo "== ours, closed loop, /v1/judge"
        closed /v1/judge
        end
        ;;
    published)
        echo "== published server, closed loop"
        theirs
        closed /api/rewardanything | tee "$folder/published.txt"
        end
        ;;
    open)
        rate=${RATE:-$(awk '/^64 callers/ { for (i = 1; i <= NF; i++) if ($i == "a") print int($(i - 1) / 2) }' "$folder/published.txt" | head -1)}
        echo "== published server, open loop at $rate a second"
        theirs
        "$load" open "$address" 64 "$seconds" "$rate" /api/rewardanything
        end
        echo "== ours, open loop at $rate a second"
        ours
        "$load" open "$address" 64 "$seconds" "$rate" /api/rewardanything
        end
        ;;
    *)
        echo "$part: expected groups, ours, published or open" >&2
        exit 2
        ;;
    esac
done
