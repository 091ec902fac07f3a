"""Bulk work against the fake: sent, asked for, priced at half."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TypeVar

import pytest
from pydantic import SecretStr

from analyzer.fakeclaude import batches as fake_batches
from analyzer.fakeclaude.server import FakeServer
from analyzer.judged import JudgedPage
from analyzer.judging import batches, fact_table, pictures, prices, prompts
from analyzer.judging.answer import Answer
from analyzer.judging.batches import Batches, BatchItem, BatchRecord
from analyzer.judging.claude import Claude
from analyzer.judging.exchange import ClaudeUnavailable, Prompt, Reply, Trouble
from analyzer.judging.failures import Failure
from analyzer.judging.judge import ClaudeJudge
from analyzer.judging.ledger import Ledger
from analyzer.judging.settings import ClaudeSettings
from contracts.analyze import Preset

MODEL = "claude-haiku-5-5"
DAY_S = 86_400
Result = TypeVar("Result")
Outcomes = dict[str, Reply | Failure]
Work = Callable[[Batches], Awaitable[Result]]


class Time:
    """The fake's time and the client's."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(fake.state, "clock", time)
    return time


@pytest.fixture
def prompt(page: JudgedPage) -> Prompt:
    ready = pictures.prepare(page.images, prices.find(MODEL))
    return prompts.build(fact_table.build(page, ready), ready, "Request marker: m.", "t")


Run = Callable[..., object]


@pytest.fixture
def run(settings: ClaudeSettings, time: Time) -> Callable[[Work[Result]], Result]:
    def ran(work: Work[Result]) -> Result:
        """Work in a process of its own, as far as memory goes."""

        async def whole() -> Result:
            async with Claude(settings) as claude:
                return await work(Batches(claude, wall=time))

        return asyncio.run(whole())

    return ran


def items(prompt: Prompt, *names: str) -> list[BatchItem]:
    return [BatchItem(name, prompt) for name in names]


async def outcomes(bulk: Batches, record: BatchRecord) -> Outcomes:
    found = await bulk.outcomes(record)
    assert found is not None, "it runs still"
    return found


def kinds(found: Outcomes) -> dict[str, str]:
    return {
        name: one.trouble.value if isinstance(one, Failure) else one.stop_reason for name, one in sorted(found.items())
    }


def test_many_prompts_are_one_batch_and_each_gets_its_own_answer(
    run: Run, prompt: Prompt, fake: FakeServer, time: Time
) -> None:
    fake.state.batch_s = 900
    names = [f"an_{number}" for number in range(7)]

    async def work(bulk: Batches) -> Outcomes:
        (record,) = await bulk.submit(items(prompt, *names), MODEL)
        assert await bulk.outcomes(record) is None
        time.now += 901
        found = await outcomes(bulk, record)
        assert await outcomes(bulk, record) == found, "as often as is asked"
        return found

    found = run(work)
    assert isinstance(found, dict)
    assert kinds(found) == dict.fromkeys(names, "end_turn")
    for one in found.values():
        Answer.model_validate_json(one.text)
    sent = [entry for entry in fake.state.log if entry["path"] == "/v1/messages/batches"]
    assert len(sent) == 1
    assert [one["custom_id"] for one in sent[0]["body"]["requests"]] == names


def test_pictures_are_uploaded_once_and_outlive_the_batch(run: Run, prompt: Prompt, fake: FakeServer) -> None:
    run(lambda bulk: bulk.submit(items(prompt, "a", "b", "c"), MODEL))
    assert len(fake.state.files) == 1, "both sections show the same pixels"
    (stored,) = fake.state.files.values()
    assert (stored.expires_s or 0) - fake.state.clock() > DAY_S
    body = next(entry["body"] for entry in fake.state.log if entry["path"] == "/v1/messages/batches")
    assert len(json.dumps(body["requests"][0])) < 40_000
    assert '"base64"' not in json.dumps(body)


