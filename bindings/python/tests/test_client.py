"""The clients, against the real server where the command is built, and against bytes that other servers send."""

import asyncio
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rewardanything import AsyncClient, Client, Judge, NoVerdict, ServerError, group_rewards
from rewardanything.integrations import openrlhf, trl, verl

ROOT = pathlib.Path(__file__).parents[3]
SHORTER = "The shorter the answer, the better."
ASKED = "What is the capital of France?"
ANSWERS = {"long": "The capital of France is the old and famous city of Paris, on the Seine.", "brief": "Paris."}
TOKEN = "a-token-of-ours"


def command():
    """The command, where it is built or installed."""
    built = [ROOT / "target" / kind / "rewardanything" for kind in ("debug", "release")]
    found = [os.environ.get("REWARDANYTHING"), *(str(path) for path in built if path.is_file())]
    return next(filter(None, found), None) or shutil.which("rewardanything")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The URL of `rewardanything serve`."""
    program = command()
    if program is None:
        pytest.skip("the command is not built: cargo build -p rewardanything-cli")
    token = tmp_path_factory.mktemp("server") / "token"
    token.write_text(TOKEN)
    run = [program, "serve", "--model", "nano", "--port", "0", "--token-file", str(token)]
    with subprocess.Popen(run, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stderr:
                if found := re.search(r"http://[\w.:]+:\d+", line):
                    threading.Thread(target=process.stderr.read, daemon=True).start()
                    yield found[0]
                    break
            else:
                pytest.fail("the server said nothing of its address")
        finally:
            process.terminate()
            process.wait(30)


def test_a_server_says_what_the_judge_here_says(server):
    client, local = Client(server, api_key=TOKEN), Judge().judge(SHORTER, ASKED, ANSWERS)
    assert client.health_check()
    remote = client.judge(SHORTER, ASKED, ANSWERS)
    assert (remote.scores, remote.ranking, remote.reasoning) == (local.scores, local.ranking, local.reasoning)
    assert remote.usage == local.usage
    assert all(abs(remote.soft[name] - local.soft[name]) < 1e-4 for name in local.soft)
    batch = client.judge_batch([(SHORTER, f"{ASKED} {n}", ANSWERS) for n in range(8)])
    assert [result.ranking for result in batch] == [["brief", "long"]] * 8
    # A server never shows names to its judge, and says so rather than to mask in silence.
    with pytest.raises(ServerError, match="422.*mask_responses"):
        client.judge(SHORTER, ASKED, ANSWERS, mask_responses=False)
    assert client.judge_batch([]) == []


def test_awaited_it_says_the_same(server):
    async def ask():
        client = AsyncClient(server, api_key=TOKEN)
        assert await client.health_check()
        calls = [client.judge(SHORTER, f"{ASKED} {n}", ANSWERS) for n in range(4)]
        return await asyncio.gather(*calls, client.judge_batch([(SHORTER, f"{ASKED} {n}", ANSWERS) for n in range(4)]))

    def said(results):
        # All but the seconds, which the server gives too.
        return [(result.scores, result.ranking, result.reasoning, result.soft, result.usage) for result in results]

    *singles, batch = asyncio.run(ask())
    waited = Client(server, api_key=TOKEN).judge_batch([(SHORTER, f"{ASKED} {n}", ANSWERS) for n in range(4)])
    assert said(singles) == said(batch) == said(waited)


def test_failures_of_a_server_are_errors_of_their_kind(server):
    client = Client(server, api_key=TOKEN, max_retries=0)
    asked = [(SHORTER, ASKED, ANSWERS), (SHORTER, ASKED, ["a"] * 9), (SHORTER, "Why?", ["b"])]
    results = client.judge_batch(asked, errors="return")
    assert isinstance(results[1], NoVerdict) and results[1].kind == "too_many_responses" and "0" in results[2].scores
    with pytest.raises(NoVerdict) as raised:
        client.judge_batch(asked)
    assert raised.value.index == 1 and raised.value.results[0].ranking == ["brief", "long"]
    with pytest.raises(ValueError, match=r"^requests\[0\]: .*principle"):
        client.judge("", ASKED, ANSWERS)
    with pytest.raises(ServerError) as refused:
        Client(server, api_key="wrong", max_retries=0).judge(SHORTER, ASKED, ANSWERS)
    assert refused.value.status == 401 and TOKEN not in str(refused.value)


def test_adapters_ask_a_server(server):
    client = Client(server, api_key=TOKEN)
    prompts, texts = [ASKED] * 2, list(ANSWERS.values())
    here = group_rewards(prompts, texts, SHORTER)
    assert group_rewards(prompts, texts, SHORTER, judge=client) == pytest.approx(here, abs=1e-4)
    awaited = trl.async_reward_function(SHORTER, judge=AsyncClient(server, api_key=TOKEN))
    assert asyncio.run(awaited(prompts=prompts, completions=texts)) == pytest.approx(here, abs=1e-4)
    settings = {"principle": SHORTER, "base_url": server, "api_key": TOKEN, "n": 2, "reward": "rank"}

    async def verls():
        row = {"question": ASKED}
        return await asyncio.gather(*(verl.compute_score("d", text, "", row, **settings) for text in texts))

    assert [one["score"] for one in asyncio.run(verls())] == [0.0, 1.0]
    assert openrlhf.reward_url(server, SHORTER, 2).startswith(server)


@contextmanager
def answering(answers):
    """A server that gives these answers in turn, (status, headers, body), and keeps what it was asked."""
    asked, left = [], list(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, dict(self.headers), json.loads(body)))
            status, headers, body = left.pop(0)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Transfer-Encoding" not in headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def both(url, call, **options):
    """A call by either client, `call(client)`."""
    yield lambda: call(Client(url, **options))

    def awaited():
        async def run():
            return await call(AsyncClient(url, **options))

        return asyncio.run(run())

    yield awaited


PUBLISHED = json.dumps([{"thoughts": "x", "results": {"scores": {"long": 2, "brief": 5}, "best-to-worst": ["brief", "long"]}}]).encode()


def test_the_published_server_is_spoken_to_in_its_own_way():
    missing, answer = (404, {}, b"{}"), (200, {}, PUBLISHED)
    with answering([missing, answer, answer] * 2) as (url, asked):
        for place in (0, 1):
            client = [Client, AsyncClient][place](url, api_key="key", headers={"X-Own": "1"})

            def result(call):
                return asyncio.run(call) if place else call

            first = result(client.judge(SHORTER, ASKED, ANSWERS))
            assert (first.scores, first.ranking, first.reasoning) == ({"long": 2, "brief": 5}, ["brief", "long"], "x")
            result(client.judge(SHORTER, ASKED, ANSWERS, mask_responses=False, trial_run=True))
            paths = [path for path, *_ in asked[3 * place :]]
            assert paths == ["/v1/judge/batch", "/api/rewardanything_batch", "/api/rewardanything_batch"], "asked for once"
            headers, body = asked[3 * place + 2][1:]
            assert headers["Authorization"] == "Bearer key" and headers["X-Own"] == "1"
            assert body == [{"principle": SHORTER, "prompt": ASKED, "responses": ANSWERS, "mask_responses": False, "trial_run": True}]


def test_an_empty_verdict_of_that_server_is_none():
    empty = json.dumps([{"thoughts": "", "results": {"scores": {}, "best-to-worst": []}}]).encode()
    with answering([(404, {}, b""), (200, {}, empty)]) as (url, _), pytest.raises(NoVerdict, match="'long'"):
        Client(url).judge(SHORTER, ASKED, ANSWERS)


def test_chunks_are_put_together():
    record = {"scores": {"0": 5}, "ranking": ["0"], "reasoning": "ü", "error": None, "repairs": [{"code_fence": 1}],
              "usage": {"prompt_tokens": 1, "completion_tokens": 2}, "model": "m", "seconds": 0.1}
    body = json.dumps([record], ensure_ascii=False).encode()
    chunks = b"".join(b"%x;x=y\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"
    with answering([(200, {"Transfer-Encoding": "chunked"}, chunks)] * 2) as (url, _):
        for call in both(url, lambda client: client.judge("p", "q", ["a"])):
            result = call()
            assert (result.scores, result.reasoning, result.repairs) == ({"0": 5}, "ü", ['{"code_fence": 1}'])


def test_a_busy_server_is_asked_again_and_a_refusal_is_not():
    busy = (503, {}, b"{}")
    good = json.dumps([{"scores": {"0": 5}, "ranking": ["0"], "reasoning": "", "error": None, "repairs": [],
                        "usage": {"prompt_tokens": 1, "completion_tokens": 2}}]).encode()
    with answering([busy, (200, {}, good)] * 2) as (url, asked):
        for call in both(url, lambda client: client.judge("p", "q", ["a"]), max_retries=1):
            assert call().scores == {"0": 5}
        assert len(asked) == 4
    with answering([busy, (422, {}, b'{"detail": "no"}')] * 2) as (url, asked):
        for call in both(url, lambda client: client.judge("p", "q", ["a"]), max_retries=0):
            with pytest.raises(ServerError) as raised:
                call()
            assert raised.value.status == 503
            with pytest.raises(ServerError, match="422.*no") as raised:
                call()
        assert len(asked) == 4
    with answering([(200, {}, b"[]"), (200, {}, b"<html>")] * 2) as (url, _):
        for call in both(url, lambda client: client.judge("p", "q", ["a"])):
            for _ in range(2):
                with pytest.raises(ServerError, match="expected"):
                    call()


def test_nobody_there():
    for call in both("http://127.0.0.1:1", lambda client: client.judge("p", "q", ["a"]), max_retries=0):
        with pytest.raises(ServerError) as raised:
            call()
        assert raised.value.status is None
    assert not Client("http://127.0.0.1:1").health_check()
    with pytest.raises(ValueError, match="^base_url"):
        Client("judge:8000")


def test_a_cancelled_call_closes_its_connection():
    closed = threading.Event()
    arrived = threading.Event()

    async def run():
        async def handle(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            arrived.set()
            while await reader.read(4096):
                pass
            closed.set()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        url = "http://127.0.0.1:%d" % server.sockets[0].getsockname()[1]
        call = asyncio.create_task(AsyncClient(url).judge("p", "q", ["a"]))
        while not arrived.is_set():
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        for _ in range(200):
            if closed.is_set():
                break
            await asyncio.sleep(0.01)
        server.close()

    asyncio.run(run())
    assert closed.is_set()
