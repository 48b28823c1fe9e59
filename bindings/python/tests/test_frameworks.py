"""The adapters, called in the shapes in which the frameworks call them (TRL 1.16, verl 0.9, OpenRLHF 0.11, slime 0.3)."""

import asyncio
import functools
import importlib.util
import inspect
import pickle
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from test_groups import Counting

from rewardanything import Judge
from rewardanything.integrations import openrlhf, slime, trl, verl

SHORTER = "The shorter the answer, the better."
ASKED = "What is the capital of France?"
BRIEF, LONG = "Paris.", "The capital of France is the old and famous city of Paris, on the Seine."


def test_no_framework_is_imported():
    code = (
        "import sys, rewardanything\n"
        "from rewardanything.integrations import openrlhf, slime, trl, verl\n"
        "found = {'torch', 'transformers', 'numpy', 'trl.trainer', 'ray', 'tensordict', 'requests'} & set(sys.modules)\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def trl_call(prompts, completions, **columns):
    """TRL's keywords: ids beside texts, every column of the data set, its state, and its two ways to log."""
    logged = {}
    keywords = {
        "prompts": prompts,
        "completions": completions,
        "completion_ids": [[1, 2]] * len(prompts),
        "trainer_state": SimpleNamespace(global_step=1),
        "log_extra": lambda column, values: None,
        "log_metric": lambda name, value: logged.update({name: value}),
        **columns,
    }
    return keywords, logged


def test_trl_sync_and_async():
    prompts = [[{"role": "user", "content": ASKED}]] * 2
    completions = [[{"role": "assistant", "content": text}] for text in (LONG, BRIEF)]
    keywords, logged = trl_call(prompts, completions, answer=["Paris"] * 2)
    function = trl.reward_function(SHORTER, reward="rank")
    assert function(**keywords) == [0.0, 1.0] and logged == {"rewardanything/without_verdict": 0.0}
    awaited = trl.async_reward_function(SHORTER, reward="rank")
    assert inspect.iscoroutinefunction(awaited.__call__) and not inspect.iscoroutinefunction(function.__call__)
    assert asyncio.run(awaited(**keywords)) == [0.0, 1.0]
    assert (function.__name__, awaited.__name__) == ("rewardanything", "rewardanything")


def test_trl_takes_principles_from_a_column_and_cut_groups():
    judge = Counting()
    function = trl.reward_function(judge=judge, reward="score")
    keywords, logged = trl_call(["a", "b", "b", "b"], ["1", "2", "?", "3"], principle=["p", "p", "p", "q"])
    assert function(**keywords) == [1.0, None, None, 3.0]
    assert judge.asked == [[["1"], ["2", "?"], ["3"]]] and logged["rewardanything/without_verdict"] == 0.5
    with pytest.raises(ValueError, match="^principle: "):
        function(**trl_call(["a"], ["1"])[0])
    by_column = trl.reward(**trl_call([ASKED, ASKED], [BRIEF, LONG], principle=[SHORTER] * 2)[0])
    assert by_column[0] > by_column[1]


def test_trl_functions_travel_to_other_processes():
    for make in (trl.reward_function, trl.async_reward_function):
        function = pickle.loads(pickle.dumps(make(SHORTER, judge=Judge(), reward="rank", name="brevity")))
        assert function.__name__ == "brevity"
    assert pickle.loads(pickle.dumps(trl.reward_function(SHORTER, reward="rank")))([ASKED] * 2, [BRIEF, LONG]) == [1.0, 0.0]


def chat(text):
    return f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"


def openrlhf_calls(function, samples):
    """One sample a call, each on a thread of its own and all at once, lists of one; as its executor does it."""

    async def all_of_them():
        prompts = [(chat(prompt), response, label) for prompt, response, label in samples]
        calls = [
            asyncio.to_thread(function, [prompt + response + "<|im_end|>"], [prompt], [label])
            for prompt, response, label in prompts
        ]
        return await asyncio.gather(*calls)

    return asyncio.run(all_of_them())


def test_openrlhf_judges_a_group_together():
    judge = Counting()
    function = openrlhf.reward_function("p", n=3, judge=judge, reward="score")
    answers = openrlhf_calls(function, [("q", "5", None), ("q", "1", None), ("q", "3", None)])
    assert [list(map(float, answer["rewards"])) for answer in answers] == [[5.0], [1.0], [3.0]]
    assert [list(map(float, answer["scores"])) for answer in answers] == [[1.0], [0.0], [0.5]]
    assert judge.asked == [[["1", "3", "5"]]], "once, in an order of its own"
    assert {key: [float(answer["extra_logs"][key][0]) for answer in answers] for key in answers[0]["extra_logs"]} == {
        "judge_score": [5.0, 1.0, 3.0],
        "judge_rank": [0.0, 2.0, 1.0],
        "judge_siblings": [3.0] * 3,
        "judge_failed": [0.0] * 3,
    }


def test_openrlhf_a_short_group_is_judged_in_time_and_a_failure_is_neutral():
    function = openrlhf.reward_function(n=4, wait=0.2, judge=Counting(), reward="score")
    began = time.perf_counter()
    answers = openrlhf_calls(function, [("q", "5", "p"), ("q", "?", "p"), ("r", "2", "p")])
    assert 0.15 < time.perf_counter() - began < 5
    assert [float(answer["rewards"][0]) for answer in answers] == [3.0, 3.0, 2.0]
    assert [float(answer["extra_logs"]["judge_failed"][0]) for answer in answers] == [1.0, 1.0, 0.0]
    assert len({tuple(answer["extra_logs"]) for answer in answers}) == 1
    with pytest.raises(ValueError, match=r"^labels\[0\]: "):
        function(["q"], [""], [None])


def test_openrlhf_gives_tensors_where_there_is_torch():
    if importlib.util.find_spec("torch") is None:
        pytest.skip("no torch here")
    import torch

    answer = openrlhf.reward_function(SHORTER)([chat(ASKED) + BRIEF], [chat(ASKED)], [None])
    assert all(isinstance(answer[key], torch.Tensor) for key in ("rewards", "scores"))


def test_a_failing_judge_reaches_everybody():
    class Broken:
        def judge_batch(self, requests, errors):
            raise OSError("gone")

    function = openrlhf.reward_function("p", n=2, judge=Broken())
    with pytest.raises(OSError, match="gone"):
        openrlhf_calls(function, [("q", "1", None), ("q", "2", None)])


def test_urls_have_no_comma():
    url = openrlhf.reward_url("http://judge:8000/", "First this, then that & more.", n=8, scale="raw")
    assert url == "http://judge:8000/get_reward?principle=First%20this%2C%20then%20that%20%26%20more.&n=8&scale=raw"
    assert slime.reward_url("http://judge:8000", "x", n=2).startswith("http://judge:8000/rewards/slime?principle=x&n=2")


def test_slime_gets_a_group_and_in_evaluation_one():
    judge = Counting()
    function = slime.group_function("p", judge=judge, reward="score")

    def sample(prompt, response, **more):
        return SimpleNamespace(prompt=prompt, response=response, label=None, **more)

    messages = [{"role": "user", "content": "q"}]
    assert inspect.iscoroutinefunction(function)
    assert asyncio.run(function(SimpleNamespace(), [sample(chat("q"), "4<|im_end|>"), sample(messages, "2")])) == [4.0, 2.0]
    assert judge.asked == [[["4", "2"]]]
    assert asyncio.run(function(SimpleNamespace(), sample("q", "2"))) == 2.0
    by_sample = slime.group_function(judge=judge, reward="score")
    two = [sample("q", "?", metadata={"principle": "p"}), sample("q", "2", metadata={"principle": "r"})]
    assert asyncio.run(by_sample(SimpleNamespace(), two)) == [3.0, 2.0]
    with pytest.raises(ValueError, match=r"^samples\[0\]\.metadata: "):
        asyncio.run(by_sample(SimpleNamespace(), [sample("q", "1")]))


def verl_call(text, **settings):
    """verl's naive manager: keywords, one sample, what its loop adds to the row, and the settings as a partial."""
    bound = functools.partial(verl.compute_score, **settings)
    row = {"question": "q", "index": 3, "num_turns": 1, "rollout_reward_scores": {}}
    return bound(data_source="mine", solution_str=text, ground_truth="", extra_info=row)


def test_verl_scores_samples_with_the_same_keys():
    judge = Counting()
    settings = {"principle": "p", "n": 3, "wait": 5, "judge": judge, "reward": "score"}

    async def all_of_them():
        return await asyncio.gather(*(verl_call(text, **settings) for text in ("2", "4", "3")))

    scored = asyncio.run(all_of_them())
    assert [one["score"] for one in scored] == [2.0, 4.0, 3.0] and judge.asked == [[["2", "3", "4"]]]
    failed = asyncio.run(verl_call("?", principle="p", judge=judge))
    assert list(failed) == list(scored[0]) and (failed["score"], failed["judge_failed"]) == (3.0, 1.0)
    assert all(isinstance(value, float) for value in failed.values())
    with pytest.raises(ValueError, match="^extra_info: "):
        asyncio.run(verl.compute_score("mine", "x", "", {}, principle="p"))


class Base:
    """In the place of verl's base class, with its constructor."""

    def __init__(self, config, tokenizer, compute_score):
        self.config, self.tokenizer, self.compute_score = config, tokenizer, compute_score


class Row:
    """In the place of verl's batch: slices are batches, and an item has tensors and what is none."""

    def __init__(self, items):
        self.items = items

    def __getitem__(self, place):
        return Row(self.items[place]) if isinstance(place, slice) else self.items[place]

    def __len__(self):
        return len(self.items)


def test_verls_manager_sends_whole_groups_by_uid():
    numpy = pytest.importorskip("numpy")
    judge = Counting()
    config = {
        "reward": {"custom_reward_function": {"reward_kwargs": {"principle": "p", "judge": judge, "reward": "score", "wait": 5}}},
        "actor_rollout_ref": {"rollout": {"n": 2}},
    }
    tokenizer = SimpleNamespace(decode=lambda ids, skip_special_tokens: "".join(chr(token) for token in ids))
    manager = type("Manager", (verl.GroupManager, Base), {})(config, tokenizer, None, reward_router_address=None, reward_model_tokenizer=None)

    def data(uid, session, text):
        responses = numpy.array([*map(ord, text), 0, 0])
        mask = numpy.array([1, 1, 1, *[1] * len(text), 0, 0])
        told = {
            "uid": uid, "session_id": session, "data_source": "mine", "extra_info": {},
            "reward_model": {"ground_truth": ""}, "raw_prompt": numpy.array([{"role": "user", "content": "q"}], dtype=object),
        }
        return Row([SimpleNamespace(batch={"responses": responses, "attention_mask": mask}, non_tensor_batch=told)])

    async def all_of_them():
        calls = [data("b", 1, "5"), data("a", 0, "2"), data("b", 0, "3"), data("a", 1, "4")]
        return await asyncio.gather(*(manager.run_single(call) for call in calls))

    answers = asyncio.run(all_of_them())
    assert [answer["reward_score"] for answer in answers] == [5.0, 2.0, 3.0, 4.0]
    assert sorted(part for call in judge.asked for part in call) == [["2", "4"], ["3", "5"]], "equal prompts, two uids"
    assert list(answers[0]["reward_extra_info"]) == ["score", "judge_score", "judge_rank", "judge_siblings", "judge_failed"]


def test_groups_are_whole_whoever_comes_when():
    judge = Counting()
    function = openrlhf.reward_function("p", n=4, judge=judge, reward="score", wait=30)
    found = {}

    def call(prompt, text):
        found[prompt, text] = float(function([chat(prompt) + text], [chat(prompt)], [None])["rewards"][0])

    threads = [threading.Thread(target=call, args=(f"q{q}", str(text))) for text in (1, 2, 3, 4) for q in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == {(f"q{q}", str(text)): float(text) for text in (1, 2, 3, 4) for q in range(20)}
    assert sorted(part for asked in judge.asked for part in asked) == [["1", "2", "3", "4"]] * 20
