"""Tokens per second of PyTorch's training step on the model of `crates/train/examples/step_speed.rs`.

    python tools/peers/train_step.py [--steps N] [--threads N] [--compile] [--compute bf16|f32] [--json]

Qwen3 written out in plain torch (the modules that transformers would build, less what it does around them), with
`scaled_dot_product_attention` and the fused AdamW: forward, backward and update, in f32 and under bf16 autocast.
Needs torch alone.
"""

import argparse
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

VOCAB, HIDDEN, FEED_FORWARD, LAYERS, HEADS, KV_HEADS, HEAD_DIM = 8192, 256, 768, 6, 4, 2, 64
SEQUENCES, TOKENS, EPS, THETA = 8, 512, 1e-6, 10_000.0


def turn(x, cos, sin):
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-right, left), dim=-1) * sin


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        linear = lambda i, o: nn.Linear(i, o, bias=False)
        self.norm1, self.norm2 = nn.RMSNorm(HIDDEN, EPS), nn.RMSNorm(HIDDEN, EPS)
        self.q_norm, self.k_norm = nn.RMSNorm(HEAD_DIM, EPS), nn.RMSNorm(HEAD_DIM, EPS)
        self.q, self.o = linear(HIDDEN, HEADS * HEAD_DIM), linear(HEADS * HEAD_DIM, HIDDEN)
        self.k, self.v = linear(HIDDEN, KV_HEADS * HEAD_DIM), linear(HIDDEN, KV_HEADS * HEAD_DIM)
        self.gate, self.up = linear(HIDDEN, FEED_FORWARD), linear(HIDDEN, FEED_FORWARD)
        self.down = linear(FEED_FORWARD, HIDDEN)

    def forward(self, x, cos, sin):
        b, t, _ = x.shape
        y = self.norm1(x)
        heads = lambda z, n: z.view(b, t, n, HEAD_DIM)
        q = turn(self.q_norm(heads(self.q(y), HEADS)).transpose(1, 2), cos, sin)
        k = turn(self.k_norm(heads(self.k(y), KV_HEADS)).transpose(1, 2), cos, sin)
        v = heads(self.v(y), KV_HEADS).transpose(1, 2)
        q, k = q.to(v.dtype), k.to(v.dtype)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + self.o(y.transpose(1, 2).reshape(b, t, HEADS * HEAD_DIM))
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, HIDDEN)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = nn.RMSNorm(HIDDEN, EPS)
        frequencies = THETA ** (-torch.arange(0, HEAD_DIM, 2) / HEAD_DIM)
        angles = torch.outer(torch.arange(TOKENS), frequencies).repeat(1, 2)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, tokens):
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin)
        return F.linear(self.norm(x), self.embed.weight)


def measure(bf16, arguments):
    torch.manual_seed(1)
    model = Model()
    run = torch.compile(model) if arguments.compile else model
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.05, fused=True)
    tokens = torch.randint(VOCAB, (SEQUENCES, TOKENS + 1))
    times, losses = [], []
    for step in range(arguments.steps + 2):
        start = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = run(tokens[:, :-1])
            loss = F.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
        if step >= 2:
            times.append(time.perf_counter() - start)
    seconds = statistics.median(times)
    return {
        "engine": f"PyTorch {torch.__version__}",
        "compute": "bf16 autocast" if bf16 else "f32",
        "compiled": arguments.compile,
        "threads": torch.get_num_threads(),
        "tokens_per_second": SEQUENCES * TOKENS / seconds,
        "step_seconds": seconds,
        "first_loss": losses[0],
        "last_loss": losses[-1],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--compute", choices=["bf16", "f32"], help="one of the two alone")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for bf16 in (True, False):
        if arguments.compute == ("f32" if bf16 else "bf16"):
            continue
        result = measure(bf16, arguments)
        if arguments.json:
            print(json.dumps(result))
        else:
            print(f"{result['compute']}: {result['tokens_per_second']:.0f} tokens/s, {result['step_seconds']:.3f} s a step")


if __name__ == "__main__":
    main()
