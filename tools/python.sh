#!/usr/bin/env bash
# The Python package, into target/python: `develop` builds it for the tests, `wheel` builds a wheel, installs it in a
# fresh environment and judges there. Needs Python 3.10 or newer. PROFILE=release builds as it is shipped.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${PROFILE:-dev}
venv=$PWD/target/python/venv
[[ -x "$venv/bin/python" ]] || "${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --requirement bindings/python/requirements.txt
export VIRTUAL_ENV=$venv PATH="$venv/bin:$PATH"

case ${1:?develop or wheel} in
develop)
    maturin develop --quiet --profile "$profile" --manifest-path bindings/python/Cargo.toml
    ;;
wheel)
    rm -rf target/python/wheels target/python/fresh
    maturin build --quiet --profile "$profile" --manifest-path bindings/python/Cargo.toml --out target/python/wheels
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
    echo "expected develop or wheel, got $1" >&2
    exit 2
    ;;
esac
