"""Bulk work against the fake: sent, followed, found again after a restart, priced at half."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest
from pydantic import SecretStr

from analyzer.fakeclaude import batches as fake_batches
from analyzer.fakeclaude.server import FakeServer
from analyzer.judged import JudgedPage
from analyzer.judging import batches, fact_table, pictures, prices, prompts
from analyzer.judging.answer import Answer
from analyzer.judging.batches import Batches, BatchItem, BatchRecord, Collected, FileStore
from analyzer.judging.claude import Claude
from analyzer.judging.exchange import ClaudeUnavailable, Prompt, Reply, Trouble
from analyzer.judging.failures import Failure
from analyzer.judging.judge import ClaudeJudge
from analyzer.judging.settings import ClaudeSettings
from contracts.analyze import Preset

MODEL = "claude-haiku-5-5"
DAY_S = 86_400
Result = TypeVar("Result")
Work = Callable[[Batches], Awaitable[Result]]


class Time:
    """The fake's time and the client's; a sleep is a step of it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(fake.state, "clock", time)
    return time


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "batches")


@pytest.fixture
def prompt(page: JudgedPage) -> Prompt:
    ready = pictures.prepare(page.images, prices.find(MODEL))
    return prompts.build(fact_table.build(page, ready), ready, "Request marker: m.", "t")


Run = Callable[..., object]


@pytest.fixture
def run(settings: ClaudeSettings, store: FileStore, time: Time) -> Callable[[Work[Result]], Result]:
    def ran(work: Work[Result]) -> Result:
        """Work in a process of its own, as far as memory goes."""

        async def whole() -> Result:
            async with Claude(settings) as claude:
                return await work(Batches(claude, store, sleep=time.sleep, wall=time))

        return asyncio.run(whole())

    return ran


def items(prompt: Prompt, *names: str) -> list[BatchItem]:
    return [BatchItem(name, prompt) for name in names]


def kinds(found: dict[str, Collected]) -> dict[str, str]:
    return {
        name: one.outcome.trouble.value if isinstance(one.outcome, Failure) else one.outcome.stop_reason
        for name, one in found.items()
    }


def test_many_prompts_are_one_batch_and_each_gets_its_own_answer(
    run: Run, prompt: Prompt, fake: FakeServer, time: Time
) -> None:
    fake.state.batch_s = 900
    names = [f"an_{number}" for number in range(7)]

    async def work(bulk: Batches) -> dict[str, Collected]:
        (record,) = await bulk.submit(items(prompt, *names), MODEL, Preset.FAST)
        assert await bulk.look(record) is None
        return await bulk.collect(record)

    found = run(work)
    assert isinstance(found, dict)
    assert list(found) == names
    assert set(kinds(found).values()) == {"end_turn"}
    for one in found.values():
        Answer.model_validate_json(one.outcome.text)
    sent = [entry for entry in fake.state.log if entry["path"] == "/v1/messages/batches"]
    assert len(sent) == 1
    assert [one["custom_id"] for one in sent[0]["body"]["requests"]] == names
    assert time.slept == sorted(time.slept) or max(time.slept) <= 144
    assert len(time.slept) < 20


def test_pictures_are_uploaded_once_and_outlive_the_batch(run: Run, prompt: Prompt, fake: FakeServer) -> None:
    run(lambda bulk: bulk.submit(items(prompt, "a", "b", "c"), MODEL, Preset.FAST))
    assert len(fake.state.files) == 1, "both sections show the same pixels"
    (stored,) = fake.state.files.values()
    assert (stored.expires_s or 0) - fake.state.clock() > DAY_S
    body = next(entry["body"] for entry in fake.state.log if entry["path"] == "/v1/messages/batches")
    assert len(json.dumps(body["requests"][0])) < 40_000
    assert '"base64"' not in json.dumps(body)


def test_a_batch_costs_half(run: Run, prompt: Prompt, judge: ClaudeJudge, page: JudgedPage, fake: FakeServer) -> None:
    async def work(bulk: Batches) -> dict[str, Collected]:
        (record,) = await bulk.submit(items(prompt, "a"), MODEL, Preset.FAST)
        return await bulk.collect(record)

    found = run(work)
    assert isinstance(found, dict)
    bill = found["a"].run
    assert bill is not None
    assert bill.batch
    assert bill.price_table
    whole = prices.cost(MODEL, bill.usage)
    assert whole is not None
    assert abs(Decimal(bill.cost_usd) * 2 - whole) <= Decimal("0.000002")


