"""`recipes/frameworks`, without the frameworks: the scripts run and say what they should, with names that the frameworks knew
when `tools/frameworks` wrote `frameworks.json`; they agree with each other and with the server; the data is what it has to be.
"""

import ast
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from test_client import command

RECIPES = pathlib.Path(__file__).parents[3] / "recipes/frameworks"
KNOWN = json.loads((pathlib.Path(__file__).parent / "frameworks.json").read_text("utf-8"))

pytestmark = pytest.mark.skipif(shutil.which("bash") is None or os.name == "nt", reason="the scripts want bash")


def said(script, tmp_path, **told):
    """The words with which a script starts its program."""
    shown = tmp_path / "shown.py"
    shown.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    shown.chmod(0o755)
    env = {**os.environ, "PYTHON": str(shown), "REWARDANYTHING": str(shown), **told}
    return json.loads(subprocess.run([RECIPES / script], env=env, capture_output=True, text=True, check=True).stdout)


def flags(words):
    """`--name value ...` as a table."""
    found = {}
    for word in words:
        if word.startswith("--"):
            found[word] = []
        elif found:
            found[next(reversed(found))].append(word)
    return {name: " ".join(values) for name, values in found.items()}


def overrides(words):
    """`name=value` as a table."""
    return dict(word.split("=", 1) for word in words if "=" in word)


def trl(name):
    tree = ast.parse((RECIPES / "trl/align.py").read_text("utf-8"))
    (value,) = (node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == name)
    return {word.arg: ast.literal_eval(word.value) for word in value.keywords}


def accelerate():
    """The few lines of YAML that there are: names, and names below them."""
    names, within = set(), ""
    for line in (RECIPES / "trl/accelerate.yaml").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            name, value = line.split(":", 1)
            within = within if name.startswith("  ") else name
            names.add(f"{within}.{name.strip()}" if name.startswith("  ") else name)
            assert value.strip() or name == "deepspeed_config", line
    return names


def test_every_name_is_known_to_its_framework(tmp_path):
    openrlhf, verl = said("openrlhf/align.sh", tmp_path), said("verl/align.sh", tmp_path)
    assert openrlhf[:2] == ["-m", "openrlhf.cli.train_ppo_ray"] and verl[:2] == ["-m", "verl.trainer.main_ppo"]
    names = {
        "openrlhf": set(flags(openrlhf)),
        "verl": {name.lstrip("+") for name in overrides(verl)},
        "trl": {*trl("SETTINGS"), *trl("DRY_RUN")},
        "accelerate": accelerate(),
    }
    assert set(KNOWN) == set(names)
    for framework, used in names.items():
        # verl's check sets where its own logs go.
        assert used == set(KNOWN[framework]["known"]) - {"hydra.run.dir"}, f"{framework}: `just test-frameworks` notes names anew"


def test_they_agree_with_each_other_and_with_the_server(tmp_path):
    openrlhf, server = flags(said("openrlhf/align.sh", tmp_path)), flags(said("serve.sh", tmp_path))
    verl = overrides(said("verl/align.sh", tmp_path))
    mine = trl("SETTINGS")
    replies = mine["per_device_train_batch_size"] * mine["gradient_accumulation_steps"]
    assert replies % mine["num_generations"] == 0, "no group may be cut between processes"

    def all_are(value, *others):
        assert {float(other) for other in others} == {float(value)}, others

    n, rollout = mine["num_generations"], "actor_rollout_ref.rollout"
    all_are(n, openrlhf["--rollout.n_samples_per_prompt"], verl[f"{rollout}.n"], server["--samples-per-prompt"])
    all_are(4 * replies / n, openrlhf["--rollout.batch_size"], verl["data.train_batch_size"])
    all_are(4 * replies, openrlhf["--train.batch_size"])
    all_are(mine["max_completion_length"], openrlhf["--rollout.max_new_tokens"], verl["data.max_response_length"])
    all_are(mine["beta"], openrlhf["--algo.kl.init_coef"], verl["actor_rollout_ref.actor.kl_loss_coef"])
    all_are(mine["learning_rate"], openrlhf["--actor.adam.lr"], verl["actor_rollout_ref.actor.optim.lr"])
    assert openrlhf["--actor.eps_clip_low_high"].split() == ["0.2", "0.28"] == [str(mine["epsilon"]), str(mine["epsilon_high"])]
    # OpenRLHF gives a call up after 180 seconds: waiting for siblings and judging must be over before.
    assert float(server["--group-wait"]) < float(server["--deadline"]) < 180
    assert "," not in openrlhf["--reward.remote_url"]
    assert verl["+reward.custom_reward_function.reward_kwargs.base_url"] == "http://127.0.0.1:8000"
    assert server["--principle"] == f"@{RECIPES}/principle.txt"