def test_a_batch_costs_half(run: Run, prompt: Prompt, judge: ClaudeJudge, page: JudgedPage, fake: FakeServer) -> None:
    async def work(bulk: Batches) -> Outcomes:
        (record,) = await bulk.submit(items(prompt, "a"), MODEL)
        return await outcomes(bulk, record)

    found = run(work)
    assert isinstance(found, dict)
    ledger = Ledger(Preset.FAST)
    ledger.record(found["a"])
    bill = ledger.run()
    assert bill is not None
    assert bill.batch
    assert bill.price_table
    whole = prices.cost(MODEL, bill.usage)
    assert whole is not None
    assert abs(Decimal(bill.cost_usd) * 2 - whole) <= Decimal("0.000002")


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
    async def work(bulk: Batches) -> Outcomes:
        fake.script("ok", scenario, "ok")
        (record,) = await bulk.submit(items(prompt, "a", "b", "c"), MODEL)
        return await outcomes(bulk, record)

    found = run(work)
    assert isinstance(found, dict)
    assert kinds(found) == {"a": "end_turn", "b": kind, "c": "end_turn"}
    if isinstance(found["b"], Reply):
        assert found["b"].usage.input > 0, "paid all the same"


def test_a_batch_that_takes_too_long_expires(run: Run, prompt: Prompt, fake: FakeServer, time: Time) -> None:
    fake.state.batch_s = 2 * DAY_S

    async def work(bulk: Batches) -> Outcomes:
        (record,) = await bulk.submit(items(prompt, "a"), MODEL)
        time.now += DAY_S + 1
        return await outcomes(bulk, record)

    found = run(work)
    assert isinstance(found, dict)
    assert kinds(found) == {"a": "expired"}


def test_the_limits_of_a_batch_are_kept(run: Run, prompt: Prompt, fake: FakeServer) -> None:
    async def work(bulk: Batches) -> list[BatchRecord]:
        bulk.max_requests = 3
        by_count = await bulk.submit(items(prompt, *"abcdefg"), MODEL)
        bulk.max_requests, bulk.max_bytes = 100, 60_000
        by_size = await bulk.submit(items(prompt, *"abcdefghij"), MODEL)
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
        (record,) = await bulk.submit(items(prompt, "a"), MODEL)
        with pytest.raises(ClaudeUnavailable) as caught:
            await bulk.outcomes(record)
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
    ],
)
def test_a_record_of_somebody_else_is_not_followed(
    changes: dict[str, str], kind: Trouble, run: Run, prompt: Prompt, fake: FakeServer
) -> None:
    async def work(bulk: Batches) -> ClaudeUnavailable:
        (record,) = await bulk.submit(items(prompt, "a"), MODEL)
        asked = len(fake.state.log)
        with pytest.raises(ClaudeUnavailable) as caught:
            await bulk.outcomes(record.model_copy(update=changes))
        assert len(fake.state.log) == asked
        return caught.value

    error = run(work)
    assert isinstance(error, ClaudeUnavailable)
    assert error.trouble is kind


def test_the_key_that_sent_a_batch_collects_it(
    settings: ClaudeSettings, prompt: Prompt, fake: FakeServer, time: Time
) -> None:
    keys = settings.model_copy(update={"anthropic_api_keys": SecretStr("sk-ant-second\nsk-ant-third")})

    async def run() -> None:
        async with Claude(keys) as claude:
            bulk = Batches(claude, wall=time)
            for _ in range(3):
                (record,) = await bulk.submit(items(prompt, "a"), MODEL)
                await outcomes(bulk, record)

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
        run(lambda bulk: bulk.submit(items(prompt, *names), MODEL))
    assert not fake.state.log


def test_an_upload_that_fails_is_a_failure_of_the_known_kind(
    settings: ClaudeSettings, prompt: Prompt, fake: FakeServer
) -> None:
    wrong = settings.model_copy(update={"anthropic_api_key": SecretStr("sk-ant-wrong")})

    async def run() -> None:
        async with Claude(wrong) as claude:
            await Batches(claude).submit(items(prompt, "a"), MODEL)

    with pytest.raises(ClaudeUnavailable) as caught:
        asyncio.run(run())
    assert caught.value.trouble is Trouble.CREDENTIALS