def test_a_restart_finds_its_batches_again(
    run: Run, prompt: Prompt, fake: FakeServer, time: Time, store: FileStore
) -> None:
    fake.state.batch_s = 3_600
    run(lambda bulk: bulk.submit(items(prompt, "a", "b"), MODEL, Preset.FAST))
    time.now += 7_200

    async def later(bulk: Batches) -> dict[str, Collected]:
        (record,) = await bulk.open()
        found = await bulk.collect(record)
        again = await bulk.look(record)
        assert again is not None
        assert kinds(again) == kinds(found), "until `done` the results can be had again"
        await bulk.done(record)
        return found

    found = run(later)
    assert isinstance(found, dict)
    assert kinds(found) == {"a": "end_turn", "b": "end_turn"}
    assert asyncio.run(store.records()) == []


@pytest.mark.parametrize(
    ("scenario", "kind"),
    [
        ("refusal", "refusal"),
        ("truncated", "max_tokens"),
        ("overloaded", "overloaded"),
        ("server_error", "server"),
        ("expired", "expired"),
        ("nonsense", "end_turn"),
    ],
)
def test_each_item_has_its_own_fate(scenario: str, kind: str, run: Run, prompt: Prompt, fake: FakeServer) -> None:
    async def work(bulk: Batches) -> dict[str, Collected]:
        fake.script("ok", scenario, "ok")
        (record,) = await bulk.submit(items(prompt, "a", "b", "c"), MODEL, Preset.FAST)
        return await bulk.collect(record)

    found = run(work)
    assert isinstance(found, dict)
    assert kinds(found) == {"a": "end_turn", "b": kind, "c": "end_turn"}
    paid = isinstance(found["b"].outcome, Reply)
    assert (found["b"].run is not None) is paid
    if paid:
        assert found["b"].run is not None
        assert found["b"].run.usage.input > 0


def test_a_cancelled_batch_says_so(run: Run, prompt: Prompt, fake: FakeServer) -> None:
    fake.state.batch_s = 3_600

    async def work(bulk: Batches) -> dict[str, Collected]:
        (record,) = await bulk.submit(items(prompt, "a", "b"), MODEL, Preset.FAST)
        await bulk.cancel(record)
        return await bulk.collect(record)

    found = run(work)
    assert isinstance(found, dict)
    assert kinds(found) == {"a": "cancelled", "b": "cancelled"}


def test_a_batch_that_takes_too_long_expires(run: Run, prompt: Prompt, fake: FakeServer, time: Time) -> None:
    fake.state.batch_s = 2 * DAY_S

    async def work(bulk: Batches) -> dict[str, Collected]:
        (record,) = await bulk.submit(items(prompt, "a"), MODEL, Preset.FAST)
        return await bulk.collect(record)

    found = run(work)
    assert isinstance(found, dict)
    assert kinds(found) == {"a": "expired"}
    assert sum(time.slept) < DAY_S + 300


def test_the_limits_of_a_batch_are_kept(run: Run, prompt: Prompt, fake: FakeServer) -> None:
    async def work(bulk: Batches) -> list[BatchRecord]:
        bulk.max_requests = 3
        by_count = await bulk.submit(items(prompt, *"abcdefg"), MODEL, Preset.FAST)
        bulk.max_requests, bulk.max_bytes = 100, 60_000
        by_size = await bulk.submit(items(prompt, *"abcdefghij"), MODEL, Preset.FAST)
        return [*by_count, *by_size]

    records = run(work)
    assert isinstance(records, list)
    assert [len(record.custom_ids) for record in records[:3]] == [3, 3, 1]
    sizes = [len(json.dumps(one["body"])) for one in fake.state.log if one["path"] == "/v1/messages/batches"]
    assert len(sizes) > 4
    assert max(sizes) <= 70_000
    assert batches.MAX_BYTES <= 256_000_000


