#!/usr/bin/env bash
# The frameworks whose own code calls the Python package, into target/frameworks: `just test-frameworks`.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=tools/frameworks
venv=target/frameworks/venv
wanted=$(cat "$here"/requirements*.txt | sha256sum)
[[ "$(cat "$venv/installed" 2>/dev/null || true)" != "$wanted" ]] || exit 0
[[ -x "$venv/bin/python" ]] || "${PYTHON:-python3}" -m venv "$venv"
# torch, transformers and vLLM are large: those that are here already will do.
found=
for peers in "$PWD"/target/peers/venv/lib/python3*/site-packages; do
    [[ ! -d "$peers/vllm" ]] || found=$peers
done
if [[ -n "$found" ]]; then
    echo "$found" >"$(echo "$venv"/lib/python3*/site-packages)/peers.pth"
else
    "$venv/bin/python" -m pip install --quiet --requirement tools/peers/requirements.txt
    "$venv/bin/python" -m pip install --quiet --no-deps --requirement tools/peers/requirements-exact.txt
fi
"$venv/bin/python" -m pip install --quiet --requirement "$here/requirements.txt"
# verl and OpenRLHF name engines and clusters as their own requirements, of which the code that calls needs little.
"$venv/bin/python" -m pip install --quiet --no-deps --requirement "$here/requirements-exact.txt"
# These look for torch while they are built, and without being told would build kernels for a GPU.
DS_BUILD_OPS=0 FLASH_ATTENTION_SKIP_CUDA_BUILD=TRUE "$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation \
    --requirement "$here/requirements-built.txt"
echo "$wanted" >"$venv/installed"
