"""Whole judgements: the same prompts through our command, the two servers, and the published package."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from common import GGUF, MODEL, PEERS, PYTHON, RELEASE, ROOT, THREADS, TOOLS, environment, llama, run, run_json

ITEMS, RESPONSES, CONCURRENCY, PORT = 64, 4, 8, 18_431
# How long a response may be (words), and which prompts are taken (tokens). Our instructions alone are longer than the
# shorter of these prompts, so there the system message is left out, as nano's profile leaves it out.
SETS = {
    "short": {"max_words": 40, "tokens": (200, 400), "system": False},
    "long": {"max_words": 330, "tokens": (1350, 1650), "system": True},
}
# Slow peers judge only so many items of a set.
SLOW_ITEMS = {"llama": {"short": 32, "long": 12}, "package": {"short": 12, "long": 4}}


def system_text() -> str:
    return (ROOT / "crates/core/src/system_prompt.md").read_text().rstrip()


def messages(item: dict, system: bool) -> list[dict[str, str]]:
    """The chat as our judge writes it where responses are shown in the order given."""
    shown = {f"model-{i + 1}": text for i, text in enumerate(item["responses"].values())}
    user = {"principle": item["principle"], "prompt": item["prompt"], "responses": shown}
    chat = [{"role": "user", "content": json.dumps(user, ensure_ascii=False)}]
    return [{"role": "system", "content": system_text()}, *chat] if system else chat


class Lengths:
    """Tokens of chats and of verdicts, by the model's own tokenizer and template."""

    def __init__(self) -> None:
        from transformers import AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(MODEL)

    def prompt(self, chat: list[dict[str, str]]) -> int:
        text = self.tokenizer.apply_chat_template(
            chat, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        return len(self.tokenizer.encode(text, add_special_tokens=False))

    def verdict(self) -> int:
        """A verdict without thinking, and the token that ends it."""
        names = [f"model-{i + 1}" for i in range(RESPONSES)]
        text = json.dumps({"scores": dict.fromkeys(names, 3), "best-to-worst": names})
        return len(self.tokenizer.encode(text, add_special_tokens=False)) + 1


def build(responses: list[Path]) -> dict:
    """Writes the two sets, and gives what is said about them."""
    folder = PEERS / "items"
    folder.mkdir(parents=True, exist_ok=True)
    lengths = Lengths()
    facts: dict = {"verdict_tokens": lengths.verdict()}
    for name, rule in SETS.items():
        every = folder / f"{name}.all.jsonl"
        run(
            [RELEASE / "rewardanything", "data", "verifiable", "--responses", *responses]
            + [
                "--max-words",
                rule["max_words"],
                "--per-item",
                RESPONSES,
                "--items",
                1500,
                "--seed",
                7,
                "--output",
                every,
            ],
            "native",
        )
        low, high = rule["tokens"]
        chosen, tokens = [], []
        for line in every.read_text().splitlines():
            item = json.loads(line)
            count = lengths.prompt(messages(item, rule["system"]))
            if low <= count <= high and len(chosen) < ITEMS:
                chosen.append(line)
                tokens.append(count)
        if len(chosen) < ITEMS:
            raise RuntimeError(f"{name}: expected {ITEMS} prompts of {low} to {high} tokens, found {len(chosen)}")
        (folder / f"{name}.jsonl").write_text("\n".join(chosen) + "\n")
        profile = f'name = "peers-{name}"\norder = "given"\nthinking = "off"\n'
        (folder / f"{name}.toml").write_text(profile + ("" if rule["system"] else 'system = ""\n'))
        facts[name] = {
            "items": len(chosen),
            "mean_prompt_tokens": round(sum(tokens) / len(tokens), 1),
            "min_prompt_tokens": min(tokens),
            "max_prompt_tokens": max(tokens),
            "tokens": tokens,
            "rule": f"the first {ITEMS} of {low} to {high} tokens among 1500 items of at most {rule['max_words']} words "
            f"a response, seed 7, {'with' if rule['system'] else 'without'} our system message",
        }
    (folder / "facts.json").write_text(json.dumps(facts, indent=1))
    return facts


def facts() -> dict:
    return json.loads((PEERS / "items" / "facts.json").read_text())


def load(name: str) -> list[dict]:
    return [json.loads(line) for line in (PEERS / "items" / f"{name}.jsonl").read_text().splitlines()]


def ours(name: str, dtype: str, isa: str) -> dict:
    """`rewardanything judge` on a set, loading left out as it is for the servers; with it, in `wall_seconds`."""
    items, output = PEERS / "items" / f"{name}.jsonl", PEERS / "items" / f"{name}.verdicts.jsonl"
    output.unlink(missing_ok=True)
    _, wall, peak = run(
        [RELEASE / "rewardanything", "judge", "--model", MODEL if dtype == "bf16" else GGUF[dtype]]
        + ["--profile", items.with_suffix(".toml"), "--thinking", "off", "--input", items, "--output", output],
        isa,
    )
    records = [json.loads(line) for line in output.read_text().splitlines()]
    failed = [record["error"] for record in records if record["error"]]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(records)} items failed: {failed[0]}")
    read = [record["usage"]["prompt_tokens"] for record in records]
    if read != facts()[name]["tokens"]:
        raise RuntimeError("our prompts are not the peers' prompts: their tokens differ")
    return {
        "per_minute": 60 * len(records) / sum(record["seconds"] for record in records),
        "items": len(records),
        "wall_seconds": wall,
        "peak_rss_mib": round(peak),
        "written_tokens": records[0]["usage"]["completion_tokens"],
    }


