"""Writes what the published package's client sends, byte for byte, into fixtures/clients: `python record.py FOLDER`.

The address in the header `Host` is the recorder's own, and is written as `127.0.0.1:8000`.
"""

import pathlib
import re
import socket
import sys
import threading

from published import client_class, requests

ANSWER = {
    "judge": b'{"thoughts": "", "results": {"scores": {}, "best-to-worst": []}}',
    "judge_batch": b"[]",
    "health_check": b"{}",
}


def recorded(name, call):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        caller = threading.Thread(target=call, args=(f"http://127.0.0.1:{port}",))
        caller.start()
        connection, _ = server.accept()
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int((re.search(rb"(?i)content-length: (\d+)", head) or [0, 0])[1])
        while len(body) < length:
            body += connection.recv(65536)
        answer = ANSWER[name]
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n"
            + b"Content-Length: %d\r\n\r\n" % len(answer)
            + answer
        )
        connection.close()
        caller.join()
    head = head.replace(b"127.0.0.1:%d" % port, b"127.0.0.1:8000")
    return head + b"\r\n\r\n" + body


def main():
    folder = pathlib.Path(sys.argv[1])
    client = client_class()
    some = requests()[:3]
    first = some[0]
    calls = {
        "judge": lambda url: client(url, api_key="a-token-of-ours").judge(
            first["principle"], first["prompt"], first["responses"]
        ),
        "judge_batch": lambda url: client(url).judge_batch(some),
        "health_check": lambda url: client(url).health_check(),
    }
    for name, call in calls.items():
        (folder / f"published-{name}.http").write_bytes(recorded(name, call))


if __name__ == "__main__":
    main()
