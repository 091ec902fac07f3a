"""The fake's batches, files and limits, met by the real SDK."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anthropic
import httpx2
import pytest

from analyzer.fakeclaude.server import FakeServer

Result = TypeVar("Result")
DAY_S = 86_400


def talk(fake: FakeServer, work: Callable[[anthropic.AsyncAnthropic], Awaitable[Result]], key: str = "k") -> Result:
    async def run() -> Result:
        async with anthropic.AsyncAnthropic(api_key=key, base_url=fake.url, max_retries=0, timeout=10) as client:
            return await work(client)

    return asyncio.run(run())


@pytest.fixture
def now(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The fake's time; add to its only item."""
    time = [1_800_000_000.0]
    monkeypatch.setattr(fake.state, "clock", lambda: time[0])
    return time


def request(name: str, model: str = "claude-haiku-5-5", **params: Any) -> Any:  # noqa: ANN401  # the SDK's own shape
    body = {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": f"hello {name}"}]}
    return {"custom_id": name, "params": {**body, **params}}


async def results(client: anthropic.AsyncAnthropic, batch_id: str) -> list[tuple[str, str]]:
    return [(one.custom_id, one.result.type) async for one in await client.messages.batches.results(batch_id)]


def test_a_batch_runs_ends_and_gives_its_results_in_another_order(fake: FakeServer, now: list[float]) -> None:
    fake.state.batch_s = 600
    names = [f"r{number}" for number in range(6)]

    async def work(client: anthropic.AsyncAnthropic) -> list[tuple[str, str]]:
        batch = await client.messages.batches.create(requests=[request(name) for name in names])
        assert (batch.processing_status, batch.request_counts.processing, batch.results_url) == ("in_progress", 6, None)
        now[0] += 600
        ended = await client.messages.batches.retrieve(batch.id)
        assert (ended.processing_status, ended.request_counts.succeeded) == ("ended", 6)
        assert (ended.results_url or "").startswith(fake.url)
        assert [one.id async for one in client.messages.batches.list()] == [batch.id]
        return await results(client, batch.id)

    found = talk(fake, work)
    assert sorted(found) == [(name, "succeeded") for name in names]
    assert [name for name, _ in found] != names


def test_each_request_of_a_batch_has_its_own_fate(fake: FakeServer) -> None:
    async def work(client: anthropic.AsyncAnthropic) -> dict[str, Any]:
        wishes = [request("fine"), request("late", "claude-haiku-5-5@expired"), request("none", "claude-none")]
        wishes += [request("no", "claude-haiku-5-5@refusal"), request("busy", "claude-haiku-5-5@overloaded")]
        batch = await client.messages.batches.create(requests=wishes)
        return {one.custom_id: one.result async for one in await client.messages.batches.results(batch.id)}

    found = talk(fake, work)
    assert {name: result.type for name, result in found.items()} == {
        "fine": "succeeded",
        "late": "expired",
        "none": "errored",
        "no": "succeeded",
        "busy": "errored",
    }
    assert found["none"].error.error.type == "not_found_error"
    assert found["busy"].error.error.type == "overloaded_error"
    assert found["no"].message.stop_reason == "refusal"
    assert found["fine"].message.usage.service_tier == "batch"


def test_a_batch_can_be_cancelled(fake: FakeServer, now: list[float]) -> None:
    fake.state.batch_s = 600

    async def work(client: anthropic.AsyncAnthropic) -> list[tuple[str, str]]:
        batch = await client.messages.batches.create(requests=[request("a"), request("b")])
        cancelled = await client.messages.batches.cancel(batch.id)
        assert cancelled.processing_status == "canceling"
        found = await results(client, batch.id)
        assert (await client.messages.batches.delete(batch.id)).type == "message_batch_deleted"
        return found

    assert sorted(talk(fake, work)) == [("a", "canceled"), ("b", "canceled")]


def test_a_batch_expires_after_a_day(fake: FakeServer, now: list[float]) -> None:
    fake.state.batch_s = 2 * DAY_S

    async def work(client: anthropic.AsyncAnthropic) -> list[tuple[str, str]]:
        batch = await client.messages.batches.create(requests=[request("a"), request("b")])
        now[0] += DAY_S
        return await results(client, batch.id)

    assert sorted(talk(fake, work)) == [("a", "expired"), ("b", "expired")]


def test_a_batch_wants_names_of_its_own(fake: FakeServer) -> None:
    async def work(client: anthropic.AsyncAnthropic) -> None:
        await client.messages.batches.create(requests=[request("a"), request("a")])

    with pytest.raises(anthropic.BadRequestError, match="unique"):
        talk(fake, work)


def test_a_file_is_seen_by_a_message_until_it_expires(
    fake: FakeServer, now: list[float], picture_of: Callable[..., bytes]
) -> None:
    data = picture_of(560, 280, "PNG") + b"\r\n--x\r\n"

    async def work(client: anthropic.AsyncAnthropic) -> None:
        stored = await client.files.upload(file=("shot.png", data, "image/png"), expires_in_seconds=3_600)
        assert (stored.filename, stored.size_bytes, stored.mime_type) == ("shot.png", len(data), "image/png")
        assert fake.state.files[stored.id].content == data
        assert (await client.files.retrieve_metadata(stored.id)).id == stored.id
        block: Any = {"type": "image", "source": {"type": "file", "file_id": stored.id}}

        async def see() -> int:
            content = [{"role": "user", "content": [block]}]
            message = await client.messages.create(**request("a", messages=content)["params"])
            assert isinstance(message, anthropic.types.Message)
            return message.usage.input_tokens

        assert await see() == 20 * 10
        now[0] += 3_600
        with pytest.raises(anthropic.NotFoundError):
            await see()

    talk(fake, work)


def test_files_are_listed_and_deleted(fake: FakeServer) -> None:
    async def work(client: anthropic.AsyncAnthropic) -> None:
        stored = await client.files.upload(file=("a.txt", b"x", "text/plain"))
        assert stored.expires_at is None
        assert [one.id async for one in client.files.list()] == [stored.id]
        assert (await client.files.delete(stored.id)).id == stored.id
        assert [one.id async for one in client.files.list()] == []
        with pytest.raises(anthropic.BadRequestError, match="expires_in_seconds"):
            await client.files.upload(file=("a.txt", b"x", "text/plain"), expires_in_seconds=60)

    talk(fake, work)


def message(fake: FakeServer, key: str = "k", model: str = "claude-haiku-5-5") -> httpx2.Response:
    headers = {"authorization": f"Bearer {key}", "anthropic-version": "2026-10-21"}
    body = request("a", model)["params"]
    return httpx2.post(f"{fake.url}/v1/messages", json=body, headers=headers, trust_env=False)


def test_limits_are_each_keys_own_enforced_and_renewed(fake: FakeServer, now: list[float]) -> None:
    fake.state.limits["requests"] = 2
    name = "anthropic-ratelimit-requests-remaining"
    assert [message(fake).headers[name] for _ in range(2)] == ["1", "0"]
    refused = message(fake)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert message(fake, "other").headers[name] == "1"
    now[0] += 60
    assert message(fake).status_code == 200


@pytest.mark.parametrize(("key", "status"), [("sk-ant-wrong-1", 401), ("sk-ant-forbidden-1", 403)])
def test_some_keys_are_refused(key: str, status: int, fake: FakeServer) -> None:
    assert message(fake, key).status_code == status


def test_a_key_can_have_a_scenario_of_its_own(fake: FakeServer) -> None:
    wish = httpx2.post(f"{fake.url}/__keys", json={"poor": "spend_limit"}, trust_env=False)
    assert wish.json() == {"keys": 1}
    answer = message(fake, "poor")
    assert answer.status_code == 429
    assert answer.json()["error"]["details"]["error_code"] == "enforced_spend_limit_reached"
    assert message(fake).status_code == 200
    assert httpx2.post(f"{fake.url}/__keys", json={"poor": "no_such"}, trust_env=False).status_code == 400


def test_a_429_may_say_nothing_about_when(fake: FakeServer) -> None:
    answer = message(fake, model="claude-haiku-5-5@rate_limited")
    assert answer.status_code == 429
    assert "retry-after" not in answer.headers


def test_the_log_keeps_no_pixels(fake: FakeServer, picture_of: Callable[..., bytes]) -> None:
    data = base64.b64encode(picture_of(28, 28, "PNG")).decode()
    block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    body = request("a", messages=[{"role": "user", "content": [block]}])["params"]
    headers = {"authorization": "Bearer k", "anthropic-version": "2026-10-21"}
    httpx2.post(f"{fake.url}/v1/messages", json=body, headers=headers, trust_env=False)
    assert data not in json.dumps(list(fake.state.log))
