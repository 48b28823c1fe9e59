"""Writes fixtures/lora.json: one adapted matrix, its gradient and the adapters' gradients by PyTorch's autograd.

Needs torch (requirements.txt). Run from the root of the repository:

    python tools/reference/lora.py
"""

import json
import pathlib

import torch

torch.manual_seed(11)
rows, columns, rank, alpha = 8, 6, 3, 5.0
base = torch.randn(rows, columns)
a = torch.randn(rank, columns, requires_grad=True)
b = torch.randn(rows, rank, requires_grad=True)
merged = base + alpha / rank * (b @ a)
merged.retain_grad()
x, y = torch.randn(4, columns), torch.randn(4, rows)
loss = ((x @ merged.T).tanh() * y).sum()
loss.backward()


def flat(tensor):
    return tensor.detach().flatten().tolist()


out = {
    "rank": rank,
    "alpha": alpha,
    "base": flat(base),
    "a": flat(a),
    "b": flat(b),
    "d_merged": flat(merged.grad),
    "merged": flat(merged),
    "d_a": flat(a.grad),
    "d_b": flat(b.grad),
}
pathlib.Path("fixtures/lora.json").write_text(json.dumps(out) + "\n")
