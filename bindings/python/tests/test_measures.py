"""Rewards and metrics: numbers from elsewhere, and by hand."""

import json
import math
import pathlib

import pytest

from rewardanything import metrics, rewards

FIXTURES = pathlib.Path(__file__).parent / "../../../fixtures"
REPLY = (
    "<think>\nThe principle asks for few words; the first response has fewer.\n</think>\n"
    '{"scores": {"model-1": 4, "model-2": 2}, "best-to-worst": ["model-1", "model-2"]}'
)


def test_tau_b_is_scipys():
    cases = json.loads((FIXTURES / "tau_b.json").read_text())["cases"]
    assert len(cases) >= 90
    for case in cases:
        ours = metrics.kendall_tau_b(case["a"], case["b"])
        if case["tau_b"] is None:
            assert ours is None, case
        else:
            assert math.isclose(ours, case["tau_b"], abs_tol=1e-12), case


def test_arrays_are_lists():
    numpy = pytest.importorskip("numpy")
    predicted, gold = [4.0, 4.0, 1.0], [5, 3, 3]
    for kind in ("float64", "float32", "int64"):
        array, other = numpy.array(predicted).astype(kind), numpy.array(gold).astype(kind)
        assert metrics.pairwise(array, other) == metrics.pairwise(predicted, gold) == (1, 1, 0)
        assert metrics.ndcg(array, other) == metrics.ndcg(predicted, gold)
        assert metrics.kendall_tau_b(array, other) == metrics.kendall_tau_b(predicted, gold)
        assert metrics.score_variance(array) == metrics.score_variance(predicted) == 2.0
    assert metrics.pairwise(numpy.array([numpy.nan, 1.0]), [1, 2]) == metrics.pairwise([None, 1], [1, 2]) == (0, 0, 1)
    assert rewards.grpl_reward(REPLY, numpy.array([5, 2])) == rewards.grpl_reward(REPLY, [5, 2])
    assert metrics.bootstrap_interval(numpy.ones(3), numpy.ones(3)) == (1.0, 1.0)


def test_the_reward_is_the_sum_that_the_method_says():
    # All of the format; pairs in order, sorted scores 1/2 apart on average, one score exact and one near, the same ranking.
    accuracy = 0.4 * 1 + 0.2 * (1 - 0.5 / 4) + 0.2 * 0.75 + 0.2 * 1
    reward = rewards.grpl_reward(REPLY, [5, 2])
    assert math.isclose(reward["format"]["total"], 1.0) and math.isclose(reward["accuracy"]["total"], accuracy)
    assert math.isclose(reward["total"], 0.15 + 0.85 * accuracy)
    assert math.isclose(rewards.grpl_reward(REPLY, [5, 2], weights={"format": 1, "accuracy": 0})["total"], 1.0)
    swapped = rewards.grpl_reward(REPLY, [2, 5], order=[1, 0])
    assert swapped == reward, "shown the other way round, the same verdict"
    assert rewards.grpl_reward("", [5, 2])["total"] == 0.0
    assert rewards.grpl_reward('{"scores": {"model-1": 4}}', [4])["accuracy"]["pairs"] is None


def test_what_is_wrong_is_named():
    def check(call, kind, text):
        with pytest.raises(kind, match=text):
            call()

    check(lambda: metrics.pairwise([1], [1, 2]), ValueError, "^predicted: expected 2")
    check(lambda: metrics.kendall_tau_b([1, "x"], [1, 2]), TypeError, r"^a\[1\]: expected a number, got 'x'")
    check(lambda: metrics.ndcg("12", [1, 2]), TypeError, "^predicted: ")
    check(lambda: metrics.score_variance(3), TypeError, "^scores: ")
    check(lambda: rewards.grpl_reward(REPLY, [5, None]), TypeError, r"^gold\[1\]: ")
    check(lambda: rewards.grpl_reward(REPLY, [5, math.nan]), ValueError, r"^gold\[1\]: ")
    check(lambda: rewards.grpl_reward(REPLY, [5, 2], order=[0, 0]), ValueError, "^order: ")
    check(lambda: rewards.grpl_reward(REPLY, [5, 2], ranking=[0]), ValueError, "^ranking: ")
    check(lambda: rewards.grpl_reward(REPLY, [5, 2], weights={"farmat": 1}), ValueError, "^weights: .*farmat")
    check(lambda: rewards.grpl_reward(REPLY, [5, 2], weights={"pairs": -1}), ValueError, "^weights: pairs")
