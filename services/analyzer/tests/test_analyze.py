"""POST /analyze over ASGI, with inline artifacts and with downloads."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from analyzer.app import create_app
from analyzer.artifacts import origin_of
from analyzer.judged import Judge, JudgedPage, Judgement
from analyzer.settings import AnalyzerSettings
from contracts.analyze import AnalyzeRequest, Preset
from contracts.errors import ErrorCode
from contracts.facts import PageFacts
from contracts.geometry import DESKTOP, PHONE, Box, Viewport, ViewportName
from contracts.render import Artifact, BannerAction, RenderResult, Section, TransferSlot
from contracts.result import AiRun, Analysis, DegradedReason
from runtime.errors import ServiceError
from tests.fixtures.page_facts import button, heading, page

ORIGIN = "https://blobs.test"
SETTINGS = AnalyzerSettings(analyzer_download_origins=ORIGIN)


def artifact(name: str, content: bytes, viewport: Viewport = DESKTOP, **values: Any) -> Artifact:  # noqa: ANN401  # Artifact checks them
    sha256 = hashlib.sha256(content).hexdigest()
    known = {"content_type": "x/y", "bytes": len(content), "sha256": sha256, "viewport": viewport}
    return Artifact(**{"name": name, **known, "data": base64.b64encode(content).decode(), **values})


def facts_of(phone: bool = False, **values: Any) -> bytes:  # noqa: ANN401, FBT001, FBT002  # a phone is a phone
    made: PageFacts = page(
        heading("Get paid in two days"), button("Start free trial", contrast=2.1), phone=phone, **values
    )
    return made.model_dump_json().encode()


def render(*artifacts: Artifact, **values: Any) -> RenderResult:  # noqa: ANN401  # RenderResult checks them
    known = {"requested_url": "shop.test", "final_url": "https://shop.test/", "http_status": 200}
    return RenderResult(**{**known, "artifacts": {one.name: one for one in artifacts}, **values})


def request(rendered: RenderResult, **values: Any) -> AnalyzeRequest:  # noqa: ANN401  # AnalyzeRequest checks them
    return AnalyzeRequest(**{"analysis_id": "an_1", "job_id": "job_1", "render": rendered, "downloads": {}, **values})


BOTH = (
    artifact("facts.desktop", facts_of()),
    artifact("facts.mobile", facts_of(phone=True), PHONE),
    artifact("full_page.desktop", b"jpeg", width=1440, height=3000, box=Box(x=0, y=0, width=1440, height=3000)),
    artifact("sections.desktop.1", b"section", width=1440, height=900),
)
SECTION = Section(id="s1", viewport=DESKTOP, box=Box(x=0, y=0, width=1440, height=900), artifact="sections.desktop.1")


@asynccontextmanager
async def client(
    settings: AnalyzerSettings = SETTINGS,
    *,
    storage: httpx2.AsyncBaseTransport | None = None,
    judge: Judge | None = None,
) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(settings, storage=storage, judge=judge)
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://analyzer") as http,
    ):
        yield http


def ask(body: AnalyzeRequest, **options: Any) -> httpx2.Response:  # noqa: ANN401  # passed on
    async def talk() -> httpx2.Response:
        async with client(**options) as http:
            return await http.post("/analyze", json=body.model_dump(mode="json"))

    return asyncio.run(talk())


def analysed(body: AnalyzeRequest, **options: Any) -> Analysis:  # noqa: ANN401  # passed on
    response = ask(body, **options)
    assert response.status_code == 200, response.text
    return Analysis.model_validate_json(response.content)


def test_inline_artifacts_end_to_end() -> None:
    keys = {"full_page.desktop": "t/full.jpg", "sections.desktop.1": "t/s1.jpg"}
    result = analysed(request(render(*BOTH, sections=[SECTION]), asset_keys=keys, tenant_id="t"))
    assert (result.id, result.job_id, result.tenant_id, result.status) == ("an_1", "job_1", "t", "complete")
    assert (result.engine.mode, result.engine.degraded_reason, result.engine.ai) == ("rules", "no_key", None)
    assert result.url.final == "https://shop.test/"
    assert (result.page.type, result.page.language) == ("landing", "en")
    assert len(result.page.content_hash) == 64
    assert {asset.key for asset in result.capture.assets} == {"t/full.jpg", "t/s1.jpg"}
    assert result.capture.viewports == ["desktop_1440", "mobile_390"]
    assert [(part.id, part.type, part.asset_key) for part in result.sections] == [("s1", "hero", "t/s1.jpg")]
    worst = result.findings[0]
    assert worst.rule_ids == ["cta.text_contrast"]
    assert worst.evidence[0].asset_key == "t/full.jpg"
    assert result.scores.overall == round(100 + sum(step.points for step in result.scores.explanation))
    assert 3 <= len(result.strengths) <= 6
    assert result.facts["cta_count"] == 1
    assert {"render", "download", "rules", "total"} <= set(result.timings_ms)


def test_same_page_same_answer() -> None:
    first, second = (analysed(request(render(*BOTH))).model_dump(exclude={"timings_ms"}) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("missing", list(ViewportName))
def test_one_viewport_is_enough(missing: ViewportName) -> None:
    rendered = render(*(one for one in BOTH if one.name != f"facts.{missing}"))
    result = analysed(request(rendered))
    assert result.status == "partial"
    assert f"facts_missing:{missing}" in result.capture.warnings
    assert {one.viewport for one in result.rules} == {name for name in ViewportName if name != missing}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"viewport": {}, "url": "x", "scroll_width": NaN}',
        b'{"viewport": {}, "url": "x", "scroll_width": 1e999}',
        b'{"viewport": {}, "url": "x", "scroll_width": ' + b"9" * 400 + b"}",
        b'{"viewport": {}, "url": "x", "page_height": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_unreadable_facts_of_one_viewport_are_left_out(content: bytes) -> None:
    result = analysed(request(render(BOTH[0], artifact("facts.mobile", content, PHONE))))
    assert result.status == "partial"
    assert "facts_missing:mobile" in result.capture.warnings


def test_no_facts_is_a_refusal() -> None:
    response = ask(request(render(artifact("facts.desktop", b"{}"))))
    assert (response.status_code, response.json()["code"]) == (422, ErrorCode.INVALID_REQUEST)


def store(objects: dict[str, bytes], seen: list[str]) -> httpx2.MockTransport:
    def answer(asked: httpx2.Request) -> httpx2.Response:
        seen.append(asked.url.path)
        content = objects.get(asked.url.path)
        return httpx2.Response(404) if content is None else httpx2.Response(200, content=content)

    return httpx2.MockTransport(answer)


def stored(*names: str, origin: str = ORIGIN) -> dict[str, TransferSlot]:
    return {name: TransferSlot(url=f"{origin}/{name}", method="GET") for name in names}


def remote() -> tuple[RenderResult, dict[str, bytes]]:
    objects = {"/facts.desktop": facts_of(), "/facts.mobile": facts_of(phone=True), "/sections.desktop.1": b"section"}
    parts = [one.model_copy(update={"data": None}) for one in BOTH]
    return render(*parts, sections=[SECTION]), objects


def test_only_facts_are_downloaded_without_a_judge() -> None:
    rendered, objects = remote()
    seen: list[str] = []
    downloads = stored("facts.desktop", "facts.mobile", "sections.desktop.1", "full_page.desktop")
    result = analysed(request(rendered, downloads=downloads), storage=store(objects, seen))
    assert result.status == "complete"
    assert sorted(seen) == ["/facts.desktop", "/facts.mobile"]


def test_other_origins_are_refused() -> None:
    rendered, objects = remote()
    seen: list[str] = []
    downloads = stored("facts.desktop", "facts.mobile", origin="https://blobs.test.evil.test")
    response = ask(request(rendered, downloads=downloads), storage=store(objects, seen))
    assert (response.status_code, seen) == (422, [])
    assert "evil" not in response.text


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        ({"/facts.desktop": b"other", "/facts.mobile": b"other"}, ErrorCode.STORAGE_FAILED),
        ({}, ErrorCode.STORAGE_FAILED),
        ({"/facts.desktop": b"x" * 2000, "/facts.mobile": b"x" * 2000}, ErrorCode.INVALID_REQUEST),
    ],
)
def test_store_that_lies_or_is_empty(damage: dict[str, bytes], code: ErrorCode) -> None:
    rendered, _ = remote()
    settings = AnalyzerSettings(analyzer_download_origins=ORIGIN, analyzer_max_artifact_bytes=1000)
    body = request(rendered, downloads=stored("facts.desktop", "facts.mobile"))
    response = ask(body, settings=settings, storage=store(damage, []))
    assert response.json()["code"] == code


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://S3.test/x?sig=1", "https://s3.test"),
        ("https://s3.test:443/x", "https://s3.test"),
        ("http://127.0.0.1:8000/x", "http://127.0.0.1:8000"),
        ("http://[::1]:9/x", "http://[::1]:9"),
        ("https://user@s3.test/x", ""),
        ("file:///etc/passwd", ""),
        ("https://s3.test:bad/x", ""),
    ],
)
def test_origin(url: str, origin: str) -> None:
    assert origin_of(url) == origin


def judge_by(answer: Callable[[JudgedPage, Preset, int], Awaitable[Judgement]]) -> Judge:
    class Given:
        async def __call__(self, page: JudgedPage, preset: Preset, budget_ms: int) -> Judgement:
            return await answer(page, preset, budget_ms)

    return Given()


def test_judge_gets_the_measured_page_and_its_answer_is_merged() -> None:
    rendered, objects = remote()

    async def answer(page: JudgedPage, preset: Preset, budget_ms: int) -> Judgement:
        assert page.images == {"s1": b"section"}
        assert 1000 <= budget_ms < 60_000
        added = page.findings[0].model_copy(update={"id": "f_ai", "source": "ai", "rule_ids": [], "title": "Unclear"})
        return Judgement(
            findings=(added,),
            run=AiRun(model=preset.value),
            prompt_version="7",
            merged={page.findings[0].id: "It costs trust."},
            section_summaries={"s1": "The offer"},
            strengths=("A clear promise",),
            warnings=("possible_prompt_injection",),
        )

    body = request(rendered, downloads=stored("facts.desktop", "facts.mobile", "sections.desktop.1"))
    result = analysed(body, judge=judge_by(answer), storage=store(objects, []))
    alone = analysed(body, storage=store(objects, []))
    assert (result.engine.mode, result.engine.prompt_version, result.engine.degraded) == ("rules+ai", "7", False)
    assert result.scores == alone.scores
    assert any(one.source == "both" and one.description.endswith("It costs trust.") for one in result.findings)
    assert any(one.id == "f_ai" for one in result.findings)
    assert result.sections[0].summary == "The offer"
    assert "possible_prompt_injection" in result.capture.warnings


def test_judge_that_fails_costs_only_its_findings() -> None:
    async def answer(_page: JudgedPage, _preset: Preset, _budget_ms: int) -> Judgement:
        raise ServiceError(ErrorCode.ANALYSIS_UNAVAILABLE, "busy")

    result = analysed(request(render(*BOTH)), judge=judge_by(answer))
    assert (result.engine.mode, result.engine.degraded) == ("rules", True)
    assert result.engine.degraded_reason is DegradedReason.UNAVAILABLE
    assert result.findings


def test_what_a_failed_judge_spent_is_kept() -> None:
    class RefusedError(ServiceError):
        run: AiRun | None = AiRun(model="m", requests=2, cost_usd="0.02")

    async def answer(_page: JudgedPage, _preset: Preset, _budget_ms: int) -> Judgement:
        raise RefusedError(ErrorCode.ANALYSIS_UNAVAILABLE, "refused")

    engine = analysed(request(render(*BOTH)), judge=judge_by(answer)).engine
    assert engine.ai is not None
    assert (engine.mode, engine.ai.cost_usd) == ("rules", "0.02")


def test_judge_that_hangs_is_left_behind() -> None:
    async def answer(_page: JudgedPage, _preset: Preset, _budget_ms: int) -> Judgement:
        await asyncio.Event().wait()
        raise AssertionError

    result = analysed(request(render(*BOTH), budget_ms=2_500), judge=judge_by(answer))
    assert result.engine.degraded_reason is DegradedReason.TIMEOUT


def test_preset_rules_never_asks_the_judge() -> None:
    async def answer(_page: JudgedPage, _preset: Preset, _budget_ms: int) -> Judgement:
        raise AssertionError

    result = analysed(request(render(*BOTH), preset=Preset.RULES), judge=judge_by(answer))
    assert (result.engine.mode, result.engine.degraded) == ("rules", False)


def test_store_that_hangs_ends_in_the_deadline() -> None:
    async def hang(_request: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError

    rendered, _ = remote()
    body = request(rendered, downloads=stored("facts.desktop"), budget_ms=1_000)
    response = ask(body, storage=httpx2.MockTransport(hang))
    assert (response.status_code, response.json()["code"]) == (504, ErrorCode.DEADLINE_EXCEEDED)


def test_catalogue_and_health() -> None:
    async def talk() -> tuple[Any, int, int]:
        async with client() as http:
            rules, alive, ready = await asyncio.gather(*(http.get(path) for path in ("/rules", "/livez", "/readyz")))
            return rules.json(), alive.status_code, ready.status_code

    rules, alive, ready = asyncio.run(talk())
    assert (len(rules["rules"]), alive, ready) == (40, 200, 200)
    assert rules["rules"][0]["id"] == "cta.above_fold"


def test_bad_body_is_a_problem_document() -> None:
    async def talk() -> httpx2.Response:
        async with client() as http:
            return await http.post("/analyze", json={"analysis_id": "x"})

    response = asyncio.run(talk())
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ([], "none"),
        ([("dialog", "dismissed")], "none"),
        ([("dialog", "hidden"), ("consent", "declined")], "declined"),
        ([("consent", "failed"), ("consent", "hidden")], "failed"),
        ([("consent", "hidden")], "failed"),
    ],
)
def test_the_report_says_what_became_of_the_consent_banner(actions: list[tuple[str, str]], expected: str) -> None:
    done = [BannerAction.model_validate({"viewport": DESKTOP, "kind": kind, "action": did}) for kind, did in actions]
    answer = ask(request(render(*BOTH, sections=[SECTION], banner_actions=done)))
    assert Analysis.model_validate_json(answer.content).capture.consent_action == expected
