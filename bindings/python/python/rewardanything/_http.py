"""One HTTP request, waited for or awaited, by the standard library alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple

from ._errors import ServerError

if TYPE_CHECKING:
    import asyncio


class Route(NamedTuple):
    """Where a server is."""

    url: str
    host: str
    port: int
    tls: bool
    path: str

    @classmethod
    def to(cls, url: str) -> Route:
        """Reads `http://HOST:PORT/PATH`."""
        from urllib.parse import urlsplit

        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"base_url: expected http://HOST:PORT, got {url!r}")
        tls = parts.scheme == "https"
        return cls(url, parts.hostname, parts.port or (443 if tls else 80), tls, parts.path.rstrip("/"))


class Reply(NamedTuple):
    """What a server answered."""

    url: str
    status: int
    body: bytes

    @property
    def busy(self) -> bool:
        """Whether to come back later."""
        return self.status in (429, 503)

    def json(self) -> Any:
        """The body as JSON; `ServerError` for a refusal and for anything else."""
        text = self.body.decode("utf-8", "replace")
        if self.status != 200:
            raise ServerError(f"{self.url} answered {self.status}: {text.strip()[:400]}", self.status)
        try:
            return json.loads(text)
        except ValueError:
            raise ServerError(f"{self.url}: expected JSON, got {text[:80]!r}", self.status) from None


def _lost(route: Route, why: object, repeatable: bool) -> ServerError:
    return ServerError(f"{route.url}: {why}", None, repeatable)


def ask(
    route: Route, method: str, path: str, headers: Mapping[str, str], body: bytes | None, timeout: float
) -> Reply:
    """Sends a request on a connection of its own and waits for the answer, `timeout` seconds for every step."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    kind = HTTPSConnection if route.tls else HTTPConnection
    connection = kind(route.host, route.port, timeout=timeout)
    try:
        try:
            connection.connect()
        except OSError as error:
            raise _lost(route, error, True) from None
        try:
            connection.request(method, route.path + path, body, dict(headers))
            answer = connection.getresponse()
            return Reply(route.url + path, answer.status, answer.read())
        except TimeoutError:
            raise _lost(route, f"no answer within {timeout:g} s", False) from None
        except (OSError, HTTPException) as error:
            raise _lost(route, error or type(error).__name__, False) from None
    finally:
        connection.close()


async def ask_async(
    route: Route, method: str, path: str, headers: Mapping[str, str], body: bytes | None, timeout: float
) -> Reply:
    """As `ask`, `timeout` seconds for the whole; cancelled, it closes the connection."""
    import asyncio

    try:
        return await asyncio.wait_for(_exchange(route, method, path, headers, body), timeout)
    except (TimeoutError, asyncio.TimeoutError):
        raise _lost(route, f"no answer within {timeout:g} s", False) from None


async def _exchange(
    route: Route, method: str, path: str, headers: Mapping[str, str], body: bytes | None
) -> Reply:
    import asyncio

    try:
        reader, writer = await asyncio.open_connection(route.host, route.port, ssl=route.tls or None)
    except OSError as error:
        raise _lost(route, error, True) from None
    try:
        host = f"[{route.host}]" if ":" in route.host else route.host
        sent = {
            "Host": f"{host}:{route.port}",
            **headers,
            "Content-Length": str(len(body or b"")),
            "Connection": "close",
        }
        for name, value in sent.items():
            if "\r" in value or "\n" in value:
                raise ValueError(f"headers: {name} has a line break")
        lines = [f"{method} {route.path + path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))
        await writer.drain()
        status, fields = await _head(reader)
        return Reply(route.url + path, status, await _body(reader, fields))
    except (OSError, EOFError, asyncio.LimitOverrunError) as error:
        raise _lost(route, str(error) or type(error).__name__, False) from None
    finally:
        writer.close()


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *rest = head.split("\r\n")
    words = first.split(None, 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
        raise EOFError(f"expected HTTP, got {first[:40]!r}")
    fields = dict(line.split(":", 1) for line in rest if ":" in line)
    return int(words[1]), {name.strip().lower(): value.strip() for name, value in fields.items()}


async def _body(reader: asyncio.StreamReader, fields: Mapping[str, str]) -> bytes:
    if fields.get("transfer-encoding", "").lower() != "chunked":
        if "content-length" in fields:
            return await reader.readexactly(int(fields["content-length"]))
        return await reader.read()
    chunks: list[bytes] = []
    while True:
        size = int((await reader.readline()).split(b";")[0], 16)
        if size == 0:
            return b"".join(chunks)
        chunks.append(await reader.readexactly(size))
        await reader.readline()
