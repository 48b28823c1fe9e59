#!/usr/bin/env bash
# The engines that ours is measured against, into target/peers: `just peers`. What is there already is left alone.
#
# Needs Linux on x86-64, Python 3.11 (3.12 and 3.13 untried), a C++ compiler
# and 12 GB of disk; on Debian: apt-get install python3-venv g++ git libnuma1. cmake and ninja come with the rest by pip.
#
#   TOKENIZER=FOLDER   tokenizer.json and chat template of Qwen3, to write the checkpoint too (make_model.py says more)
#   PYTHON=python3.11  the interpreter to use
#   JOBS=2             compilers at once
set -euo pipefail
cd "$(dirname "$0")/../.."

here=tools/peers
peers=target/peers
python=${PYTHON:-python3}
jobs=${JOBS:-$(nproc)}
llama=llama_cpp_python-0.3.36
# Compilers and libraries read these; every engine is to choose its own kernels.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE

say() { printf '== %s\n' "$*"; }

mkdir -p "$peers/src" "$peers/models"

say "Python engines: vLLM's CPU build, transformers and the published package, in $peers/venv"
wanted=$(cat "$here/requirements.txt" "$here/requirements-exact.txt" | sha256sum)
if [[ "$(cat "$peers/venv/installed" 2>/dev/null || true)" != "$wanted" ]]; then
    [[ -x "$peers/venv/bin/python" ]] || "$python" -m venv "$peers/venv"
    "$peers/venv/bin/python" -m pip install --quiet --requirement "$here/requirements.txt"
    "$peers/venv/bin/python" -m pip install --quiet --no-deps --requirement "$here/requirements-exact.txt"
    echo "$wanted" >"$peers/venv/installed"
fi
export PATH="$PWD/$peers/venv/bin:$PATH"

say "Source of llama.cpp, out of $llama"
if [[ ! -f "$peers/src/$llama/vendor/llama.cpp/CMakeLists.txt" ]]; then
    pip download --quiet --no-deps --no-binary llama-cpp-python --dest "$peers/src" "${llama/_python-/_python==}"
    tar -xzf "$peers/src/$llama.tar.gz" -C "$peers/src"
fi
source=$peers/src/$llama/vendor/llama.cpp
# gcc drops the stores that fill the configuration of the tiles, since nothing it sees reads them: the instruction
# does. A barrier keeps them.
barrier='__asm__ __volatile__("" ::: "memory"); _tile_loadconfig(&tc);'
if grep -qw amx_int8 /proc/cpuinfo && ! grep -qF "$barrier" "$source/ggml/src/ggml-cpu/amx/mmq.cpp"; then
    say "The CPU has AMX: a compiler barrier before _tile_loadconfig"
    sed -i "s|_tile_loadconfig(&tc);|$barrier|" "$source/ggml/src/ggml-cpu/amx/mmq.cpp"
fi

# build FOLDER FLAG...: server, benchmarks and quantiser.
build() {
    local folder=$1
    [[ -x "$folder/bin/llama-server" && -x "$folder/bin/llama-batched-bench" && -x "$folder/bin/llama-bench" ]] && return
    say "llama.cpp in $folder ($jobs compilers at once; minutes)"
    cmake -S "$source" -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
        -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_USE_PREBUILT_UI=OFF \
        -DLLAMA_OPENSSL=OFF "${@:2}" >"$folder.log"
    cmake --build "$folder" --parallel "$jobs" --target llama-server llama-bench llama-batched-bench >>"$folder.log"
}
build "$peers/llama-native" -DGGML_NATIVE=ON
build "$peers/llama-avx2" -DGGML_NATIVE=OFF -DGGML_AVX=ON -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON

model=$peers/models/qwen3-0.6b-random
if [[ -f "$model/model.safetensors" ]]; then
    :
elif [[ -n "${TOKENIZER:-}" ]]; then
    say "The checkpoint, in $model"
    python "$here/make_model.py" --tokenizer "$TOKENIZER" --output "$model"
else
    say "No checkpoint: TOKENIZER=FOLDER just peers writes it; FOLDER holds tokenizer.json and chat template of Qwen3"
fi
say "$("$peers/venv/bin/python" -c 'import torch, transformers, vllm; print("vLLM", vllm.__version__, "torch", torch.__version__, "transformers", transformers.__version__)' 2>/dev/null)"
say "done"
