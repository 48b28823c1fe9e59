"""Runs our engine and its peers back to back and writes the table: `just bench-peers`. See README.md."""

import argparse
import datetime
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import judging
import report
from common import GGUF, MODEL, PEERS, PYTHON, RELEASE, ROOT, THREADS, TOOLS, llama, machine, run, run_json

RESULTS = PEERS / "results.json"
LLAMA_VERSION = "llama.cpp of llama-cpp-python 0.3.36"


def python_engine(engine: str, dtype: str) -> Callable[[str], dict]:
    return lambda isa: run_json([PYTHON, TOOLS / "engine_worker.py", engine, MODEL, dtype], isa)


def our_engine(dtype: str) -> Callable[[str], dict]:
    model = MODEL if dtype == "bf16" else GGUF[dtype]
    example = RELEASE / "examples" / "engine_speed"
    return lambda isa: run_json([example, "--model", model, "--json"], isa)


def llama_engine(dtype: str) -> Callable[[str], dict]:
    def measure(isa: str) -> dict:
        bench = [llama("llama-bench", isa), "-m", GGUF[dtype], "-t", THREADS, "-r", 2, "-o", "json"]
        figures, peak = {"version": LLAMA_VERSION}, 0.0
        for key, rest in {
            "prefill_2048": ["-p", 2048, "-n", 0],
            "decode_1_at_2048": ["-p", 0, "-n", 32, "-d", 2048],
            "decode_1_at_512": ["-p", 0, "-n", 32, "-d", 512],
        }.items():
            output, _, used = run(bench + rest, isa)
            figures[key] = json.loads(output)[0]["avg_ts"]
            peak = max(peak, used)
        batched = [llama("llama-batched-bench", isa), "-m", GGUF[dtype], "-t", THREADS, "-c", 8 * 640, "-b", 2048]
        output, _, used = run(batched + ["-npp", 512, "-ntg", 32, "-npl", 8, "--output-format", "jsonl"], isa)
        lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        figures["decode_8_at_512"] = lines[-1]["speed_tg"]
        return figures | {"peak_rss_mib": round(max(peak, used))}

    return measure


def our_gemm(isa: str) -> dict:
    output, _, _ = run([RELEASE / "examples" / "linear_speed", "bf16"], isa)
    found = re.findall(r"BF16 \[(\d+), (\d+)\] x \[(\d+), \d+\] Native: ([\d.]+) GFLOP/s", output)
    rates = {f"{m}x{k}x{n}": float(rate) for m, k, n, rate in found if int(m) > 1}
    return rates | {"version": output.splitlines()[0]}


def our_start(isa: str) -> dict:
    """Wall time of the whole program with nano: loading, one short request, its verdict, the end of the process."""
    request = [
        "--principle",
        "Prefer the shorter answer.",
        "--prompt",
        "Hi?",
        "--response",
        "a=Hi.",
        "--response",
        "b=Oh, hi.",
    ]
    command = [RELEASE / "rewardanything", "judge", *request, "--thinking", "off", "--json"]
    times = []
    for _ in range(11):
        start = time.perf_counter()
        run(command, isa)
        times.append(1000 * (time.perf_counter() - start))
    return {"median_ms": statistics.median(times[1:]), "max_ms": max(times[1:])}


def our_step(isa: str) -> dict:
    return run_json([RELEASE / "examples" / "step_speed", "--json"], isa)


def judgement_parts() -> dict[str, Callable[[str], dict]]:
    parts: dict[str, Callable[[str], dict]] = {}
    for name in judging.SETS:
        parts |= {
            f"judge-{name}/ours-bf16": lambda isa, name=name: judging.ours(name, "bf16", isa),
            f"judge-{name}/ours-q8_0": lambda isa, name=name: judging.ours(name, "q8_0", isa),
            f"judge-{name}/vllm-bf16": lambda isa, name=name: judging.vllm_server(name, isa),
            f"judge-{name}/llama-bf16": lambda isa, name=name: judging.llama_server(name, "bf16", isa),
            f"judge-{name}/llama-q8_0": lambda isa, name=name: judging.llama_server(name, "q8_0", isa),
            f"judge-{name}/package-bf16": lambda isa, name=name: judging.package(name, isa),
        }
    return parts


