"""One Python engine measured in a process of its own: `engine_worker.py transformers|vllm FOLDER bf16|f32`.

Prints one JSON object with the keys that every engine reports: tokens per second of a prefill of 2,048 tokens and of
decoding, peak memory, and the seconds of loading.
"""

import json
import random
import sys
import time
from collections.abc import Callable

from common import THREADS, own_peak_mib

VOCABULARY = 150_000
LONG, SHORT, BATCH, NEW = 2048, 512, 8, 32
Pass = Callable[[list[list[int]], int], float]


def prompts(count: int, length: int, seed: int) -> list[list[int]]:
    draw = random.Random(seed)
    return [[draw.randrange(VOCABULARY) for _ in range(length)] for _ in range(count)]


def measure(seconds: Pass) -> dict[str, float]:
    """`seconds(prompts, n)` reads the prompts and writes n tokens after each; prompts never repeat."""
    seconds(prompts(1, 64, 0), 4)
    prefill = min(seconds(prompts(1, LONG, seed), 1) for seed in (1, 2, 3))

    def decode(count: int, length: int, seed: int) -> float:
        # The first token comes with the prefill, so the difference is NEW steps.
        short = min(seconds(prompts(count, length, seed + i), 1) for i in (0, 1))
        long = min(seconds(prompts(count, length, seed + i), 1 + NEW) for i in (2, 3))
        return count * NEW / (long - short)

    return {
        "prefill_2048": LONG / prefill,
        "decode_1_at_2048": decode(1, LONG, 10),
        "decode_1_at_512": decode(1, SHORT, 20),
        "decode_8_at_512": decode(BATCH, SHORT, 30),
    }


def with_transformers(folder: str, dtype: str) -> tuple[Pass, str]:
    import torch
    import transformers

    torch.set_num_threads(THREADS)
    kind = {"bf16": torch.bfloat16, "f32": torch.float32}[dtype]
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=kind).eval()

    @torch.inference_mode()
    def seconds(rows: list[list[int]], new: int) -> float:
        ids = torch.tensor(rows)
        start = time.perf_counter()
        cache = None
        for _ in range(new):
            reply = model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache, ids = reply.past_key_values, reply.logits[:, -1:].argmax(-1)
        return time.perf_counter() - start

    return seconds, f"transformers {transformers.__version__}, torch {torch.__version__}"


def with_vllm(folder: str, dtype: str) -> tuple[Pass, str]:
    import torch
    import vllm

    kind = {"bf16": "bfloat16", "f32": "float32"}[dtype]
    model = vllm.LLM(
        model=folder,
        dtype=kind,
        max_model_len=4096,
        max_num_batched_tokens=4096,
        max_num_seqs=BATCH,
        enable_prefix_caching=False,
    )

    def seconds(rows: list[list[int]], new: int) -> float:
        settings = vllm.SamplingParams(temperature=0, max_tokens=new, min_tokens=new, ignore_eos=True, detokenize=False)
        start = time.perf_counter()
        model.generate([{"prompt_token_ids": row} for row in rows], settings, use_tqdm=False)
        return time.perf_counter() - start

    return seconds, f"vLLM CPU {vllm.__version__}, torch {torch.__version__}"


def main() -> None:
    engine, folder, dtype = sys.argv[1:]
    start = time.perf_counter()
    seconds, version = {"transformers": with_transformers, "vllm": with_vllm}[engine](folder, dtype)
    load = time.perf_counter() - start
    figures = measure(seconds)
    print(json.dumps(figures | {"peak_rss_mib": own_peak_mib(), "load_seconds": load, "version": version}))


if __name__ == "__main__":
    main()
