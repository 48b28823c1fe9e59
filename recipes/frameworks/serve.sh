#!/usr/bin/env bash
# The judge as a reward: one address for the trainer, whatever stands behind it. `README.md` says what each setting is for.
#
#   JUDGE=http://10.0.0.2:8001 recipes/frameworks/serve.sh     vLLM or SGLang with a judge's weights
#   JUDGE=nano recipes/frameworks/serve.sh --threads 2         the judge inside, to try it without a GPU
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

exec "${REWARDANYTHING:-rewardanything}" serve \
    --model "${JUDGE:-http://127.0.0.1:8001}" \
    --host "${HOST:-127.0.0.1}" \
    --port "${PORT:-8000}" \
    --principle "@${PRINCIPLE:-$here/principle.txt}" \
    --samples-per-prompt 8 \
    --group-wait 120 \
    --deadline 170 \
    --concurrency 64 \
    "$@"