PARTS: dict[str, Callable[[str], dict]] = {
    "engine/ours-bf16": our_engine("bf16"),
    "engine/vllm-bf16": python_engine("vllm", "bf16"),
    "engine/transformers-bf16": python_engine("transformers", "bf16"),
    "engine/transformers-f32": python_engine("transformers", "f32"),
    "engine/llama-bf16": llama_engine("bf16"),
    "engine/ours-q8_0": our_engine("q8_0"),
    "engine/llama-q8_0": llama_engine("q8_0"),
    "gemm/ours-bf16": our_gemm,
    "gemm/onednn-bf16": lambda isa: run_json([PYTHON, TOOLS / "gemm_worker.py"], isa),
    "train/ours": our_step,
    "train/pytorch": lambda isa: run_json([PYTHON, TOOLS / "train_step.py", "--compute", "bf16", "--json"], isa),
    "train/pytorch-f32": lambda isa: run_json([PYTHON, TOOLS / "train_step.py", "--compute", "f32", "--json"], isa),
    "start/ours": our_start,
    **judgement_parts(),
}


def build() -> None:
    """Our own programs; what a checkout does not have yet is left to fail in its own part."""
    cargo = ["cargo", "build", "--release", "--quiet"]
    subprocess.run([*cargo, "-p", "rewardanything-cli"], cwd=ROOT, check=True)
    for crate, example in [("kernels", "linear_speed"), ("engine", "engine_speed"), ("train", "step_speed")]:
        if (ROOT / "crates" / crate / "examples" / f"{example}.rs").exists():
            subprocess.run([*cargo, "-p", f"rewardanything-{crate}", "--example", example], cwd=ROOT, check=True)
    for dtype, path in GGUF.items():
        if not path.exists():
            convert = [RELEASE / "rewardanything", "model", "convert", MODEL, path, "--format", dtype]
            subprocess.run([str(word) for word in convert], cwd=ROOT, check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only", nargs="+", metavar="PART", default=[""], help="parts whose names begin so; see --list"
    )
    parser.add_argument("--list", action="store_true", help="print the names of the parts and end")
    parser.add_argument("--isa", choices=["native", "avx2"], default="native", help="avx2: nobody uses more than AVX2")
    parser.add_argument(
        "--responses", type=Path, nargs="+", metavar="FILE", help="files of responses; builds the items anew"
    )
    parser.add_argument("--missing", action="store_true", help="leave out parts that have a result already")
    parser.add_argument("--no-build", action="store_true", help="take our programs as they were built")
    parser.add_argument("--write", action="store_true", help="put the table between the markers in BENCHMARKS.md")
    parser.add_argument("--report", action="store_true", help="measure nothing: print the table of the results at hand")
    arguments = parser.parse_args()
    names = [name for name in PARTS if any(name.startswith(part) for part in arguments.only)]
    if arguments.list:
        print("\n".join(names))
        return 0

    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    failed = 0
    if not arguments.report:
        if not arguments.no_build:
            build()
        if arguments.responses:
            judging.build([path.resolve() for path in arguments.responses])
        table = results.setdefault(arguments.isa, {})
        for name in names:
            if arguments.missing and name in table:
                continue
            start = time.perf_counter()
            try:
                figures = PARTS[name](arguments.isa)
            except (OSError, RuntimeError, ValueError, KeyError) as error:
                failed += 1
                print(f"{name}: {error}", file=sys.stderr, flush=True)
                continue
            figures = {key: round(value, 3) if isinstance(value, float) else value for key, value in figures.items()}
            figures["date"] = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M")
            table[name] = figures
            results["machine"] = machine()
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            print(f"{name} ({time.perf_counter() - start:.0f} s): {json.dumps(figures)}", file=sys.stderr, flush=True)
    if (PEERS / "items" / "facts.json").exists():
        results["items"] = judging.facts()
    text = report.render(results)
    print(text)
    if arguments.write:
        report.write(ROOT / "BENCHMARKS.md", text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
