import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from contracts.errors import ErrorCode
from renderer.cdp import Connection, ProtocolError
from runtime.errors import ServiceError

Answer = Callable[[ServerConnection, dict[str, Any]], Awaitable[None]]


@asynccontextmanager
async def browser(answer: Answer) -> AsyncIterator[Connection]:
    """Connect to a server that answers each command as `answer` says."""

    async def handle(socket: ServerConnection) -> None:
        async for raw in socket:
            await answer(socket, json.loads(raw))

    async with serve(handle, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        connection = await Connection.open(f"ws://127.0.0.1:{port}/devtools")
        try:
            yield connection
        finally:
            await connection.aclose()


async def echo(socket: ServerConnection, message: dict[str, Any]) -> None:
    result = {"method": message["method"], "session": message.get("sessionId", "")}
    await socket.send(json.dumps({"id": message["id"], "result": result}))


def test_answers_find_their_commands_in_any_order() -> None:
    async def test() -> None:
        held: list[dict[str, Any]] = []

        async def backwards(socket: ServerConnection, message: dict[str, Any]) -> None:
            held.append(message)
            if len(held) == 3:
                for each in reversed(held):
                    await echo(socket, each)

        async with browser(backwards) as connection:
            calls = [connection.session(name).call(f"Do.{name}") for name in ("a", "b", "c")]
            answers = await asyncio.gather(*calls)
        assert [answer["session"] for answer in answers] == ["a", "b", "c"]
        assert [message["method"] for message in held] == ["Do.a", "Do.b", "Do.c"]

    asyncio.run(test())


def test_a_refused_command_is_an_error_of_ours() -> None:
    async def refuse(socket: ServerConnection, message: dict[str, Any]) -> None:
        await socket.send(json.dumps({"id": message["id"], "error": {"code": -32000, "message": "No such page"}}))

    async def test() -> None:
        async with browser(refuse) as connection:
            with pytest.raises(ProtocolError) as caught:
                await connection.browser.call("Page.navigate")
        assert caught.value.code is ErrorCode.BROWSER_FAILED
        assert caught.value.message == "No such page"

    asyncio.run(test())


def test_a_dead_socket_fails_all_that_waits_and_all_that_comes() -> None:
    async def test() -> None:
        both = asyncio.Event()
        seen: list[str] = []

        async def drop(socket: ServerConnection, message: dict[str, Any]) -> None:
            seen.append(message["method"])
            if len(seen) == 2:
                both.set()
                socket.transport.abort()

        async with browser(drop) as connection:
            calls = [asyncio.create_task(connection.session(name).call("Wait")) for name in ("", "page")]
            results = await asyncio.gather(*calls, return_exceptions=True)
            await connection.closed.wait()
            assert [result.code for result in results if isinstance(result, ServiceError)] == [
                ErrorCode.BROWSER_FAILED,
                ErrorCode.BROWSER_FAILED,
            ]
            with pytest.raises(ServiceError):
                await connection.browser.call("Later")

    asyncio.run(test())


def test_a_failed_session_leaves_the_others_alone() -> None:
    async def test() -> None:
        async def only_b(socket: ServerConnection, message: dict[str, Any]) -> None:
            if message.get("sessionId") == "b":
                await echo(socket, message)

        async with browser(only_b) as connection:
            waiting = asyncio.create_task(connection.session("a").call("Wait"))
            await connection.session("b").call("Go")
            connection.session("a").fail(ServiceError(ErrorCode.PAGE_CRASHED, "It crashed."))
            with pytest.raises(ServiceError) as caught:
                await waiting
            assert caught.value.code is ErrorCode.PAGE_CRASHED
            assert (await connection.session("b").call("Go"))["session"] == "b"

    asyncio.run(test())


def test_events_go_to_their_session_and_to_nobody_once_it_is_dropped() -> None:
    async def test() -> None:
        async def chatter(socket: ServerConnection, message: dict[str, Any]) -> None:
            for session in ("a", "b"):
                event = {"method": "Page.loaded", "params": {"of": session}, "sessionId": session}
                await socket.send(json.dumps(event))
            await echo(socket, message)

        seen: list[str] = []
        async with browser(chatter) as connection:
            for name in ("a", "b"):
                connection.session(name).on("Page.loaded", lambda event: seen.append(event["of"]))
            await connection.browser.call("Go")
            connection.drop("a")
            await connection.browser.call("Go")
        assert seen == ["a", "b", "b"]

    asyncio.run(test())


def test_nobody_listening_is_browser_failed() -> None:
    async def test() -> None:
        with pytest.raises(ServiceError) as caught:
            await Connection.open("ws://127.0.0.1:1/devtools")
        assert caught.value.code is ErrorCode.BROWSER_FAILED

    asyncio.run(test())
