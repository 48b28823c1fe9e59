"""Beside the published package, as published.json recorded it (`record_published.py`)."""

import inspect
import json
import random

import pytest
from record_published import HERE, replies, requests

import rewardanything
from rewardanything import ParseError, parse_rewardanything_output, prepare_chat_messages

RECORDED = json.loads((HERE / "published.json").read_text())

# Verdicts of that package that look sound, and are none.
REFUSED = {
    "reopened_thinking": "the last block of reasoning was never closed: the verdict before it is not the judge's own",
    "truncated_thinking": "the reasoning was never closed, so the verdict inside it is not the judge's own",
}
# Reasoning that it cuts short.
LONGER = {"two_think_blocks": "it gives the first of two blocks"}


def sound(said, names):
    """A verdict over exactly these responses, on the scale, whose ranking follows the scores."""
    if "raises" in said:
        return False
    scores, ranking = said["scores"], said["ranking"]
    return (
        set(scores) == set(names)
        and all(isinstance(score, (int, float)) and 1 <= score <= 5 for score in scores.values())
        and sorted(ranking) == sorted(names)
        and all(scores[before] >= scores[after] for before, after in zip(ranking, ranking[1:]))
    )


def test_sound_verdicts_are_the_same_and_others_are_mended_or_refused():
    seen = {"same": 0, "mended": 0, "refused": 0}
    for name, reply, real in replies():
        said = RECORDED["parsed"][name]
        try:
            ours = parse_rewardanything_output(reply, real)
        except ParseError as error:
            assert not sound(said, real.values()) or name in REFUSED, (name, error)
            seen["refused"] += 1
            continue
        assert name not in REFUSED, name
        assert sound({"scores": ours.scores, "ranking": ours.ranking}, real.values()), name
        if sound(said, real.values()):
            assert (ours.scores, ours.ranking) == (said["scores"], said["ranking"]), name
            if said["reasoning"] and name not in LONGER:
                assert ours.reasoning == said["reasoning"], name
            seen["same"] += 1
        else:
            seen["mended"] += 1
    assert seen["same"] >= 20 and seen["mended"] >= 20 and seen["refused"] >= 15, seen


def test_messages_have_the_same_bytes_and_names():
    recorded = iter(RECORDED["prepared"])
    for request in requests():
        for masked in (True, False):
            said = next(recorded)
            state = random.getstate()
            messages, real = prepare_chat_messages(**request, mask_responses=masked)
            assert random.getstate() == state, "the caller's random state is his own"
            assert [message["role"] for message in messages] == said["roles"]
            assert messages[1]["content"] == said["user"]
            assert real == said["real"] and (real is None or list(real) == list(said["real"]))


def test_more_than_it_can_order_is_refused():
    with pytest.raises(ValueError, match="responses: .*32.*33"):
        prepare_chat_messages("p", "q", {str(index): "x" for index in range(33)})
    messages, _ = prepare_chat_messages("p", "q", {"a": "x"}, system_prompt="\nMine.\n")
    assert messages[0]["content"] == "\nMine.\n"


def test_labels_are_the_callers():
    reply = '<think>"b\'s" wins</think>{"scores": {"a\\"1": 2, "b\'s": 5}, "best-to-worst": ["b\'s", "a\\"1"]}'
    result = parse_rewardanything_output(reply, {'a"1': "first", "b's": "second"})
    assert (result.scores, result.ranking) == ({"first": 2, "second": 5}, ["second", "first"])
    assert (result.reasoning, result.raw_output) == ('"b\'s" wins', reply)
    unmapped = parse_rewardanything_output('{"scores": {"model-2": 5, "model-1": 2.5}}')
    assert (unmapped.scores, unmapped.ranking) == ({"model-1": 2.5, "model-2": 5}, ["model-2", "model-1"])
    for wrong in ("nothing", '<think>model-1</think>{"scores": {"a": 4}}', ""):
        with pytest.raises(ParseError, match="masked2real"):
            parse_rewardanything_output(wrong)
    with pytest.raises(TypeError, match="output_text"):
        parse_rewardanything_output(None)


def test_signatures_are_compatible():
    # Parameters as the published package has them, in order; ours may have more, by keyword, behind them.
    published = {
        rewardanything.from_pretrained: "model_name_or_path device torch_dtype trust_remote_code generation_config",
        rewardanything.Client.__init__: "self base_url api_key timeout max_retries headers",
        rewardanything.Client.judge: "self principle prompt responses mask_responses timeout",
        rewardanything.Client.judge_batch: "self requests timeout",
        rewardanything.RewardModel.judge: "self principle prompt responses mask_responses",
        rewardanything.RewardModel.judge_batch: "self requests batch_size",
        rewardanything.RewardResult: "reasoning scores ranking raw_output",
        rewardanything.RewardRequest: "principle prompt responses mask_responses",
        rewardanything.RewardResponse: "thoughts results",
        prepare_chat_messages: "principle prompt responses mask_responses",
        parse_rewardanything_output: "output_text masked2real",
    }
    for function, names in published.items():
        assert list(inspect.signature(function).parameters)[: len(names.split())] == names.split(), function


def test_a_model_is_used_as_there():
    model = rewardanything.from_pretrained("nano", device="cpu", torch_dtype="auto", generation_config={"max_new_tokens": 512})
    asked = {"principle": "The shorter, the better.", "prompt": "Capital of France?", "responses": {"a": "Paris.", "b": "It is Paris, of course."}}
    single = model.judge(**asked)
    assert single.ranking == ["a", "b"] and single.scores["a"] > single.scores["b"]
    assert model.judge_batch([asked, {**asked, "mask_responses": False}], batch_size=2)[0] == single
    with pytest.raises(rewardanything.NoVerdict):
        model.judge(**asked, max_new_tokens=1, do_sample=False)
    with pytest.raises(ValueError, match="generation_kwargs: num_beams"):
        model.judge(**asked, num_beams=2)
    with pytest.raises(ValueError, match="device"):
        rewardanything.from_pretrained("nano", device="cuda")
