#!/usr/bin/env bash
# The clients that the server is tested with, into target/clients: `just clients`. Needs Python 3.11 or newer.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=tools/clients
venv=target/clients/venv
[[ -x "$venv/bin/python" ]] || "${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --requirement "$here/requirements.txt"
# The package names engines as its own requirements, of which its client needs none.
"$venv/bin/python" -m pip install --quiet --no-deps --requirement "$here/requirements-exact.txt"
