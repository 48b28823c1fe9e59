"""What every measurement shares: paths, the machine, and how a process is run and watched."""

import json
import os
import platform
import resource
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(__file__).resolve().parent
PEERS = ROOT / "target" / "peers"
PYTHON = PEERS / "venv" / "bin" / "python"
RELEASE = ROOT / "target" / "release"
MODEL = PEERS / "models" / "qwen3-0.6b-random"
GGUF = {
    "bf16": PEERS / "models" / "qwen3-0.6b-random-BF16.gguf",
    "q8_0": PEERS / "models" / "qwen3-0.6b-random-Q8_0.gguf",
}
THREADS = 2
FLAGS = ["amx_bf16", "amx_int8", "avx512_bf16", "avx512_vnni", "avx512f", "avx2"]


def llama(tool: str, isa: str) -> Path:
    return PEERS / ("llama-avx2" if isa == "avx2" else "llama-native") / "bin" / tool


def machine() -> dict:
    """CPU, its instruction sets, memory and system."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    value = {name.strip(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
    flags = set(value.get("flags", "").split())
    return {
        "cpu": f"{value.get('model name')} (family {value.get('cpu family')}, model {value.get('model')})",
        "flags": [flag for flag in FLAGS if flag in flags],
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "threads": THREADS,
    }


def environment(isa: str) -> dict[str, str]:
    """The environment of a measured process: two threads, and where asked for no more than AVX2."""
    # Libraries of linear algebra read these, and no two machines have the same.
    env = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    env |= {
        "OMP_NUM_THREADS": str(THREADS),
        "MKL_NUM_THREADS": str(THREADS),
        "RAYON_NUM_THREADS": str(THREADS),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "VLLM_CPU_OMP_THREADS_BIND": f"0-{THREADS - 1}",
        "VLLM_CPU_KVCACHE_SPACE": "2",
        "VLLM_CACHE_ROOT": str(PEERS / "cache" / isa),
        "TORCHINDUCTOR_CACHE_DIR": str(PEERS / "cache" / isa / "inductor"),
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_LOGGING_LEVEL": "WARNING",
        "VLLM_NO_USAGE_STATS": "1",
    }
    if isa == "avx2":
        env |= {
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "ATEN_CPU_CAPABILITY": "avx2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
            "REWARDANYTHING_ISA": "avx2",
        }
    return env


def run(command: list, isa: str, timeout: int = 900) -> tuple[str, float, float]:
    """Standard output, seconds, and peak memory in MiB of the largest process below the command."""
    log = PEERS / "last.log"
    start = time.perf_counter()
    with log.open("w") as errors:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(isa),
            text=True,
            cwd=ROOT,
        )
        try:
            # Read by hand: `communicate` would reap the process, and its memory with it.
            output = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        except BaseException:
            process.kill()
            raise
    seconds = time.perf_counter() - start
    if process.returncode != 0:
        tail = "".join(log.read_text(errors="replace").splitlines(keepends=True)[-12:])
        raise RuntimeError(f"{Path(str(command[0])).name} ended with {process.returncode}:\n{tail}")
    return output, seconds, usage.ru_maxrss / 1024


def run_json(command: list, isa: str) -> dict:
    """The last line of standard output as JSON, with the peak memory where it does not say its own."""
    output, _, peak = run(command, isa)
    lines = [line for line in output.splitlines() if line.startswith("{")]
    value = json.loads(lines[-1] if lines else output[output.index("{") :])
    value.setdefault("peak_rss_mib", round(peak))
    return value


def own_peak_mib() -> int:
    """Peak memory of this process."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
