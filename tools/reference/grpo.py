"""Writes fixtures/grpo/: advantages, losses and gradients of group relative policy optimisation by PyTorch's autograd.

`golden.json` holds random groups with every part of the loss, in f64, and one batch of replies of the model in
fixtures/tiny-tied; `golden.safetensors` the gradient of that batch's loss by every parameter of the model, in f32.
Run from the root of the repository:

    python tools/reference/grpo.py
"""

import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file
from transformers import Qwen3ForCausalLM

ROOT = pathlib.Path("fixtures")
EPSILON = 1e-4
CONFIGS = [
    dict(clip_low=0.2, clip_high=0.2, beta=0.0),
    dict(clip_low=0.2, clip_high=0.28, beta=0.04),
    dict(clip_low=0.05, clip_high=0.4, beta=1.0),
]


def advantages(rewards: torch.Tensor, scale: str) -> torch.Tensor:
    centred = rewards - rewards.mean()
    return centred / (rewards.std(unbiased=True) + EPSILON) if scale == "std" else centred


def objective(new, old, ref, advantage, config):
    """Per token; also k3 and whether the clip decides."""
    ratio = torch.exp(new - old)
    clipped = torch.clamp(ratio, 1 - config["clip_low"], 1 + config["clip_high"])
    k3 = torch.exp(ref - new) - (ref - new) - 1
    return torch.minimum(ratio * advantage, clipped * advantage) - config["beta"] * k3, k3


def total(parts: list[torch.Tensor], normalise: str) -> torch.Tensor:
    if normalise == "sequence":
        return -torch.stack([part.mean() for part in parts]).mean()
    return -torch.cat(parts).mean()


def group(generator: torch.Generator, lengths: list[int]) -> dict:
    draw = lambda n, spread: (spread * torch.randn(n, generator=generator, dtype=torch.float64)).tolist()
    rewards = torch.rand(len(lengths), generator=generator, dtype=torch.float64)
    replies = []
    for length in lengths:
        old = [-abs(x) for x in draw(length, 1.5)]
        new = [x + y for x, y in zip(old, draw(length, 0.25))]
        ref = [x + y for x, y in zip(old, draw(length, 0.4))]
        replies.append(dict(new=new, old=old, ref=ref))
    cases = []
    for scale in ("std", "none"):
        values = advantages(rewards, scale)
        for config in CONFIGS:
            for normalise in ("sequence", "token"):
                news = [torch.tensor(r["new"], dtype=torch.float64, requires_grad=True) for r in replies]
                parts, k3 = [], []
                for reply, new, value in zip(replies, news, values):
                    old, ref = (torch.tensor(reply[k], dtype=torch.float64) for k in ("old", "ref"))
                    part, kl = objective(new, old, ref, value, config)
                    parts.append(part)
                    k3.append(kl)
                loss = total(parts, normalise)
                slopes = torch.autograd.grad(loss, news)
                cases.append(
                    dict(
                        scale=scale,
                        normalise=normalise,
                        **config,
                        advantages=values.tolist(),
                        loss=loss.item(),
                        kl=torch.cat(k3).mean().item(),
                        slopes=[s.tolist() for s in slopes],
                    )
                )
    return dict(rewards=rewards.tolist(), replies=replies, cases=cases)


def model_case() -> tuple[dict, dict[str, torch.Tensor]]:
    """Replies of random tokens; the old and the reference policy are the model with noise on its log-probabilities."""
    generator = torch.Generator().manual_seed(5)
    model = Qwen3ForCausalLM.from_pretrained(ROOT / "tiny-tied", attn_implementation="eager", dtype=torch.float32)
    model = model.eval()
    config = dict(clip_low=0.2, clip_high=0.28, beta=0.3)
    rewards = torch.tensor([0.1, 0.9, 0.4, 0.55], dtype=torch.float64)
    values = advantages(rewards, "std")
    shapes = [(9, 5), (9, 12), (9, 1), (9, 30)]
    prompt = torch.randint(0, 368, (9,), generator=generator).tolist()
    parts, replies = [], []
    for (_, length), value in zip(shapes, values):
        reply = torch.randint(0, 368, (length,), generator=generator).tolist()
        tokens = prompt + reply
        logits = model(torch.tensor([tokens])).logits[0, len(prompt) - 1 : -1]
        distribution = torch.log_softmax(logits, -1)
        new = distribution.gather(1, torch.tensor(reply)[:, None])[:, 0]
        entropy = -(distribution.exp() * distribution).sum(-1)
        noise = torch.randn(2, length, generator=generator)
        old, ref = new.detach() + 0.25 * noise[0], new.detach() + 0.4 * noise[1]
        part, _ = objective(new, old, ref, value.float(), config)
        parts.append(part)
        replies.append(
            dict(reply=reply, old=old.tolist(), ref=ref.tolist(), new=new.tolist(), entropy=entropy.tolist())
        )
    losses = {}
    for normalise in ("sequence", "token"):
        losses[normalise] = total(parts, normalise)
    losses["sequence"].backward()
    gradients = {f"grad.{name}": weight.grad.contiguous() for name, weight in model.named_parameters()}
    golden = dict(prompt=prompt, replies=replies, rewards=rewards.tolist(), **config)
    golden["loss"] = {name: loss.item() for name, loss in losses.items()}
    return golden, gradients


def main() -> None:
    transformers.utils.logging.set_verbosity_error()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(20)
    groups = [group(generator, lengths) for lengths in ([3, 3], [1, 7, 4], [5, 2, 9, 1, 6, 3])]
    model, gradients = model_case()
    folder = ROOT / "grpo"
    folder.mkdir(exist_ok=True)
    golden = dict(torch=torch.__version__.split("+")[0], transformers=transformers.__version__, epsilon=EPSILON)
    golden |= dict(groups=groups, model=model)
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
    save_file(gradients, folder / "golden.safetensors")
    print(folder, len(groups), "groups, loss", model["loss"])


if __name__ == "__main__":
    main()
