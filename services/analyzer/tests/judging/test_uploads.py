"""A picture of a page instead of a page: POST /analyze from the upload to findings that point at its pixels."""

import asyncio
import base64
import hashlib
import io
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from PIL import Image

from analyzer.app import create_app
from analyzer.fakeclaude.server import FakeServer
from analyzer.judged import JudgedPage
from analyzer.judging import fact_table, prompts
from analyzer.judging.answer import PageAnswer, PictureAnswer
from analyzer.judging.claude import Claude
from analyzer.judging.grounding import Verdict
from analyzer.judging.judge import ClaudeJudge
from analyzer.judging.pictures import Picture
from analyzer.judging.settings import ClaudeSettings
from analyzer.judging.verify import verify
from analyzer.rules.registry import RULES
from analyzer.settings import AnalyzerSettings
from analyzer.uploaded import NEEDS_PAGE, bands
from contracts.analyze import AnalyzeRequest, Preset
from contracts.geometry import DESKTOP, PHONE, Box, Viewport
from contracts.render import Artifact, RenderResult
from contracts.result import Analyzed, DegradedReason, Outcome

WIDTH, HEIGHT = 1_200, 3_000


def upload(content: bytes, viewport: Viewport = DESKTOP, **changes: Any) -> AnalyzeRequest:  # noqa: ANN401  # any field of it
    artifact = Artifact(
        name="upload",
        content_type="image/png",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        width=WIDTH,
        height=HEIGHT,
        viewport=viewport,
        data=base64.b64encode(content).decode(),
    )
    render = RenderResult.of_upload(artifact, name="home.png", captured_at="2026-11-21T12:00:00Z")
    fields = {"analysis_id": "an_1", "tenant_id": "t", "render": render, "downloads": {}, **changes}
    return AnalyzeRequest(**{"asset_keys": {"upload": "t/an_1/home.png"}, **fields})


def ask(body: AnalyzeRequest, settings: ClaudeSettings | None = None) -> httpx2.Response:
    async def talk() -> httpx2.Response:
        judge = ClaudeJudge(settings, Claude(settings)) if settings else None
        app = create_app(AnalyzerSettings(), judge=judge)
        transport = httpx2.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url="http://analyzer") as http,
        ):
            answer = await http.post("/analyze", json=body.model_dump(mode="json"))
        if judge is not None:
            await judge.aclose()
        return answer

    return asyncio.run(talk())


def analysed(body: AnalyzeRequest, settings: ClaudeSettings | None = None) -> Analyzed:
    answer = ask(body, settings)
    assert answer.status_code == 200, answer.text
    return Analyzed.model_validate_json(answer.content)


@pytest.fixture
def png(picture_of: Callable[..., bytes]) -> bytes:
    return picture_of(WIDTH, HEIGHT, "PNG")


def test_a_picture_is_judged_by_its_pixels(png: bytes, settings: ClaudeSettings, fake: FakeServer) -> None:
    result = analysed(upload(png), settings)
    assert (result.status, result.engine.mode, result.engine.degraded) == ("complete", "rules+ai", False)
    assert (result.url.requested, result.url.http_status) == ("upload:home.png", 0)
    assert [(one.kind, one.key, one.w, one.h) for one in result.capture.assets] == [
        ("full", "t/an_1/home.png", WIDTH, HEIGHT)
    ]
    assert {one.outcome for one in result.rules} == {Outcome.NOT_APPLICABLE}
    assert {one.detail for one in result.rules} == {NEEDS_PAGE}
    assert {one.id for one in result.rules} | {"layout.viewport"} >= {
        rule.id for rule in RULES if rule.scope != "mobile"
    }
    assert result.scores.scored is False
    assert "no score" in result.scores.note
    assert len(result.sections) == len(result.findings) == 2
    for finding in result.findings:
        assert (finding.source, finding.verification) == ("ai", "supported")
        (proof,) = finding.evidence
        assert proof.kind == "screenshot"
        assert proof.asset_key == "t/an_1/home.png"
        assert proof.box is not None
        section = next(one for one in result.sections if one.id == finding.section_id)
        assert section.box.y <= proof.box.y < proof.box.y + proof.box.height <= section.box.y + section.box.height
        assert finding.suggestion.current == ""
    assert result.engine.ai is not None
    assert (result.engine.ai.verified, result.engine.ai.supported) == (0, 2)


def test_the_model_gets_pixels_and_is_told_so(png: bytes, settings: ClaudeSettings, fake: FakeServer) -> None:
    analysed(upload(png), settings)
    (request,) = fake.requests
    result, closing = request["body"]["messages"][-1]["content"]
    kinds = [block["type"] for block in result["content"]]
    assert kinds == ["text", "image", "text", "image", "text"]
    document = json.loads(result["content"][-1]["text"])
    assert set(document) == {"source", "sections"}
    assert all(part["elements"] == [] for part in document["sections"])
    assert "Only pictures of the page are there" in closing["text"]
    schema = request["body"]["output_config"]["format"]["schema"]
    assert set(schema["$defs"]["PixelBox"]["required"]) == {"x", "y", "width", "height"}
    assert "box" in schema["$defs"]["PictureProposal"]["required"]


