"""The configured models are checked at start-up: what is gone stops the start, what is away does not."""

import asyncio
import socket
from collections.abc import Mapping

import httpx2
import pytest
import structlog
from pydantic import SecretStr

from analyzer.fakeclaude.server import FakeServer
from analyzer.judging.claude import Claude
from analyzer.judging.deadline import Deadline
from analyzer.judging.exchange import ClaudeUnavailable, ModelState, Trouble
from analyzer.judging.lifecycle import MODEL_DEPRECATED, MODEL_NOT_CHECKED, Lifecycle
from analyzer.judging.settings import ClaudeSettings
from analyzer.service import create_service
from analyzer.settings import AnalyzerSettings
from runtime.errors import ServiceError


def started(settings: ClaudeSettings) -> Mapping[str, str]:
    async def run() -> Mapping[str, str]:
        async with Claude(settings) as claude, Lifecycle(settings, claude) as models:
            return models.detail()

    return asyncio.run(run())


def test_good_models_are_checked_at_the_start(settings: ClaudeSettings, fake: FakeServer) -> None:
    assert started(settings) == {"claude": "models checked"}
    paths = [one["path"] for one in fake.state.log]
    assert paths == [f"/v1/models/{name}" for name in settings.models]


@pytest.mark.parametrize(
    ("model", "why"),
    [("claude-mythos-preview", "was retired on 2026-06-30"), ("claude-none", "the provider does not know")],
)
def test_a_model_that_is_gone_stops_the_start_and_names_the_setting(
    model: str, why: str, settings: ClaudeSettings
) -> None:
    with pytest.raises(ServiceError) as caught:
        started(settings.model_copy(update={"claude_model_deep": model}))
    assert caught.value.detail.startswith(f"CLAUDE_MODEL_DEEP names {model}, which {why}")


def test_a_deprecated_model_is_told_of_with_its_date(settings: ClaudeSettings) -> None:
    with structlog.testing.capture_logs() as logs:
        detail = started(settings.model_copy(update={"claude_model_fast": "claude-sonnet-4-5"}))
    assert detail == {"claude": "CLAUDE_MODEL_FAST: claude-sonnet-4-5 is deprecated and retires on 2026-11-30"}
    assert [one["log_level"] for one in logs if one["event"] == MODEL_DEPRECATED] == ["warning"]


class Registrar:
    """Fails as often as told, then knows every model; `asked` counts."""

    def __init__(self, failures: int, state: ModelState) -> None:
        self.left = failures
        self.state = state
        self.asked = 0
        self.known: set[str] = set()
        self.all_known = asyncio.Event()

    async def lifecycle(self, model: str, deadline: Deadline) -> ModelState:
        self.asked += 1
        if self.left > 0:
            self.left -= 1
            raise ClaudeUnavailable(Trouble.CONNECTION, f"{model} with {deadline.left_s()} s left")
        self.known.add(model)
        if len(self.known) == 3:
            self.all_known.set()
        return self.state


@pytest.mark.parametrize("lack", ["pictures", "structured output"])
def test_a_model_that_cannot_do_it_stops_the_start(lack: str, settings: ClaudeSettings) -> None:
    async def run() -> None:
        async with Lifecycle(settings, Registrar(0, ModelState("active", lacks=(lack,)))):
            pass

    with pytest.raises(ServiceError, match=f"CLAUDE_MODEL_FAST names claude-haiku-5-5, which takes no {lack}"):
        asyncio.run(run())


def test_a_provider_that_is_away_is_asked_again_later(settings: ClaudeSettings) -> None:
    registrar = Registrar(5, ModelState("active"))
    waits: list[float] = []

    async def run() -> tuple[str, str]:
        checked, waited = asyncio.Event(), asyncio.Event()

        async def sleep(seconds: float) -> None:
            waits.append(seconds)
            await checked.wait()
            if len(waits) > 1:
                waited.set()

        async with Lifecycle(settings, registrar, sleep) as models:
            before = models.detail()["claude"]
            checked.set()
            await waited.wait()
            await registrar.all_known.wait()
            await asyncio.sleep(0)
            return before, models.detail()["claude"]

    with structlog.testing.capture_logs() as logs:
        before, after = asyncio.run(run())
    assert before.count("not checked yet (connection)") == 3
    assert after == "models checked"
    # Three at the start, three more (two of them in vain), and the last two.
    assert registrar.asked == 8
    assert sum(one["event"] == MODEL_NOT_CHECKED for one in logs) == 5
    assert all(30 <= seconds <= 60 for seconds in waits)


def test_the_service_starts_without_the_provider_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test-0123456789")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{port}")

    async def run() -> tuple[int, dict[str, str]]:
        app = create_service(AnalyzerSettings())
        transport = httpx2.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url="http://analyzer") as http,
        ):
            answer = await http.get("/readyz")
            return answer.status_code, answer.json()

    status, body = asyncio.run(run())
    assert (status, body["status"]) == (200, "ready")
    assert "CLAUDE_MODEL_FAST: claude-haiku-5-5 not checked yet" in body["claude"]


def test_a_refused_key_does_not_stop_the_start(settings: ClaudeSettings) -> None:
    wrong = settings.model_copy(update={"anthropic_api_key": SecretStr("sk-ant-wrong")})
    assert "not checked yet (credentials)" in started(wrong)["claude"]
