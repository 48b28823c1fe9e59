# Recipes for daily work. `just check` is what continuous integration runs.

# List the recipes.
default:
    @just --list

# Everything that must hold before a change lands.
check:
    bash .ci/run

# The tests alone.
test *ARGS:
    cargo test --workspace {{ARGS}}

# The kernels on AArch64, emulated, where the tools for it are there.
neon:
    tools/neon.sh

# Bring the sources into shape.
fmt:
    cargo fmt --all

# Lints as errors.
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# The documentation, warnings as errors.
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Licences, bans and sources of what we depend on.
deny:
    cargo deny check bans licenses sources

# The command, optimised.
build:
    cargo build --release

# The figures of BENCHMARKS.md, on the response files given.
bench *FILES:
    tools/bench.sh {{FILES}}

# The engines that ours is measured against, into target/peers; TOKENIZER=FOLDER writes their checkpoint too.
peers:
    tools/peers/install.sh

# Ours and its peers back to back: `just bench-peers --responses FILE --write`; --help says what else.
bench-peers *ARGS:
    target/peers/venv/bin/python tools/peers/bench.py {{ARGS}}

# The published package's client, with which the server is tested, into target/clients.
clients:
    tools/clients/install.sh

# The Python package's tests, with the command beside it, which one of its tests serves with.
test-python *ARGS:
    cargo build -p rewardanything-cli
    tools/python.sh test {{ARGS}}

# A wheel as it is shipped, into target/python/wheels, installed in a fresh environment and tried without a network.
wheel:
    PROFILE=release tools/python.sh wheel

# TRL, verl and OpenRLHF call the Python package by their own code, and take the configurations of recipes/frameworks;
# gigabytes are installed into target/frameworks. RECORD=1 notes anew which names they know.
test-frameworks:
    cargo build --locked -p rewardanything-cli
    tools/python.sh develop
    tools/frameworks/install.sh
    set -e; for name in run_trl run_verl run_openrlhf scale_trl scale_verl scale_openrlhf; do \
        PYTHONPATH=bindings/python/python target/frameworks/venv/bin/python tools/frameworks/$name.py; \
    done

# Our alignment beside TRL's GRPOTrainer, and what judging whole groups saves; --help says what else.
bench-align *ARGS:
    cargo build --locked --release -p rewardanything-cli
    tools/python.sh develop
    tools/frameworks/install.sh
    target/frameworks/venv/bin/python tools/peers/align_step.py {{ARGS}}

# The kernels' tests under AddressSanitizer, and under valgrind, which knows of no set beyond AVX2.
sanitize:
    RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo test -p rewardanything-kernels --tests \
        --target x86_64-unknown-linux-gnu --target-dir target/sanitize
    CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="valgrind -q --error-exitcode=9" cargo test \
        -p rewardanything-kernels --tests --target x86_64-unknown-linux-gnu -- --skip amx --test-threads=1