def post(payload: dict) -> dict:
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}/v1/chat/completions",
        data=json.dumps(payload).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=600) as reply:
        return json.load(reply)


@contextmanager
def server(command: list, isa: str, patience: int = 400):
    log = PEERS / "server.log"
    with log.open("w") as out:
        env = environment(isa) | {"VLLM_ENABLE_V1_MULTIPROCESSING": "1"}
        process = subprocess.Popen(
            [str(word) for word in command], stdout=out, stderr=out, env=env, start_new_session=True
        )
        try:
            end = time.monotonic() + patience
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=2)
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > end:
                        tail = log.read_text(errors="replace")[-1500:]
                        raise RuntimeError(f"the server did not come up:\n{tail}") from None
                    time.sleep(0.5)
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def through_server(command: list, name: str, count: int, isa: str) -> dict:
    chosen, new = load(name)[:count], facts()["verdict_tokens"]
    system = SETS[name]["system"]

    def ask(chat: list[dict[str, str]]) -> dict:
        usage = post(
            {
                "model": "m",
                "messages": chat,
                "temperature": 0,
                "max_tokens": new,
                "min_tokens": new,
                "ignore_eos": True,
                "chat_template_kwargs": {"enable_thinking": False},
            }
        )["usage"]
        return usage

    with server(command, isa):
        for _ in range(2):
            ask([{"role": "user", "content": "Warm up, please. " * 20}])
        start = time.perf_counter()
        with ThreadPoolExecutor(CONCURRENCY) as pool:
            usages = list(pool.map(lambda item: ask(messages(item, system)), chosen))
        seconds = time.perf_counter() - start
    written = {usage["completion_tokens"] for usage in usages}
    if written != {new}:
        raise RuntimeError(f"expected {new} tokens a reply, got {written}")
    read = [usage["prompt_tokens"] for usage in usages]
    expected = facts()[name]["tokens"][: len(chosen)]
    # A tokenizer of their own may cut a rare character otherwise; another template or a lost message shows.
    if abs(sum(read) - sum(expected)) > 0.01 * sum(expected):
        raise RuntimeError(f"expected prompts of {sum(expected)} tokens in all, the server read {sum(read)}")
    figures = {"per_minute": 60 * len(chosen) / seconds, "items": len(chosen), "written_tokens": new}
    return figures | {"read_tokens": sum(read), "expected_tokens": sum(expected)}


def vllm_server(name: str, isa: str) -> dict:
    command = [PYTHON, "-m", "vllm.entrypoints.openai.api_server", "--model", MODEL, "--served-model-name", "m"]
    command += ["--dtype", "bfloat16", "--max-model-len", 4096, "--max-num-seqs", CONCURRENCY, "--port", PORT]
    command += ["--host", "127.0.0.1", "--disable-uvicorn-access-log"]
    return through_server(command, name, ITEMS, isa)


def llama_server(name: str, dtype: str, isa: str) -> dict:
    command = [llama("llama-server", isa), "-m", GGUF[dtype], "-t", THREADS, "-tb", THREADS, "-np", CONCURRENCY]
    command += ["-c", CONCURRENCY * 2560, "--port", PORT, "--host", "127.0.0.1", "--jinja"]
    return through_server(command, name, SLOW_ITEMS["llama"][name], isa)


def package(name: str, isa: str) -> dict:
    """The published package's local mode, one item after the other, as it judges a batch too."""
    return run_json([PYTHON, TOOLS / "package_worker.py", name, SLOW_ITEMS["package"][name]], isa)
