"""Connections that send too much, too slowly, or no HTTP at all, to a real server."""

import json
import re
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from fastapi import FastAPI

from runtime import connections
from runtime.connections import BoundedProtocol


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    monkeypatch.setattr(connections, "HEAD_S", 0.3)
    app = FastAPI()

    @app.post("/echo")
    async def echo(body: dict[str, str]) -> dict[str, str]:
        return body

    config = uvicorn.Config(app, http=BoundedProtocol, log_config=None, lifespan="off", timeout_keep_alive=30)
    running = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=running.run, args=([listener],))
        thread.start()
        yield listener.getsockname()[:2]
        running.should_exit = True
        thread.join()


def answer(connection: socket.socket) -> bytes:
    """Read until the server closes."""
    parts = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def refused(raw: bytes) -> tuple[int, str]:
    head, _, body = raw.partition(b"\r\n\r\n")
    problem = json.loads(body)
    request_id = re.search(rb"x-request-id: (\S+)", head)
    assert request_id
    assert request_id[1].decode() == problem["request_id"]
    assert b"x-process-time" in head
    status = int(head.split(b" ")[1])
    assert status == problem["status"]
    return status, problem["code"]


def test_a_head_without_end_is_cut_off(server: tuple[str, int]) -> None:
    with socket.create_connection(server, timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Fill: " + b"x" * 70_000)
        assert refused(answer(connection)) == (431, "headers_too_large")


@pytest.mark.parametrize("sent", [b"GET / HT", b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Le"])
def test_a_head_that_stops_coming_is_given_up(server: tuple[str, int], sent: bytes) -> None:
    with socket.create_connection(server, timeout=10) as connection:
        connection.sendall(sent)
        assert refused(answer(connection)) == (408, "request_timeout")


def test_a_connection_that_says_nothing_is_closed(server: tuple[str, int]) -> None:
    with socket.create_connection(server, timeout=10) as connection:
        assert answer(connection) == b""


def test_what_is_no_http_gets_a_problem(server: tuple[str, int]) -> None:
    with socket.create_connection(server, timeout=10) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert refused(answer(connection)) == (400, "invalid_request")


def test_an_orderly_client_is_served_again_and_again(server: tuple[str, int]) -> None:
    """Large bodies are no heads, a second request comes later than a head may take, and one in pieces is whole."""
    body = json.dumps({"text": "x" * 100_000}).encode()
    head = f"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(server, timeout=10) as connection:
        for pause in (threading.Event(), threading.Event()):
            connection.sendall(head.encode()[:20])
            pause.wait(0.05)
            connection.sendall(head.encode()[20:] + body)
            reader = connection.makefile("rb")
            assert reader.readline() == b"HTTP/1.1 200 OK\r\n"
            while reader.readline() != b"\r\n":
                pass
            assert len(reader.read(len('{"text":""}') + 100_000)) == 100_011
            pause.wait(0.5)
