"""Rewards of groups: what is judged together, and what comes out of it."""

import asyncio
import math

import pytest

from rewardanything import Judge, NoVerdict, RewardResult, group_rewards, groups
from rewardanything.groups import NEUTRAL, Options, Verdict, Work, rewarded

SHORTER = "The shorter the answer, the better."


class Counting:
    """A judge whose score is the number in a response; `?` has no verdict. It keeps what it was asked."""

    max_responses = 4

    def __init__(self):
        self.asked = []

    def judge_batch(self, requests, errors):
        assert errors == "return"
        self.asked.append([list(request.responses) for request in requests])
        return [self.one(request) for request in requests]

    def one(self, request):
        if "?" in request.responses:
            return NoVerdict("unreadable", "no number")
        scores = {str(place): float(text) for place, text in enumerate(request.responses)}
        return RewardResult("", scores, sorted(scores, key=lambda name: -scores[name]), soft={"0": scores["0"] + 0.25})


def test_equal_prompts_in_a_row_are_one_group():
    judge = Counting()
    prompts = ["a", "a", "b", "a", "a", "a"]
    rewards = group_rewards(prompts, ["1", "2", "3", "4", "5", "1"], "p", judge=judge, reward="score")
    assert rewards == [1.0, 2.0, 3.0, 4.0, 5.0, 1.0]
    assert judge.asked == [[["1", "2"], ["3"], ["4", "5", "1"]]], "one call for all, three groups"
    group_rewards(["a", "a"], ["1", "2"], ["p", "q"], judge=judge)
    assert judge.asked[-1] == [["1"], ["2"]], "another principle is another group"
    assert group_rewards([], [], "p", judge=judge) == []


def test_kinds_of_rewards():
    def of(kind, completions, prompts=None):
        return group_rewards(prompts or ["a"] * len(completions), completions, "p", judge=Counting(), reward=kind)

    assert of("score", ["2", "4", "3"]) == [2.0, 4.0, 3.0]
    assert of("soft", ["2", "4", "3"]) == [2.25, 4.0, 3.0]
    assert of("rank", ["2", "4", "3"]) == [0.0, 1.0, 0.5]
    assert of("rank", ["2"]) == [0.5]
    assert of("zscore", ["2"]) == [0.0]
    values = of("zscore", ["1.75", "4", "3"])
    mean, deviation = 3.0, math.sqrt((1 + 1 + 0) / 3)
    assert all(math.isclose(value, (score - mean) / deviation) for value, score in zip(values, [2.0, 4.0, 3.0]))
    assert math.isclose(sum(values), 0, abs_tol=1e-12)
    assert of("zscore", ["3", "3.25"]) == [0.0, 0.0], "equal soft scores tell nobody apart"


def test_a_missing_verdict_is_never_a_silent_zero():
    for kind in NEUTRAL:
        prompts, completions = ["a", "a", "b"], ["1", "?", "5"]
        judged = group_rewards(prompts, completions, "p", judge=Counting(), reward=kind)
        assert judged[:2] == [None, None] and judged[2] is not None, kind
        stated = group_rewards(prompts, completions, "p", judge=Counting(), reward=kind, missing=NEUTRAL[kind])
        assert stated[:2] == [NEUTRAL[kind]] * 2, kind
    verdict = Verdict([None, 2.0], [None, 2.0], [None, 0], "why")
    kept = rewarded(verdict, "zscore", None)
    assert (kept[0].value, kept[0].failure, kept[1].value, kept[1].failure) == (None, "why", 0.0, None)


def test_a_large_group_is_cut_into_parts_on_one_scale():
    judge = Counting()
    scores = [1, 2, 3, 4, 5, 4, 3, 2, 1, 5]
    rewards = group_rewards(["a"] * 10, [str(score) for score in scores], "p", judge=judge, reward="score")
    assert [len(part) for part in judge.asked[0]] == [4, 4, 4, 4]
    assert rewards == scores, "parts that agree about their anchors are taken as they are"
    ranks = group_rewards(["a"] * 10, [str(score) for score in scores], "p", judge=Counting(), reward="rank")
    assert sorted(ranks) == pytest.approx([place / 9 for place in range(10)]) and ranks[4] > ranks[3]
    broken = group_rewards(["a"] * 10, ["1", "2", "?", *"4545123"], "p", judge=Counting(), reward="score")
    assert broken[2] is None and broken.count(None) in (1, 2)


def test_the_judge_inside_judges_groups():
    prompts = ["Capital of France?"] * 3 + ["Capital of Spain?"] * 2
    texts = ["Paris.", "It is, of course, the old and famous city of Paris.", "It is Paris.", "Well, I think that it is Madrid.", "Madrid."]
    ranks = group_rewards(prompts, texts, SHORTER, reward="rank")
    assert ranks[0] == 1.0 and ranks[1] == 0.0 and ranks[3:] == [0.0, 1.0]
    chats = [[{"role": "user", "content": prompt}] for prompt in prompts]
    said = [[{"role": "assistant", "content": text}] for text in texts]
    assert group_rewards(chats, said, SHORTER, reward="rank") == ranks
    assert asyncio.run(groups.group_rewards_async(chats, said, SHORTER, reward="rank", judge=Judge())) == ranks


def test_conversations_are_read():
    turns = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image"}]},
    ]
    assert groups.prompt_text(turns) == "System: Be kind.\n\nUser: Hi"
    assert groups.prompt_text([{"role": "user", "content": "Hi"}]) == "Hi"
    said = [{"role": "assistant", "content": None, "tool_calls": []}, {"role": "tool", "content": "4"}, {"role": "assistant", "content": "Four."}]
    assert groups.completion_text(said) == "Four."
    with pytest.raises(TypeError, match="^prompts: "):
        groups.prompt_text(3, "prompts")
    with pytest.raises(ValueError, match=r"role: .*'?\"?judge"):
        groups.prompt_text([{"role": "judge", "content": "x"}])


def test_what_does_not_fit_is_named():
    def check(text, *arguments, **options):
        with pytest.raises((ValueError, TypeError), match=text):
            group_rewards(*arguments, **options)

    check("^completions: expected 2", ["a", "b"], ["x"], "p")
    check("^principle: expected 2", ["a", "b"], ["x", "y"], ["p"])
    check(r"^principle\[1\]: ", ["a", "b"], ["x", "y"], ["p", ""])
    check("^reward: ", ["a"], ["x"], "p", reward="best")
    check("^missing: ", ["a"], ["x"], "p", missing="0")
    check("^limit: ", ["a"], ["x"], "p", limit=0)
    check(r"^completions\[0\]: ", ["a"], [7], "p")
    assert Work([], Options(Counting(), "soft", None, None, 2)).requests == []
