"""The judge inside, from Python."""

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import pytest

import rewardanything
from rewardanything import Judge, NoVerdict, RewardRequest

SHORTER = "The shorter the answer, the better."
ASKED = "What is the capital of France?"
ANSWERS = {"long": "The capital of France is the old and famous city of Paris, on the Seine.", "brief": "Paris."}


@pytest.fixture(scope="module")
def judge():
    return Judge()


def test_a_verdict_is_by_name_and_in_the_order_of_the_request(judge):
    result = judge.judge(SHORTER, ASKED, ANSWERS)
    assert list(result.scores) == ["long", "brief"] and result.ranking == ["brief", "long"]
    assert all(1 <= score <= 5 for score in result.scores.values())
    assert "brief:" in result.reasoning and "model-" not in result.reasoning
    for name, weights in result.distributions.items():
        assert abs(sum(weights) - 1) < 1e-6
        assert abs(sum(score * weight for score, weight in enumerate(weights, 1)) - result.soft[name]) < 1e-9
    assert result.usage.prompt_tokens > 0 and result.votes is None and result.raw_output


def test_one_request_is_the_same_in_any_form_and_batch(judge):
    alone = judge.judge(SHORTER, ASKED, ANSWERS)
    batch = judge.judge_batch(
        [
            RewardRequest(SHORTER, ASKED, ANSWERS),
            {"principle": SHORTER, "prompt": ASKED, "responses": ANSWERS},
            (SHORTER, ASKED, list(ANSWERS.values())),
            (SHORTER, "Capital of Spain?", ["Madrid."]),
        ]
    )
    assert batch[0] == batch[1] == alone
    assert batch[2].scores == {"0": alone.scores["long"], "1": alone.scores["brief"]}
    assert list(batch[3].scores) == ["0"]
    assert rewardanything.judge(SHORTER, ASKED, ANSWERS) == alone
    assert asyncio.run(judge.judge_async(SHORTER, ASKED, ANSWERS)) == alone


def test_texts_of_numpy_are_texts(judge):
    numpy = pytest.importorskip("numpy")
    texts = numpy.array(list(ANSWERS.values()), dtype=object)
    assert judge.judge(SHORTER, ASKED, texts).ranking == ["1", "0"]
    assert judge.judge(SHORTER, ASKED, numpy.array(list(ANSWERS.values()))).ranking == ["1", "0"]


def test_several_runs_vote():
    result = Judge(permutations=2).judge(SHORTER, ASKED, ANSWERS)
    assert (result.votes.asked, result.votes.answered) == (2, 2) and 0 <= result.votes.agreement <= 1


def test_a_request_without_a_verdict_leaves_the_others_alone():
    judge = Judge()
    requests = [(SHORTER, ASKED, ["a b", "c"]), (SHORTER, ASKED, ["a"] * (judge.max_responses + 1)), (SHORTER, ASKED, ["d"])]
    results = judge.judge_batch(requests, errors="return")
    assert isinstance(results[1], NoVerdict) and (results[1].kind, results[1].index) == ("too_many_responses", 1)
    assert list(results[0].scores) == ["0", "1"] and list(results[2].scores) == ["0"]
    with pytest.raises(NoVerdict) as raised:
        judge.judge_batch(requests)
    assert raised.value.results[0] == results[0] and raised.value.index == 1
    with pytest.raises(NoVerdict):
        judge.judge(*requests[1])


