"""`recipes/frameworks/trl` as it stands: its script makes a real step on a processor, in one process and in two, with verdicts
of a real server; its settings and its accelerate file go through their own code.

What it checks: whole groups reach the judge from each process, every sample has a reward, and TRL, transformers, accelerate
and DeepSpeed's plugin take what is configured.
"""

import ast
import dataclasses
import json
import os
import subprocess
import sys

from scale import RECIPES, ROOT, judged, record, scene

SCRIPT = RECIPES / "trl/align.py"
ACCELERATE = RECIPES / "trl/accelerate.yaml"


def settings():
    """`SETTINGS` and `DRY_RUN` of the script."""
    tree = ast.parse(SCRIPT.read_text())
    found = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}
    return [{word.arg: ast.literal_eval(word.value) for word in found[name].keywords} for name in ("SETTINGS", "DRY_RUN")]


def step(folder, url, launcher, processes):
    before = judged(url)
    command = [*launcher, str(SCRIPT), "--dry-run", "--model", str(ROOT / "models/nano"), "--data", str(folder / "data")]
    command += ["--judge", url, "--output", str(folder / f"out-{processes}")]
    env = os.environ | {"PYTHONPATH": str(ROOT / "bindings/python/python"), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    ran = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    (entry,) = json.loads(next(line for line in ran.stdout.splitlines() if line.startswith("[{")))
    groups = judged(url) - before
    # Two whole groups for each process: a group that was cut would be judged as two.
    assert groups == 2 * processes, groups
    assert 1 <= entry["rewards/judge/mean"] <= 5 and entry["judge/without_verdict"] == 0, entry
    assert entry["rewards/judge/std"] > 0 and entry["frac_reward_zero_std"] < 1, "the judge told nobody apart"
    print(f"TRL: one step in {processes} process(es), {groups:.0f} groups judged, mean reward {entry['reward']:.3f}")


def launched():
    """What accelerate makes of its file: the environment of the processes, and DeepSpeed's configuration in it."""
    from accelerate.commands import launch

    arguments = launch.launch_command_parser().parse_args(["--config_file", str(ACCELERATE), str(SCRIPT)])
    arguments, defaults, _ = launch._validate_launch_command(arguments)
    arguments.deepspeed_fields_from_accelerate_config = ",".join(defaults.deepspeed_config)
    command, env = launch.prepare_deepspeed_cmd_env(arguments)
    assert arguments.num_processes == 4 and env["ACCELERATE_USE_DEEPSPEED"] == "true", env
    code = (
        "from accelerate import DeepSpeedPlugin\n"
        "config = DeepSpeedPlugin().deepspeed_config\n"
        "assert config['zero_optimization']['stage'] == 3, config\n"
        "assert config['zero_optimization']['stage3_gather_16bit_weights_on_model_save'], config\n"
    )
    subprocess.run([sys.executable, "-c", code], env=os.environ | env, check=True)


def main():
    import yaml
    from trl import GRPOConfig

    real, dry = settings()
    names = {field.name for field in dataclasses.fields(GRPOConfig)}
    assert set(real) | set(dry) <= names, (set(real) | set(dry)) - names
    # Without a GPU its bf16 is refused, unless a processor is asked for.
    made = GRPOConfig(output_dir="unused", use_cpu=True, **real)
    assert made.generation_batch_size % real["num_generations"] == 0
    launched()
    keys = yaml.safe_load(ACCELERATE.read_text())
    with scene() as (folder, url):
        step(folder, url, [sys.executable], 1)
        step(folder, url, [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"], 2)
    record("trl", "trl", {*real, *dry})
    record("accelerate", "accelerate", {*keys, *(f"deepspeed_config.{key}" for key in keys["deepspeed_config"])})


if __name__ == "__main__":
    sys.exit(main())
