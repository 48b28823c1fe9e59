#!/usr/bin/env bash
# The Python package, into target/python. `develop` builds it for the tests; `test` does and runs them, with the command
# beside it, which some of them serve with; `check` is `test` where that can be, and says so and stops, without failing,
# where it cannot; `wheel` builds a wheel, installs it in a fresh environment and judges there.
#
# Needs Python 3.10 or newer (PYTHON names one). PROFILE=release builds as it is shipped. What it installs is pinned in
# bindings/python/requirements.txt; nothing is asked of the network where that is here already.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${PROFILE:-dev}
python=${PYTHON:-python3}
venv=$PWD/target/python/venv
needed=bindings/python/requirements.txt

# An environment with what is needed, unless it is there.
prepare() {
    [[ ! -f "$venv/installed" ]] || ! cmp --silent "$needed" "$venv/installed" || return 0
    [[ -x "$venv/bin/python" ]] || "$python" -m venv "$venv" || return
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --retries 2 --requirement "$needed" || return
    cp "$needed" "$venv/installed"
}

develop() {
    maturin develop --quiet --locked --profile "$profile" --manifest-path bindings/python/Cargo.toml
}

skip() {
    echo "skipped, $1: the published workflow runs these tests on the oldest and the newest Python"
    exit 0
}

what=${1:?develop, test, check or wheel}
shift
if [[ $what == check ]]; then
    "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
        skip "missing: Python 3.10 or newer with venv"
    prepare || skip "what $needed names could not be installed"
    what=test
fi
prepare
export VIRTUAL_ENV=$venv PATH="$venv/bin:$PATH"

case $what in
develop)
    develop
    ;;
test)
    develop
    [[ -x target/debug/rewardanything ]] || cargo build --locked -p rewardanything-cli
    python -m mypy --strict --cache-dir target/python/mypy bindings/python/python/rewardanything bindings/python/tests/typed.py
    python -m pytest -q -p no:cacheprovider bindings/python "$@"
    ;;
wheel)
    rm -rf target/python/wheels target/python/fresh
    maturin build --quiet --locked --profile "$profile" --manifest-path bindings/python/Cargo.toml --out target/python/wheels
    python -m venv target/python/fresh
    target/python/fresh/bin/python -m pip install --quiet --no-index target/python/wheels/*.whl
    # No network: where the system lets nobody be without one, proxies that lead nowhere must do.
    offline=(env http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9)
    if unshare --map-root-user --net true 2>/dev/null; then
        offline=(unshare --map-root-user --net)
    fi
    cd /
    "${offline[@]}" "$OLDPWD/target/python/fresh/bin/python" -c '
import rewardanything
result = rewardanything.judge("The shorter, the better.", "Capital of France?", {"a": "It is the old city of Paris.", "b": "Paris."})
print(result, rewardanything.__file__)
assert result.ranking == ["b", "a"]'
    cd "$OLDPWD"
    ls -l target/python/wheels
    ;;
*)
    echo "expected develop, test, check or wheel, got $what" >&2
    exit 2
    ;;
esac
