"""Results as Markdown, with the ratios that the engine is held to."""

from pathlib import Path

BEGIN, END = "<!-- peers: begin -->", "<!-- peers: end -->"
TITLES = {
    "ours-bf16": "rewardanything bf16",
    "ours-q8_0": "rewardanything Q8_0",
    "vllm-bf16": "vLLM CPU bf16",
    "transformers-bf16": "transformers bf16",
    "transformers-f32": "transformers f32",
    "llama-bf16": "llama.cpp BF16",
    "llama-q8_0": "llama.cpp Q8_0",
    "package-bf16": "published package, local mode, bf16",
    "onednn-bf16": "oneDNN (PyTorch)",
    "ours": "rewardanything",
    "pytorch": "PyTorch, bf16 autocast",
    "pytorch-f32": "PyTorch, f32",
}
ENGINE = {
    "prefill_2048": "prefill 2048",
    "decode_1_at_2048": "decode 1 at 2048",
    "decode_1_at_512": "decode 1 at 512",
    "decode_8_at_512": "decode 8 at 512, in all",
    "peak_rss_mib": "peak MiB",
}
BF16 = ["vllm-bf16", "transformers-bf16", "llama-bf16"]
SERVERS = ["vllm-bf16", "llama-bf16", "llama-q8_0"]
# What is held to what: our part, its figure, the peers of which the best counts, and how many times it that should be.
BARS = [
    ("engine", "ours-bf16", "prefill_2048", ["vllm-bf16"], 1.3),
    ("engine", "ours-bf16", "prefill_2048", ["llama-bf16"], 8.0),
    ("engine", "ours-bf16", "decode_1_at_2048", BF16, 1.5),
    ("engine", "ours-bf16", "decode_8_at_512", BF16, 1.3),
    ("engine", "ours-q8_0", "prefill_2048", ["llama-q8_0"], 3.0),
    ("engine", "ours-q8_0", "decode_1_at_2048", ["llama-q8_0"], 1.4),
    ("gemm", "ours-bf16", "2048x1024x3072", ["onednn-bf16"], 1.0),
    ("gemm", "ours-bf16", "2048x2048x2048", ["onednn-bf16"], 1.0),
    ("judge-short", "ours-bf16", "per_minute", SERVERS, 4.0),
    ("judge-long", "ours-bf16", "per_minute", SERVERS, 1.5),
    ("judge-short", "ours-bf16", "per_minute", ["package-bf16"], 10.0),
    ("judge-long", "ours-bf16", "per_minute", ["package-bf16"], 10.0),
    ("train", "ours", "tokens_per_second", ["pytorch"], 2.0),
]


def number(value: object) -> str:
    if not isinstance(value, int | float):
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def rows(results: dict, group: str, columns: dict[str, str], first: str) -> list[str]:
    found = {name.split("/")[1]: figures for name, figures in results.items() if name.startswith(f"{group}/")}
    if not found:
        return []
    lines = [f"| {first} | {' | '.join(columns.values())} |", f"|---|{'---|' * len(columns)}"]
    for name, figures in found.items():
        lines.append(f"| {TITLES[name]} | {' | '.join(number(figures.get(key)) for key in columns)} |")
    return [*lines, ""]


def bars(results: dict, judged: bool) -> list[str]:
    """`judged`: whether a ratio is held to its bar, or only reported."""
    lines = []
    for group, mine, key, others, bar in BARS:
        own = results.get(f"{group}/{mine}", {}).get(key)
        peers = {other: results.get(f"{group}/{other}", {}).get(key) for other in others}
        peers = {other: value for other, value in peers.items() if value}
        if own is None or not peers:
            continue
        best = max(peers, key=lambda other: peers[other])
        ratio = own / peers[best]
        what = ENGINE.get(key, key.replace("_", " "))
        verdict = f" | {bar:g} | {'yes' if ratio >= bar else 'no'} |" if judged else " |"
        lines.append(f"| {group}: {what}, {TITLES[mine]} to {TITLES[best]} | {ratio:.2f}{verdict}")
    head = (
        ["| ratio | measured | bar | reached |", "|---|---|---|---|"]
        if judged
        else ["| ratio | measured |", "|---|---|"]
    )
    return [*head, *lines, ""] if lines else []


def one(results: dict, isa: str, everything: dict) -> list[str]:
    machine = everything.get("machine", {})
    parts = [figures for figures in results.values() if isinstance(figures, dict)]
    dates = sorted({figures["date"] for figures in parts})
    versions = sorted({figures["version"] for figures in parts if "version" in figures})
    sets = "native instructions" if isa == "native" else "everybody held to AVX2"
    lines = [
        f"{machine.get('cpu')}, {', '.join(machine.get('flags', []))}; {machine.get('threads')} threads, {sets}.",
        f"{dates[0]} to {dates[-1]} UTC. {'; '.join(versions)}.",
        "",
        *rows(results, "engine", ENGINE, "tokens a second"),
        *rows(results, "gemm", {"2048x1024x3072": "2048x1024x3072", "2048x2048x2048": "2048^3"}, "bf16 GFLOP/s"),
    ]
    for name in ("short", "long"):
        facts = everything.get("items", {}).get(name)
        table = rows(
            results, f"judge-{name}", {"per_minute": "a minute", "items": "items"}, f"judgements, {name} prompts"
        )
        if table and facts:
            lines += table
            lines += [
                f"Prompts of {facts['min_prompt_tokens']} to {facts['max_prompt_tokens']} tokens, "
                + f"{facts['mean_prompt_tokens']} on average: {facts['rule']}. "
                + f"Verdicts of {everything['items']['verdict_tokens']} tokens.",
                "",
            ]
    lines += rows(results, "train", {"tokens_per_second": "tokens a second"}, "training step")
    if start := results.get("start/ours"):
        lines += [f"nano, one short request, whole process: median {start['median_ms']:.0f} ms of ten.", ""]
    # The bars are meant for machines with AMX; elsewhere, and for AVX2, there is only the table.
    return lines + bars(results, isa == "native" and "amx_bf16" in machine.get("flags", []))


def render(results: dict) -> str:
    lines: list[str] = []
    for isa in ("native", "avx2"):
        if results.get(isa):
            lines += one(results[isa], isa, results)
    return "\n".join(lines).rstrip()


def write(page: Path, text: str) -> None:
    """Puts the text between the two markers of a page.

    Raises ValueError where the page lacks them.
    """
    old = page.read_text()
    if old.count(BEGIN) != 1 or old.count(END) != 1:
        raise ValueError(f"{page}: expected the markers {BEGIN} and {END}, once each")
    head, tail = old.split(BEGIN)[0], old.split(END)[1]
    page.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}")
