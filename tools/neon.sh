#!/usr/bin/env bash
# The kernels' tests on AArch64, emulated: cross-compiled, and run under qemu. Wants the Rust target, a cross linker
# and the emulator (on Debian: `rustup target add aarch64-unknown-linux-gnu`, `apt-get install qemu-user
# gcc-aarch64-linux-gnu libc6-dev-arm64-cross`), and says so and stops, without failing, where one is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

target=aarch64-unknown-linux-gnu
missing=()
for tool in qemu-aarch64 aarch64-linux-gnu-gcc; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
[[ -d "$(rustc --print sysroot)/lib/rustlib/$target" ]] || missing+=("the Rust target $target")
if ((${#missing[@]})); then
    printf 'skipped, missing:'
    printf ' %s,' "${missing[@]}"
    printf ' the published workflow runs these tests on a real AArch64\n'
    exit 0
fi

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER='qemu-aarch64 -L /usr/aarch64-linux-gnu'
cargo test --locked --package rewardanything-kernels --lib --tests --target "$target"
