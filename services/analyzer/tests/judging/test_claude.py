import asyncio
from collections.abc import Callable

import pytest

from analyzer.fakeclaude.server import FakeServer
from analyzer.judged import JudgedPage
from analyzer.judging import fact_table, prompts
from analyzer.judging.claude import MAX_ATTEMPTS, Claude, Sleep
from analyzer.judging.deadline import Deadline
from analyzer.judging.exchange import ClaudeUnavailable, Prompt, Reply, Trouble
from analyzer.judging.settings import ClaudeSettings

Ask = Callable[..., Reply]
MODEL = "claude-haiku-5-5"


@pytest.fixture
def prompt(page: JudgedPage) -> Prompt:
    return prompts.build(fact_table.build(page, {}), {}, prompts.new_marker(), "t")


@pytest.fixture
def ask(settings: ClaudeSettings, sleep: Sleep, prompt: Prompt) -> Ask:
    def asked(model: str = MODEL, deadline: Deadline | None = None) -> Reply:
        async def run() -> Reply:
            async with Claude(settings, sleep=sleep) as claude:
                return await claude.ask(prompt, model, deadline or Deadline.after_ms(60_000))

        return asyncio.run(run())

    return asked


def trouble(ask: Ask, **options: object) -> ClaudeUnavailable:
    with pytest.raises(ClaudeUnavailable) as caught:
        ask(**options)
    return caught.value


def test_waits_as_long_as_it_is_told(ask: Ask, fake: FakeServer, waits: list[float]) -> None:
    fake.script("rate_limited:7")
    assert ask().stop_reason == "end_turn"
    assert len(waits) == 1
    assert 7 <= waits[0] <= 7.5


def test_an_overload_passes(ask: Ask, fake: FakeServer, waits: list[float]) -> None:
    fake.script("overloaded", "overloaded")
    assert ask().stop_reason == "end_turn"
    assert len(waits) == 2
    assert waits[0] <= 0.5
    assert waits[1] <= 1


def test_five_attempts_and_no_more(ask: Ask, fake: FakeServer, waits: list[float]) -> None:
    fake.script(*["overloaded"] * 9)
    assert trouble(ask).trouble is Trouble.OVERLOADED
    assert len(fake.requests) == MAX_ATTEMPTS == 5
    assert len(waits) == 4


def test_a_long_wait_is_the_queues(ask: Ask, fake: FakeServer, waits: list[float]) -> None:
    fake.script("rate_limited:7200")
    error = trouble(ask)
    assert error.trouble is Trouble.RATE_LIMITED
    assert error.retry_after_s == 7_200
    assert waits == []


def test_a_wait_beyond_the_deadline_is_not_begun(ask: Ask, fake: FakeServer, waits: list[float]) -> None:
    fake.script("rate_limited:30")
    assert trouble(ask, deadline=Deadline.after_ms(20_000)).retry_after_s == 30
    assert waits == []


def test_the_retry_window_is_sixty_seconds(ask: Ask, fake: FakeServer) -> None:
    fake.script(*["rate_limited:25"] * 5)
    ticks = iter(range(0, 1_000, 13))
    trouble(ask, deadline=Deadline(10_000, lambda: float(next(ticks))))
    assert len(fake.requests) < MAX_ATTEMPTS


@pytest.mark.parametrize(
    ("scenario", "kind"),
    [
        ("spend_limit", Trouble.SPEND_LIMIT),
        ("garbled", Trouble.GARBLED),
        ("foreign", Trouble.GARBLED),
    ],
)
def test_what_a_retry_cannot_help_is_asked_once(scenario: str, kind: Trouble, ask: Ask, fake: FakeServer) -> None:
    fake.script(scenario)
    assert trouble(ask).trouble is kind
    assert len(fake.requests) == 1


@pytest.mark.parametrize("scenario", ["drop", "drop_body", "server_error"])
def test_what_a_retry_can_help_is_asked_again(scenario: str, ask: Ask, fake: FakeServer) -> None:
    fake.script(scenario)
    assert ask().stop_reason == "end_turn"
    assert len(fake.requests) == 2


def test_an_unknown_model_is_our_mistake(ask: Ask, fake: FakeServer) -> None:
    error = trouble(ask, model="claude-none")
    assert error.trouble is Trouble.REQUEST
    assert "CLAUDE_MODEL_" in error.detail
    assert "404" in error.reason
    assert len(fake.requests) == 1


def test_a_hanging_call_ends_with_the_deadline(ask: Ask, fake: FakeServer) -> None:
    fake.script("hang")
    assert trouble(ask, deadline=Deadline.after_ms(2_000)).trouble is Trouble.TIMEOUT
    assert len(fake.requests) == 1


def test_a_refusal_is_a_reply(ask: Ask, fake: FakeServer) -> None:
    fake.script("refusal_text")
    reply = ask()
    assert (reply.stop_reason, reply.text) == ("refusal", "I can't help with this page.")
    assert reply.usage.input > 0


def test_the_api_version_is_pinned(ask: Ask, fake: FakeServer) -> None:
    assert ask().api_version == "2026-10-21"
    assert fake.requests[0]["headers"]["anthropic-version"] == "2026-10-21"


def test_effort_is_sent_only_when_set(ask: Ask, fake: FakeServer, settings: ClaudeSettings, prompt: Prompt) -> None:
    ask()
    keen = settings.model_copy(update={"claude_effort": "low"})

    async def run() -> None:
        async with Claude(keen) as claude:
            await claude.ask(prompt, MODEL, Deadline.after_ms(10_000))

    asyncio.run(run())
    plain, low = (one["body"]["output_config"] for one in fake.requests)
    assert "effort" not in plain
    assert low["effort"] == "low"


def test_other_credentials_in_the_environment_are_not_used(
    ask: Ask, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "somebody-elses")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "somebody-elses")
    ask()
    assert fake.requests[0]["headers"]["authorization"] == "Bearer sk-ant-test-0123456789"
