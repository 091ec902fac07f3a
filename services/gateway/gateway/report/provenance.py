"""How a report came about: when, with what, and what it lacks."""

from collections.abc import Iterable
from datetime import UTC, datetime

from contracts.geometry import VIEWPORTS, ViewportName
from contracts.result import AiRun, Analysis
from gateway.report import words
from gateway.report.measures import number, quantity


def moment(when: datetime) -> str:
    """Write an aware time in UTC, to the minute."""
    utc = when.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


def moment_of(text: str) -> str:
    """Write an RFC 3339 time as `moment` does, and anything else as it is."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment(when if when.tzinfo else when.replace(tzinfo=UTC))


def shortcomings(analysis: Analysis, pictured: Iterable[ViewportName]) -> list[str]:
    """List in plain words what the report lacks, the weightiest first."""
    pictured = set(pictured)
    said: list[str] = []
    if analysis.status == "partial":
        said.append("This report is partial: something that belongs to it could not be done in the time given.")
    if analysis.engine.degraded or analysis.engine.degraded_reason:
        said.append(words.degraded(analysis.engine.degraded_reason))
    if analysis.engine.ai_pending:
        said.append(words.PENDING)
    if analysis.capture.truncated:
        said.append(words.WARNINGS["truncated"])
    said += [words.warning(code) for code in analysis.capture.warnings]
    if analysis.capture.consent_action == "failed":
        said.append(words.CONSENT["failed"])
    said += [f"There is no picture of the {_page(view)}." for view in ViewportName if view not in pictured]
    return list(dict.fromkeys(said))


def _page(view: ViewportName) -> str:
    return "desktop page" if view is ViewportName.DESKTOP else "page on a phone"


def details(analysis: Analysis) -> list[tuple[str, str]]:
    """List how the page was taken and judged, as pairs of name and text."""
    capture, engine, url = analysis.capture, analysis.engine, analysis.url
    rows = [
        ("Address asked for", url.requested),
        (
            "Answer",
            f"HTTP {url.http_status}" + (f" after {_counted(url.redirects, 'redirect')}" if url.redirects else ""),
        ),
        ("Taken at", moment_of(capture.at)),
        ("Browser", f"Chromium {capture.chromium}" if capture.chromium else ""),
        ("Views", ", ".join(_view(name) for name in ViewportName if _was_taken(analysis, name))),
        ("Length of the page", _heights(analysis)),
        ("State", words.SETTLED.get(capture.settled_by, capture.settled_by)),
        ("Consent", words.CONSENT[capture.consent_action]),
        (
            "On the page",
            ", ".join(
                f"{number(n)} {words.FACTS.get(name) or name.replace('_', ' ')}" for name, n in analysis.facts.items()
            ),
        ),
        ("Rules", f"Version {engine.rules_version}"),
        ("Judged by", "Measurable rules and an AI reviewer" if engine.mode == "rules+ai" else "Measurable rules"),
        *(_ai(engine.ai, engine.prompt_version) if engine.ai else ()),
        ("Time taken", ", ".join(f"{name} {quantity(ms, 'ms')}" for name, ms in _timings(analysis))),
    ]
    return [(name, text) for name, text in rows if text]


def _timings(analysis: Analysis) -> list[tuple[str, float]]:
    return [("AI" if name == "ai" else name.replace("_", " "), round(ms)) for name, ms in analysis.timings_ms.items()]


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _was_taken(analysis: Analysis, name: ViewportName) -> bool:
    return any(name in view for view in analysis.capture.viewports) or name in analysis.capture.height_px


def _view(name: ViewportName) -> str:
    size = VIEWPORTS[name]
    return f"{words.VIEWPORTS[name].lower()} {size.width} × {size.height} px"


def _heights(analysis: Analysis) -> str:
    names = {str(view): word.lower() for view, word in words.VIEWPORTS.items()}
    heights = analysis.capture.height_px.items()
    return ", ".join(f"{names.get(view, view)} {number(round(height))} px" for view, height in heights)


def _ai(run: AiRun, prompt_version: str) -> list[tuple[str, str]]:
    tokens = run.usage
    read = tokens.input + tokens.cache_read + tokens.cache_write_5m + tokens.cache_write_1h
    return [
        ("AI model", run.model + (f", instructions version {prompt_version}" if prompt_version else "")),
        (
            "AI answers",
            (
                f"{run.proposed} proposed: {run.verified} proven on the page, {run.supported} kept as judgement, "
                f"{run.rejected} thrown away because a check failed"
            ),
        ),
        (
            "AI cost",
            (
                f"{_counted(run.requests, 'request')}, {number(read)} tokens read, {number(tokens.output)} written, "
                f"US$ {run.cost_usd}"
            ),
        ),
    ]
