"""The public result document, put together from what was rendered, measured and judged."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from analyzer import scoring
from analyzer.judged import Judgement
from analyzer.measured import Measured
from analyzer.rules.policy import Policy
from analyzer.view import View
from contracts import render as wire
from contracts.analyze import AnalyzeRequest
from contracts.geometry import ViewportName
from contracts.render import UPLOAD, RenderResult
from contracts.result import (
    AiRun,
    Analysis,
    Asset,
    Capture,
    DegradedReason,
    Engine,
    Finding,
    Page,
    PageType,
    ResultSection,
    Scores,
    Url,
)

_KINDS = {"first_screen": "first_screen", "full_page": "full", "sections": "section", UPLOAD: "full"}
_UNSCORED = "Only a picture was given: no rule could be applied, so there is no score."
_MOST_STRENGTHS = 6


@dataclass(frozen=True)
class Parts:
    """Everything that the document is made of. `degraded` is why the model's answer is missing."""

    request: AnalyzeRequest
    measured: Measured
    policy: Policy
    warnings: tuple[str, ...] = ()
    judgement: Judgement | None = None
    degraded: DegradedReason = DegradedReason.NONE
    spent: AiRun | None = None
    ai_pending: bool = False
    timings_ms: Mapping[str, float] | None = None


def assets(request: AnalyzeRequest) -> tuple[Asset, ...]:
    """Name the stored pictures by their keys; a picture without a key goes by its artifact's name."""
    found = []
    for name, artifact in request.render.artifacts.items():
        kind = _KINDS.get(name.partition(".")[0])
        if kind is None or artifact.width is None or artifact.height is None:
            continue
        viewport = ViewportName.MOBILE if artifact.viewport.mobile else ViewportName.DESKTOP
        found.append(
            Asset(
                kind=kind,  # type: ignore[arg-type]  # the table's values are the literals
                viewport=viewport,
                key=request.asset_keys.get(name, name),
                w=artifact.width,
                h=artifact.height,
                sha256=artifact.sha256,
                box=artifact.box,
            )
        )
    return tuple(found)


def _page(render: RenderResult, first: View | None) -> Page:
    if first is None:
        seen = render.artifacts.get(UPLOAD)
        return Page(type=PageType.OTHER, title=render.title, content_hash=seen.sha256 if seen else "")
    text = " ".join(first.facts.text.split()).encode("utf-8", "replace")
    return Page(
        type=first.type,
        language=first.language,
        title=first.facts.meta.title or render.title,
        content_hash=hashlib.sha256(text).hexdigest(),
    )


def _capture(parts: Parts, views: Mapping[ViewportName, View]) -> Capture:
    render = parts.request.render
    warnings = [warning.value for warning in render.warnings]
    lesser = list(parts.judgement.warnings) if parts.judgement else []
    return Capture(
        at=render.captured_at,
        chromium=render.chromium,
        viewports=[f"{name}_{view.facts.viewport.width}" for name, view in views.items()],
        settled_by=render.settled_by,
        consent_action=_consent_action(render),
        height_px={name.value: view.facts.page_height for name, view in views.items()},
        truncated=wire.Warning.TRUNCATED in render.warnings or any(view.facts.truncated for view in views.values()),
        warnings=list(dict.fromkeys([*warnings, *parts.warnings, *lesser])),
        assets=list(assets(parts.request)),
    )


def _consent_action(render: RenderResult) -> Literal["declined", "none", "failed"]:
    """Say what became of the consent banners: hiding one, where none could be declined, is no consent refused."""
    asked = [action.action for action in render.banner_actions if action.kind == "consent"]
    if not asked:
        return "none"
    return "declined" if "declined" in asked else "failed"


def _engine(parts: Parts) -> Engine:
    judgement = parts.judgement
    reason = parts.degraded or (judgement.degraded_reason if judgement else DegradedReason.NONE)
    return Engine(
        mode="rules" if judgement is None else "rules+ai",
        degraded=bool(reason),
        degraded_reason=reason,
        degraded_detail=judgement.degraded_detail if judgement else "",
        ai_pending=parts.ai_pending,
        rules_version=parts.policy.version,
        overrides=parts.request.overrides,
        prompt_version=judgement.prompt_version if judgement else "",
        ai=judgement.run if judgement else parts.spent,
    )


def _explained(finding: Finding, merged: Mapping[str, str]) -> Finding:
    text = merged.get(finding.id, "")
    if not text:
        return finding
    return finding.model_copy(update={"source": "both", "description": f"{finding.description} {text}"})


def _sections(sections: Sequence[ResultSection], judgement: Judgement | None) -> list[ResultSection]:
    if judgement is None:
        return list(sections)
    summaries, types = judgement.section_summaries, judgement.section_types
    return [
        section.model_copy(
            update={"summary": summaries.get(section.id, ""), "type": types.get(section.id, section.type)}
        )
        for section in sections
    ]


def _findings(parts: Parts, scores: Scores) -> list[Finding]:
    merged = parts.judgement.merged if parts.judgement else {}
    added = parts.judgement.findings if parts.judgement else ()
    return scoring.ordered([*(_explained(f, merged) for f in parts.measured.findings), *added], scores)


def _counts(first: View | None) -> dict[str, int]:
    if first is None:
        return {}
    facts = first.facts
    return {
        "words": facts.text_stats.words,
        "cta_count": len(first.actions),
        "fields": len(first.fields),
        "forms": len(facts.forms),
        "links": sum(element.link is not None for element in first.seen),
        "images": sum(element.picture is not None for element in first.seen),
        "headings": sum(element.heading_level > 0 for element in first.seen),
        "requests": facts.network.requests,
        "transferred_bytes": facts.network.transferred_bytes,
    }


def _scores(parts: Parts) -> Scores:
    scores = scoring.score(parts.measured.findings, parts.measured.judged, parts.policy)
    if parts.measured.judged:
        return scores
    return scores.model_copy(update={"scored": False, "note": _UNSCORED if _of_upload(parts) else scores.note})


def _of_upload(parts: Parts) -> bool:
    return parts.request.render.source == UPLOAD


def assemble(parts: Parts) -> Analysis:
    """Fill the document. Partial where a viewport is missing or the render was partial."""
    request, measured, views = parts.request, parts.measured, parts.measured.views
    first, render = next(iter(views.values()), None), parts.request.render
    scores = _scores(parts)
    strengths = [*measured.strengths, *(parts.judgement.strengths if parts.judgement else ())]
    partial = render.partial or (len(views) < len(ViewportName) and not _of_upload(parts))
    return Analysis(
        id=request.analysis_id,
        tenant_id=request.tenant_id,
        job_id=request.job_id or None,
        status="partial" if partial else "complete",
        url=Url(
            requested=render.requested_url,
            final=render.final_url,
            redirects=render.redirects,
            http_status=render.http_status,
        ),
        page=_page(render, first),
        capture=_capture(parts, views),
        engine=_engine(parts),
        scores=scores,
        sections=_sections(measured.sections, parts.judgement),
        findings=_findings(parts, scores),
        rules=list(measured.rules),
        strengths=list(dict.fromkeys(strengths))[:_MOST_STRENGTHS],
        facts=_counts(first),
        timings_ms=dict(parts.timings_ms or {}),
    )
