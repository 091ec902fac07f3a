"""POST /analyze and POST /tickets where the model is asked later, or in a message batch."""

import asyncio
import base64
import hashlib
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from analyzer.app import create_app
from analyzer.judged import Judgement
from analyzer.settings import AnalyzerSettings
from contracts.analyze import AnalyzeRequest, Asking, Preset
from contracts.errors import ErrorCode
from contracts.geometry import DESKTOP
from contracts.render import Artifact, RenderResult
from contracts.result import AiRun, Analyzed, DegradedReason, Ticket, TicketRead, TicketState
from runtime.errors import ServiceError
from tests.fixtures.page_facts import button, heading, page

TICKET = Ticket(claim="c", most_usd=Decimal("0.01"))
JUDGEMENT = Judgement(findings=(), run=AiRun(model="m", cost_usd="0.01", batch=True))


class Judges:
    """Both ways to ask; `answer` is what bulk work gets."""

    def __init__(self, answer: Judgement | Ticket | ServiceError = TICKET) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def __call__(self, *_: object, **__: object) -> Judgement:
        self.asked.append("now")
        return JUDGEMENT

    def _answer(self) -> Judgement | Ticket:
        if isinstance(self.answer, ServiceError):
            raise self.answer
        return self.answer

    async def hand_in(self, *_: object, **__: object) -> Judgement | Ticket:
        self.asked.append("hand_in")
        return self._answer()

    async def redeem(self, *asked: object, **_: object) -> Judgement | Ticket:
        assert isinstance(asked[-1], Ticket)
        self.asked.append(f"redeem {asked[-1].claim}")
        return self._answer()

    async def look(self, *_: object, **__: object) -> TicketState:
        return TicketState.READY


FACTS = page(heading("Get paid in two days"), button("Start free trial", contrast=2.1)).model_dump_json().encode()
RENDER = RenderResult(
    requested_url="shop.test",
    final_url="https://shop.test/",
    http_status=200,
    artifacts={
        "facts.desktop": Artifact(
            name="facts.desktop",
            content_type="application/json",
            bytes=len(FACTS),
            sha256=hashlib.sha256(FACTS).hexdigest(),
            viewport=DESKTOP,
            data=base64.b64encode(FACTS).decode(),
        )
    },
)


def order(**changes: Any) -> AnalyzeRequest:  # noqa: ANN401  # any field of it
    return AnalyzeRequest(**{"analysis_id": "an_1", "render": RENDER, "downloads": {}, **changes})


def posted(path: str, body: AnalyzeRequest | Ticket, judges: Judges | None) -> httpx2.Response:
    async def talk() -> httpx2.Response:
        app = create_app(AnalyzerSettings(), judge=judges, bulk=judges)
        to_app = httpx2.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=to_app, base_url="http://analyzer") as http,
        ):
            return (await http.post(path, json=body.model_dump(mode="json"))).raise_for_status()

    return asyncio.run(talk())


def analyzed(judges: Judges | None, **changes: Any) -> Analyzed:  # noqa: ANN401  # any field of it
    return Analyzed.model_validate_json(posted("/analyze", order(**changes), judges).content)


def test_later_gives_the_rules_at_once_and_says_that_more_comes() -> None:
    judges = Judges()
    found = analyzed(judges, ai=Asking.LATER)
    engine = found.engine
    assert (engine.mode, engine.ai_pending, engine.degraded, engine.ai) == ("rules", True, False, None)
    assert found.findings
    assert (found.ticket, judges.asked) == (None, [])


def test_bulk_gives_a_ticket() -> None:
    judges = Judges()
    found = analyzed(judges, ai=Asking.BULK)
    assert (found.ticket, found.engine.ai_pending, found.engine.degraded) == (TICKET, True, False)
    assert "ticket" not in found.public().model_dump()
    assert judges.asked == ["hand_in"]


def test_a_page_that_was_judged_before_gets_its_answer_instead() -> None:
    found = analyzed(Judges(JUDGEMENT), ai=Asking.BULK)
    assert (found.ticket, found.engine.mode, found.engine.ai_pending) == (None, "rules+ai", False)


def test_a_ticket_is_redeemed_whatever_else_is_asked() -> None:
    judges = Judges(JUDGEMENT)
    found = analyzed(judges, ai=Asking.LATER, ticket=TICKET)
    assert (found.engine.mode, found.engine.ai, found.engine.ai_pending) == ("rules+ai", JUDGEMENT.run, False)
    assert judges.asked == ["redeem c"]
    assert analyzed(Judges(), ticket=TICKET).ticket == TICKET, "too early"


@pytest.mark.parametrize("asked", [{"ai": Asking.BULK}, {"ticket": TICKET}])
def test_what_fails_says_so_as_ever(asked: dict[str, Any]) -> None:
    failed = ServiceError(ErrorCode.UNAVAILABLE, "No.", retry_after_s=7)
    found = analyzed(Judges(failed), **asked, ai_later=True)
    assert (found.ticket, found.engine.ai_pending, found.retry_after_s) == (None, True, 7)
    assert found.engine.degraded_reason is DegradedReason.UNAVAILABLE
    assert not analyzed(Judges(failed), **asked).engine.ai_pending


def test_a_ticket_that_there_was_no_time_for_is_not_lost() -> None:
    judges = Judges(JUDGEMENT)
    found = analyzed(judges, ticket=TICKET, budget_ms=1_000)
    assert (found.ticket, found.engine.ai_pending, judges.asked) == (TICKET, True, [])


def test_rules_ask_nobody_and_without_a_key_nobody_is_asked() -> None:
    judges = Judges()
    assert not analyzed(judges, preset=Preset.RULES, ai=Asking.BULK).engine.ai_pending
    assert judges.asked == []
    for asked in ({"ai": Asking.LATER}, {"ai": Asking.BULK}, {"ticket": TICKET}):
        engine = analyzed(None, **asked).engine
        assert (engine.degraded_reason, engine.ai_pending) == (DegradedReason.NO_KEY, False)


@pytest.mark.parametrize(("judges", "state"), [(Judges(), TicketState.READY), (None, TicketState.LOST)])
def test_what_a_ticket_is_worth(judges: Judges | None, state: TicketState) -> None:
    assert TicketRead.model_validate_json(posted("/tickets", TICKET, judges).content).state is state
