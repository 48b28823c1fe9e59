"""Writes fixtures/dpo/: the loss of direct preference optimisation over pairs of replies, and its gradient, by PyTorch.

The policy is the model in fixtures/tiny-tied, the reference the same with noise on its log-probabilities.
`golden.json` holds the pairs, the mean loss, margins and accuracy; `golden.safetensors` the gradient of that loss by
the parameters of the first layer and of the last norm, in f32. Run from the root of the repository:

    python tools/reference/dpo.py
"""

import json
import pathlib

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import save_file
from transformers import Qwen3ForCausalLM

ROOT = pathlib.Path("fixtures")
BETA = 0.3
KEPT = ("model.layers.0.", "model.norm.")


def likelihoods(model, prompt: list[int], reply: list[int]) -> torch.Tensor:
    logits = model(torch.tensor([prompt + reply])).logits[0, len(prompt) - 1 : -1]
    return torch.log_softmax(logits, -1).gather(1, torch.tensor(reply)[:, None])[:, 0]


def main() -> None:
    transformers.utils.logging.set_verbosity_error()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(8)
    model = Qwen3ForCausalLM.from_pretrained(ROOT / "tiny-tied", attn_implementation="eager", dtype=torch.float32)
    model = model.eval()
    draw = lambda n: torch.randint(0, 368, (n,), generator=generator).tolist()
    margins, pairs = [], []
    for lengths in ((4, 11), (17, 3), (1, 1), (25, 25)):
        prompt = draw(7)
        pair, ratios = dict(prompt=prompt), []
        for side, length in zip(("chosen", "rejected"), lengths):
            reply = draw(length)
            own = likelihoods(model, prompt, reply)
            reference = own.detach() + 0.5 * torch.randn(length, generator=generator)
            pair[side] = dict(reply=reply, ref=reference.tolist())
            ratios.append(own.sum() - reference.sum())
        margins.append(BETA * (ratios[0] - ratios[1]))
        pairs.append(pair | dict(margin=margins[-1].item()))
    margins = torch.stack(margins)
    loss = -F.logsigmoid(margins).mean()
    loss.backward()
    gradients = {
        f"grad.{name}": weight.grad.contiguous() for name, weight in model.named_parameters() if name.startswith(KEPT)
    }
    golden = dict(torch=torch.__version__.split("+")[0], transformers=transformers.__version__, beta=BETA, pairs=pairs)
    golden |= dict(loss=loss.item(), margin=margins.mean().item(), accuracy=(margins > 0).float().mean().item())
    folder = ROOT / "dpo"
    folder.mkdir(exist_ok=True)
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
    save_file(gradients, folder / "golden.safetensors")
    print(folder, "loss", golden["loss"], "margins", margins.tolist())


if __name__ == "__main__":
    main()