def test_what_cannot_be_asked_is_refused_by_its_field(judge):
    def check(call, kind, text):
        with pytest.raises(kind, match=text):
            call()

    check(lambda: judge.judge("", ASKED, ANSWERS), ValueError, r"^principle: ")
    check(lambda: judge.judge(SHORTER, 7, ANSWERS), TypeError, r"^prompt: ")
    check(lambda: judge.judge(SHORTER, ASKED, "Paris."), TypeError, r"^responses: ")
    check(lambda: judge.judge(SHORTER, ASKED, {}), ValueError, r"^responses: ")
    check(lambda: judge.judge(SHORTER, ASKED, {"a": None}), TypeError, r"^responses\['a'\]: ")
    check(lambda: judge.judge_batch([(SHORTER, ASKED, ["a"]), (SHORTER, " ", ["a"])]), ValueError, r"^requests\[1\]\.prompt: ")
    check(lambda: judge.judge_batch([{"prompt": "q"}]), ValueError, r"^requests\[0\]\.principle: ")
    check(lambda: judge.judge_batch([3]), TypeError, r"^requests\[0\]: ")
    kept = RewardRequest(SHORTER, " ", ["a"], mask_responses=False)
    check(lambda: judge.judge_batch([(SHORTER, ASKED, ["a"]), kept]), ValueError, r"^requests\[1\]\.prompt: ")
    check(lambda: judge.judge_batch([], errors="ignore"), ValueError, r"^errors: ")
    check(lambda: Judge("no such thing"), ValueError, r"^model: ")
    check(lambda: Judge("nobody/nothing"), ValueError, r"^model: .*model pull")
    check(lambda: Judge(seed="x"), TypeError, r"^seed: ")
    check(lambda: Judge(temperature=-1), ValueError, r"^temperature: ")
    check(lambda: Judge(samples=2), ValueError, r"^samples: ")
    check(lambda: Judge(permutations=0), ValueError, r"^permutations: ")
    check(lambda: Judge(decoding="beam"), ValueError, r"^decoding: ")
    check(lambda: Judge(decoding="branches", thinking=True), ValueError, r"^thinking: ")
    check(lambda: Judge(profile="published"), ValueError, r"^system_prompt: ")
    check(lambda: Judge(timeout=0), ValueError, r"^timeout: ")
    check(lambda: Judge("http://[::1"), ValueError, r"^model: ")
    check(lambda: Judge("http://127.0.0.1:1"), RuntimeError, r"^model: ")


def test_a_judge_can_be_sent_elsewhere(judge):
    again = pickle.loads(pickle.dumps(Judge(permutations=2)))
    assert again.judge(SHORTER, ASKED, ANSWERS).votes.asked == 2
    assert "nano" in repr(again)


def test_other_threads_run_while_it_judges(judge):
    requests = [(SHORTER, f"{ASKED} {n}", ANSWERS) for n in range(40)]
    done = threading.Event()
    worker = threading.Thread(target=lambda: (judge.judge_batch(requests), done.set()))
    began = time.perf_counter()
    worker.start()
    longest, last = 0.0, began
    while not done.is_set():
        time.sleep(0.001)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    worker.join()
    took = time.perf_counter() - began
    # Held all the time, the lock would make the longest pause as long as the judging.
    assert longest < max(0.5 * took, 0.1), (longest, took)


def test_judging_can_be_interrupted():
    code = (
        "import signal, rewardanything\n"
        # Shells start what runs behind them deaf to interrupts.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "judge = rewardanything.Judge()\n"
        "print('ready', flush=True)\n"
        "try:\n"
        f"    judge.judge_batch([({SHORTER!r}, str(n), ['word ' * 20, 'two words']) for n in range(20000)])\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', judge.judge('Shorter.', 'q', ['a']).ranking, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        began = time.perf_counter()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted ['0']\n"
        assert time.perf_counter() - began < 15
        process.wait(30)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_fork_is_told_instead_of_hanging():
    code = (
        "import os, rewardanything\n"
        "judge = rewardanything.Judge()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    for call in (lambda: judge.judge('Shorter.', 'q', ['a']), rewardanything.Judge):\n"
        "        try:\n"
        "            call()\n"
        "            os._exit(1)\n"
        "        except RuntimeError as error:\n"
        "            assert 'fork' in str(error)\n"
        "    os._exit(7)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "7\n", ran