def prepare(tmp_path, rows, *more):
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    ran = [sys.executable, RECIPES / "prepare.py", tmp_path / "prompts.jsonl", tmp_path / "data", "--train", "4", "--held-out", "2", *more]
    return subprocess.run(ran, capture_output=True, text=True)


def rows_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_prepared_rows_have_what_each_framework_reads(tmp_path):
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Why?"}]
    asked = [{"prompt": f"Grüße {n}?", "id": n} for n in range(5)] + [{"prompt": talk}, {"prompt": "Grüße 1?"}]
    assert prepare(tmp_path, asked).returncode == 0
    train, held_out = rows_of(tmp_path / "data/train.jsonl"), rows_of(tmp_path / "data/held-out.jsonl")
    assert (len(train), len(held_out)) == (4, 2)
    seen = [json.dumps(row["prompt"]) for row in train + held_out]
    assert len(set(seen)) == 6, "nothing twice, nothing on both sides"
    principle = (RECIPES / "principle.txt").read_text("utf-8").strip()
    for row in train + held_out:
        assert row["principle"] == row["extra_info"]["principle"] == principle
        assert row["prompt"][-1]["role"] == "user" and row["question"] == row["extra_info"]["question"]
        assert row["data_source"] and row["reward_model"]["ground_truth"] == ""
    (longer,) = (row for row in train + held_out if len(row["prompt"]) > 1)
    assert longer["question"] == "user: Hi\n\nassistant: Hello\n\nuser: Why?"
    again = (tmp_path / "data/train.jsonl").read_bytes()
    assert prepare(tmp_path, asked).returncode == 0 and (tmp_path / "data/train.jsonl").read_bytes() == again
    assert prepare(tmp_path, asked, "--seed", "1").returncode == 0 and (tmp_path / "data/train.jsonl").read_bytes() != again


def test_prompts_that_will_not_do_are_named(tmp_path):
    few = prepare(tmp_path, [{"prompt": "a"}, {"prompt": "a"}])
    assert few.returncode == 1 and "expected 6 different prompts, 2 of them held out, got 1" in few.stderr
    broken = prepare(tmp_path, [{"prompt": "a"}, {"text": "b"}])
    assert broken.returncode == 1 and "prompts.jsonl: line 2: expected a prompt" in broken.stderr


def test_the_server_judges_openrlhfs_samples_in_one_group(tmp_path):
    program = command()
    if program is None:
        pytest.skip("the command is not built: cargo build -p rewardanything-cli")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "shorter.txt").write_text("The shorter the answer, the better.")
    told = {"REWARDANYTHING": str(program), "JUDGE": "nano", "PORT": str(port), "PRINCIPLE": str(tmp_path / "shorter.txt")}
    url = f"http://127.0.0.1:{port}"
    flag = flags(said("openrlhf/align.sh", tmp_path, JUDGE_URL=url))
    prompt = flag["--data.input_template"].format("What is the capital of France?")
    texts = ["Paris." + " It is, of course, the city of Paris." * place for place in range(8)]

    def call(text):
        body = json.dumps({"query": [f"{prompt}{text}<|im_end|>"], "prompts": [prompt], "labels": [""]}).encode()
        asked = urllib.request.Request(flag["--reward.remote_url"], body, {"content-type": "application/json"})
        return json.loads(urllib.request.urlopen(asked, timeout=60).read())

    with subprocess.Popen([RECIPES / "serve.sh", "--threads", "2", "--log", "off"], env={**os.environ, **told}) as server:
        try:
            for _ in range(200):
                try:
                    urllib.request.urlopen(f"{url}/readyz")
                    break
                except urllib.error.URLError:
                    assert server.poll() is None, "the server ended"
                    time.sleep(0.05)
            with ThreadPoolExecutor(len(texts)) as calls:
                answers = list(calls.map(call, texts))
        finally:
            server.terminate()
    assert [answer["extra_logs"]["judge_siblings"] for answer in answers] == [[8.0]] * 8
    assert [answer["extra_logs"]["judge_failed"] for answer in answers] == [[0.0]] * 8
    assert answers[0]["rewards"][0] > answers[-1]["rewards"][0]
