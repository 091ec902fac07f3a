"""Several keys against the fake: who is asked, who is left alone."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest
import structlog
from pydantic import SecretStr

from analyzer.fakeclaude.server import FakeServer
from analyzer.judged import JudgedPage
from analyzer.judging import fact_table, prompts
from analyzer.judging.breaker import FIRST_REST_S, LEAST_CALLS
from analyzer.judging.claude import Claude, Sleep
from analyzer.judging.deadline import Deadline
from analyzer.judging.exchange import ClaudeUnavailable, Prompt, Reply, Trouble
from analyzer.judging.keys import fingerprint
from analyzer.judging.settings import ClaudeSettings

MODEL = "claude-haiku-5-5"
A, B, C = (f"sk-ant-key-{name}" for name in "abc")
MakeClaude = Callable[..., Claude]


class Time:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def prompt(page: JudgedPage) -> Prompt:
    return prompts.build(fact_table.build(page, {}), {}, prompts.new_marker(), "t")


@pytest.fixture
def make(settings: ClaudeSettings, sleep: Sleep, time: Time) -> MakeClaude:
    def made(*keys: str) -> Claude:
        values = {"anthropic_api_key": SecretStr(keys[0]), "anthropic_api_keys": SecretStr(",".join(keys[1:]))}
        return Claude(settings.model_copy(update=values), sleep=sleep, clock=time)

    return made


def asked(claude: Claude, prompt: Prompt, times: int = 1) -> list[Reply | ClaudeUnavailable]:
    async def one() -> Reply | ClaudeUnavailable:
        try:
            return await claude.ask(prompt, MODEL, Deadline.after_ms(30_000))
        except ClaudeUnavailable as exc:
            return exc

    async def run() -> list[Reply | ClaudeUnavailable]:
        async with claude:
            return list(await asyncio.gather(*(one() for _ in range(times))))

    return asyncio.run(run())


def by_key(fake: FakeServer) -> Counter[str]:
    return Counter(entry["headers"]["authorization"].removeprefix("Bearer ") for entry in fake.requests)


def test_calls_at_once_use_every_key(make: MakeClaude, prompt: Prompt, fake: FakeServer) -> None:
    assert all(isinstance(one, Reply) for one in asked(make(A, B, C), prompt, 9))
    assert by_key(fake) == {A: 3, B: 3, C: 3}


@pytest.mark.parametrize("scenario", ["unauthorized", "forbidden", "spend_limit", "rate_limited:40", "rate_limited"])
def test_another_key_answers_at_once(
    scenario: str, make: MakeClaude, prompt: Prompt, fake: FakeServer, waits: list[float]
) -> None:
    fake.state.by_key[A] = scenario
    (reply,) = asked(make(A, B), prompt)
    assert isinstance(reply, Reply)
    assert by_key(fake) == {A: 1, B: 1}
    assert waits == [0]


def test_a_refused_key_is_left_alone_and_tried_again_later(
    make: MakeClaude, prompt: Prompt, fake: FakeServer, time: Time
) -> None:
    fake.state.by_key[A] = "unauthorized"

    async def run() -> None:
        async with make(A, B) as claude:
            for _ in range(4):
                await claude.ask(prompt, MODEL, Deadline.after_ms(30_000))
            assert by_key(fake) == {A: 1, B: 4}
            time.now += 30
            fake.state.by_key.clear()
            for expected in (2, 4):  # one probe, and then its half again
                await asyncio.gather(*(claude.ask(prompt, MODEL, Deadline.after_ms(30_000)) for _ in range(4)))
                assert by_key(fake)[A] == expected

    asyncio.run(run())


def test_no_key_left_is_a_probe_in_thirty_seconds(make: MakeClaude, prompt: Prompt, fake: FakeServer) -> None:
    fake.state.by_key.update({A: "unauthorized", B: "forbidden"})

    async def run() -> list[ClaudeUnavailable]:
        found = []
        async with make(A, B) as claude:
            for _ in range(20):
                with pytest.raises(ClaudeUnavailable) as caught:
                    await claude.ask(prompt, MODEL, Deadline.after_ms(30_000))
                found.append(caught.value)
        return found

    errors = asyncio.run(run())
    assert {error.trouble for error in errors} == {Trouble.CREDENTIALS}
    assert errors[-1].retry_after_s == 30
    assert len(fake.requests) == 2


def test_a_spending_limit_is_met_once(make: MakeClaude, prompt: Prompt, fake: FakeServer) -> None:
    fake.state.by_key[A] = "spend_limit"

    async def run() -> ClaudeUnavailable:
        async with make(A) as claude:
            for _ in range(5):
                with pytest.raises(ClaudeUnavailable) as caught:
                    await claude.ask(prompt, MODEL, Deadline.after_ms(30_000))
        return caught.value

    error = asyncio.run(run())
    assert error.trouble is Trouble.SPEND_LIMIT
    assert (error.retry_after_s or 0) > 0
    assert len(fake.requests) == 1


def test_a_429_that_says_nothing_is_asked_once(make: MakeClaude, prompt: Prompt, fake: FakeServer) -> None:
    fake.state.by_key[A] = "rate_limited"
    (error,) = asked(make(A), prompt)
    assert isinstance(error, ClaudeUnavailable)
    assert error.trouble is Trouble.RATE_LIMITED
    assert len(fake.requests) == 1


def test_limits_are_learnt_before_they_are_met(make: MakeClaude, prompt: Prompt, fake: FakeServer) -> None:
    fake.state.limits["requests"] = 2

    async def run() -> ClaudeUnavailable:
        async with make(A) as claude:
            for _ in range(2):
                await claude.ask(prompt, MODEL, Deadline.after_ms(30_000))
            with pytest.raises(ClaudeUnavailable) as caught:
                await claude.ask(prompt, MODEL, Deadline.after_ms(30_000))
            return caught.value

    error = asyncio.run(run())
    assert error.trouble is Trouble.RATE_LIMITED
    assert 50 <= (error.retry_after_s or 0) <= 60
    assert len(fake.requests) == 2


def test_a_provider_in_trouble_is_left_alone(make: MakeClaude, prompt: Prompt, fake: FakeServer, time: Time) -> None:
    fake.state.default = "overloaded"

    async def run() -> None:
        async with make(A) as claude:

            async def fails() -> ClaudeUnavailable:
                with pytest.raises(ClaudeUnavailable) as caught:
                    await claude.ask(prompt, MODEL, Deadline.after_ms(30_000))
                return caught.value

            for _ in range(10):
                error = await fails()
            assert error.trouble is Trouble.CIRCUIT_OPEN
            assert error.retry_after_s == pytest.approx(FIRST_REST_S)
            assert len(fake.requests) == LEAST_CALLS
            assert (await claude.ask(prompt, "claude-sonnet-5-5@ok", Deadline.after_ms(30_000))).text
            fake.state.default = "ok"
            time.now += FIRST_REST_S
            assert (await claude.ask(prompt, MODEL, Deadline.after_ms(30_000))).text

    asyncio.run(run())


def test_logs_name_keys_by_their_fingerprint(make: MakeClaude, prompt: Prompt, fake: FakeServer) -> None:
    fake.state.by_key[A] = "unauthorized"
    with structlog.testing.capture_logs() as logs:
        asked(make(A, B), prompt)
    text = str(logs)
    assert fingerprint(A) in text
    assert A not in text
    assert B not in text
