#!/usr/bin/env bash
# The frameworks whose own code calls the Python package, into target/frameworks: `just test-frameworks`.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=tools/frameworks
venv=target/frameworks/venv
wanted=$(cat "$here"/requirements*.txt | sha256sum)
[[ "$(cat "$venv/installed" 2>/dev/null || true)" != "$wanted" ]] || exit 0
[[ -x "$venv/bin/python" ]] || "${PYTHON:-python3}" -m venv "$venv"
# torch and transformers are large: those that are here already will do.
for peers in "$PWD"/target/peers/venv/lib/python3*/site-packages; do
    [[ ! -d "$peers" ]] || echo "$peers" >"$(echo "$venv"/lib/python3*/site-packages)/peers.pth"
done
"$venv/bin/python" -m pip install --quiet --requirement "$here/requirements.txt"
# verl and OpenRLHF name engines and clusters as their own requirements, of which the code that calls needs little.
"$venv/bin/python" -m pip install --quiet --no-deps --requirement "$here/requirements-exact.txt"
echo "$wanted" >"$venv/installed"