def test_a_phones_picture_is_a_phones(png: bytes) -> None:
    result = analysed(upload(png, PHONE))
    assert {one.viewport for one in result.sections} == {"mobile"}
    assert {one.viewport for one in result.rules} == {"mobile"}


@pytest.mark.parametrize(("preset", "reason"), [(Preset.FAST, DegradedReason.NO_KEY), (Preset.RULES, "")])
def test_without_a_model_the_result_says_why_it_is_empty(preset: Preset, reason: str, png: bytes) -> None:
    result = analysed(upload(png, preset=preset))
    assert (result.engine.mode, result.engine.degraded_reason, result.findings) == ("rules", reason, [])


def _bytes(width: int, height: int, kind: str = "PNG") -> bytes:
    data = io.BytesIO()
    Image.new("L", (width, height)).save(data, kind)
    return data.getvalue()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not a JPEG, PNG or WebP"),
        (b"<html>", "not a JPEG, PNG or WebP"),
        (_bytes(400, 400, "GIF"), "not a JPEG, PNG or WebP"),
        (_bytes(400, 400)[:60], "not a JPEG, PNG or WebP"),
        (_bytes(199, 400), "199 × 400 px"),
        (_bytes(300, 30_001), "300 × 30001 px"),
        (_bytes(8_000, 8_000), "8000 × 8000 px"),
    ],
)
def test_what_is_no_picture_of_a_page_is_refused(content: bytes, why: str) -> None:
    answer = ask(upload(content))
    assert answer.status_code == 422
    assert why in answer.json()["detail"]


def test_an_upload_that_is_not_there_is_refused(png: bytes) -> None:
    body = upload(png)
    gone = body.render.model_copy(update={"artifacts": {}})
    assert ask(body.model_copy(update={"render": gone})).status_code == 422


@pytest.mark.parametrize("size", [(1440, 900), (1440, 1900), (1440, 1901), (1200, 3000), (390, 12_000), (1440, 50_000)])
def test_parts_cover_the_picture_and_overlap(size: tuple[int, int]) -> None:
    width, height = size
    found = bands(width, height)
    assert found[0][0] == 0
    assert len(found) <= 12
    assert len(found) == 12 or found[-1][1] == height
    assert all(bottom - top <= max(161, round(width * 1900 / 1440) + 1) for top, bottom in found)
    assert all(60 <= above[1] - below[0] <= 100 for above, below in itertools.pairwise(found))


@pytest.mark.parametrize(
    ("box", "lands"),
    [
        ((0, 0, 100, 50), Box(x=0, y=900, width=200, height=100)),
        ((620, 440, 100, 10), Box(x=1240, y=1780, width=200, height=20)),
        ((0, 0, 720, 450), Box(x=0, y=900, width=1440, height=900)),
        ((-1, 0, 10, 10), None),
        ((0, 0, 0, 10), None),
        ((0, 0, 721, 10), None),
        ((700, 0, 30, 10), None),
        ((0, 0, 10, 10**9), None),
    ],
)
def test_boxes_are_mapped_from_the_picture_as_sent(
    box: tuple[int, int, int, int], lands: Box | None, page: JudgedPage
) -> None:
    bare = replace(page, facts={}, images={})
    half = {"s2": Picture("s2", b"", "image/jpeg", 720, 450)}
    sent = fact_table.build(bare, half)
    assert list(sent.sections) == ["s2"]
    words = dict.fromkeys(("quote", "observation", "why_it_matters", "suggestion", "rewrite"), "It is vague.")
    finding = {
        **words,
        "question_id": "features.benefit_stated",
        "element_ids": [],
        "lift_factor": "clarity",
        "effort": "small",
        "related_rule_ids": [],
        "confidence": "high",
        "box": dict(zip(("x", "y", "width", "height"), box, strict=True)),
    }
    part = {"section_id": "s2", "type": "features", "summary": "", "findings": [finding]}
    told = PageAnswer(primary_goal="", audience="", strengths=[], suspicious_instructions_seen=False)
    answer = PictureAnswer.model_validate({"sections": [part], "page": told.model_dump()})
    result = verify(answer, sent, bare, suspicious=False)
    if lands is None:
        assert dict(result.verdicts) == {Verdict.FALSE_BOX: 1}
    else:
        assert [one.evidence[0].box for one in result.findings] == [lands]
        assert result.supported == 1


def test_the_rubric_is_the_same_for_pictures(page: JudgedPage) -> None:
    half = {"s2": Picture("s2", b"", "image/jpeg", 720, 450)}
    of_picture = prompts.build(fact_table.build(replace(page, facts={}), half), half, "mk", "t")
    of_page = prompts.build(fact_table.build(page, {}), {}, "mk", "t")
    assert of_picture.rubric == of_page.rubric, "one cached rubric for both"
    assert of_picture.answer is not of_page.answer