def test_results_are_not_fetched_from_another_host(
    run: Run, prompt: Prompt, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(bulk: Batches) -> ClaudeUnavailable:
        (record,) = await bulk.submit(items(prompt, "a"), MODEL, Preset.FAST)
        with pytest.raises(ClaudeUnavailable) as caught:
            await bulk.look(record)
        return caught.value

    document = fake_batches._document
    monkeypatch.setattr(
        fake_batches, "_document", lambda *given: {**document(*given), "results_url": f"{fake.url}.evil.example/r"}
    )
    error = run(work)
    assert isinstance(error, ClaudeUnavailable)
    assert error.trouble is Trouble.REQUEST
    assert "evil.example" in error.reason
    assert not any("results" in entry["path"] for entry in fake.state.log)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"base_url": "https://api.elsewhere.example"}, Trouble.REQUEST),
        ({"key": "00000000"}, Trouble.CREDENTIALS),
        ({"batch_id": ""}, Trouble.CREDENTIALS),
    ],
)
def test_a_record_of_somebody_else_is_not_followed(
    changes: dict[str, str], kind: Trouble, run: Run, prompt: Prompt, fake: FakeServer
) -> None:
    async def work(bulk: Batches) -> ClaudeUnavailable:
        (record,) = await bulk.submit(items(prompt, "a"), MODEL, Preset.FAST)
        asked = len(fake.state.log)
        with pytest.raises(ClaudeUnavailable) as caught:
            await bulk.look(record.model_copy(update=changes))
        assert len(fake.state.log) == asked
        return caught.value

    error = run(work)
    assert isinstance(error, ClaudeUnavailable)
    assert error.trouble is kind


def test_the_key_that_sent_a_batch_collects_it(
    settings: ClaudeSettings, store: FileStore, prompt: Prompt, fake: FakeServer, time: Time
) -> None:
    keys = settings.model_copy(update={"anthropic_api_keys": SecretStr("sk-ant-second\nsk-ant-third")})

    async def run() -> None:
        async with Claude(keys) as claude:
            bulk = Batches(claude, store, sleep=time.sleep, wall=time)
            for _ in range(3):
                (record,) = await bulk.submit(items(prompt, "a"), MODEL, Preset.FAST)
                await bulk.collect(record)

    asyncio.run(run())
    owners: dict[str, str] = {}
    for entry in fake.state.log:
        used = entry["headers"]["authorization"]
        name = entry["path"].split("/")[4] if entry["path"].startswith("/v1/messages/batches/") else ""
        assert owners.setdefault(name, used) == used or not name


@pytest.mark.parametrize("names", [("a", "a"), ("a b",), ("x" * 65,), ("",)])
def test_names_that_the_provider_would_refuse(
    names: tuple[str, ...], run: Run, prompt: Prompt, fake: FakeServer
) -> None:
    with pytest.raises(ValueError, match="custom ids"):
        run(lambda bulk: bulk.submit(items(prompt, *names), MODEL, Preset.FAST))
    assert not fake.state.log


def test_an_upload_that_fails_is_a_failure_of_the_known_kind(
    settings: ClaudeSettings, store: FileStore, prompt: Prompt, fake: FakeServer
) -> None:
    wrong = settings.model_copy(update={"anthropic_api_key": SecretStr("sk-ant-wrong")})

    async def run() -> None:
        async with Claude(wrong) as claude:
            await Batches(claude, store).submit(items(prompt, "a"), MODEL, Preset.FAST)

    with pytest.raises(ClaudeUnavailable) as caught:
        asyncio.run(run())
    assert caught.value.trouble is Trouble.CREDENTIALS


def test_a_refused_batch_leaves_no_record(run: Run, prompt: Prompt, fake: FakeServer, store: FileStore) -> None:
    plain = prompt.__class__(**{**prompt.__dict__, "pictures": ()})
    with pytest.raises(ClaudeUnavailable):
        run(lambda bulk: _refused(bulk, plain, fake))
    assert asyncio.run(store.records()) == []


async def _refused(bulk: Batches, prompt: Prompt, fake: FakeServer) -> object:
    bulk._claude._apis = {
        name: api.with_options(api_key="sk-ant-forbidden") for name, api in bulk._claude._apis.items()
    }
    return await bulk.submit(items(prompt, "a"), MODEL, Preset.FAST)
