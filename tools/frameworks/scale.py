"""What the checks of `recipes/frameworks` share: data as `prepare.py` makes it, a server as `serve.sh` starts it, and the
record of what each framework was asked to know."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "recipes/frameworks"
RECORD = ROOT / "bindings/python/tests/frameworks.json"
# One that the judge inside can follow, so that an order can be checked.
PRINCIPLE = "The shorter the answer, the better."


def program():
    """The command: the one that REWARDANYTHING names, else the one built last."""
    built = [ROOT / "target" / profile / "rewardanything" for profile in ("release", "debug")]
    there = sorted((path for path in built if path.is_file()), key=lambda path: path.stat().st_mtime)
    return os.environ.get("REWARDANYTHING") or str(there[-1])


@contextlib.contextmanager
def scene():
    """A folder with `data/`, `policy/` and `principle.txt`, and the URL of a server that judges by it."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "principle.txt").write_text(PRINCIPLE)
        asked = [{"prompt": f"What is {a} and {b}, and why?"} for a in range(5) for b in range(8)]
        (folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
        command = [sys.executable, RECIPES / "prepare.py", folder / "prompts.jsonl", folder / "data", "--train", "32", "--held-out", "4"]
        subprocess.run([*command, "--principle", folder / "principle.txt"], check=True)
        policy(folder / "policy")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        told = {"REWARDANYTHING": program(), "JUDGE": "nano", "PORT": str(port), "PRINCIPLE": str(folder / "principle.txt")}
        server = subprocess.Popen([RECIPES / "serve.sh", "--threads", "2", "--log", "off"], env=os.environ | told)
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(f"{url}/readyz", server)
            yield folder, url
        finally:
            server.terminate()
            server.wait()


def wait_for(url, server):
    for _ in range(600):
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with {server.returncode}")
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url)
            return
        time.sleep(0.1)
    raise RuntimeError(f"nobody answers at {url}")


def policy(folder):
    """A random model of two layers with nano's tokenizer, as a folder that frameworks load."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3Config

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "models/nano")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def judged(url):
    """How many verdicts the server has given, by its own count."""
    text = urllib.request.urlopen(f"{url}/metrics").read().decode()
    lines = [line for line in text.splitlines() if line.startswith('rewardanything_judgments_total{outcome="verdict"}')]
    return sum(float(line.split(" ")[1]) for line in lines)


def record(framework, package, known):
    """Notes which names the framework, at this version, knows; or with RECORD unset makes sure that the notes say so."""
    now = {"version": version(package), "known": sorted(known)}
    kept = json.loads(RECORD.read_text()) if RECORD.is_file() else {}
    if os.environ.get("RECORD"):
        RECORD.write_text(json.dumps(kept | {framework: now}, indent=1, sort_keys=True) + "\n")
        return
    assert kept.get(framework) == now, f"{RECORD} says otherwise of {framework}: RECORD=1 writes what was found, {now}"
