"""oneDNN's rate through PyTorch: bf16 linear layers in GFLOP/s, best of several runs, as one JSON object."""

import json
import time

import torch
from common import THREADS


@torch.inference_mode()
def rate(m: int, k: int, n: int) -> float:
    """[m, k] by a weight of [n, k]."""
    x, weight = torch.randn(m, k).bfloat16(), torch.randn(n, k).bfloat16()
    torch.nn.functional.linear(x, weight)
    best, end = float("inf"), time.perf_counter() + 2
    while time.perf_counter() < end:
        start = time.perf_counter()
        torch.nn.functional.linear(x, weight)
        best = min(best, time.perf_counter() - start)
    return 2 * m * k * n / best / 1e9


def main() -> None:
    torch.set_num_threads(THREADS)
    shapes = [(2048, 1024, 3072), (2048, 3072, 1024), (2048, 2048, 2048), (8, 1024, 3072)]
    rates = {f"{m}x{k}x{n}": rate(m, k, n) for m, k, n in shapes}
    print(
        json.dumps(rates | {"version": f"torch {torch.__version__}, oneDNN, {torch.backends.cpu.get_cpu_capability()}"})
    )


if __name__ == "__main__":
    main()
