"""Analyses: a page, or a picture of one, judged."""

import uuid

from cro_analyzer import errors
from cro_analyzer.flows import calls, following, waiting
from cro_analyzer.flows.calls import given
from cro_analyzer.models.analyses import AiTiming, AnalysisRead, AnalysisSummary, Preset
from cro_analyzer.models.comparison import Comparison
from cro_analyzer.models.jobs import FINAL, JobEvent
from cro_analyzer.models.report import Analysis
from cro_analyzer.steps import Call, Flow, Form, Request, Stream, ask

_PATH = "/v1/analyses"
DEFAULT_TIMEOUT_S = 600.0


def create(  # noqa: PLR0913  # what may be said of an analysis
    url: str,
    *,
    preset: Preset | None = None,
    ai: AiTiming | None = None,
    max_age: int | None = None,
    refresh: bool | None = None,
    store: bool | None = None,
    wait: int | None = None,
    webhook_url: str | None = None,
    idempotency_key: str | None = None,
) -> Flow[AnalysisRead]:
    """Accept a page for analysis; with `wait`, answer once it is finished or that many seconds (120) are over.

    With `ai="bulk"` it is finished with the rules' result; the model's part follows at half the price
    (`events(…, enriched=True)` tells when).
    An earlier result that is no older than `max_age` seconds is the answer at once; `refresh` makes it anew, and
    `store=False` keeps it from later requests. Without an `idempotency_key` each call has one of its own.
    """
    asked = given(url=url, preset=preset, ai=ai, wait=wait, webhook_url=webhook_url)
    body = {**asked, **given(max_age=max_age, refresh=refresh, store=store)}
    return ask(calls.make(_PATH, AnalysisRead, body, idempotency_key, wait or 0))


def upload(
    image: bytes,
    *,
    name: str = "",
    preset: Preset | None = None,
    ai: AiTiming | None = None,
    wait: int | None = None,
    idempotency_key: str | None = None,
) -> Flow[AnalysisRead]:
    """Accept a picture of a page (PNG, JPEG or WebP, 10 MB) for analysis. `name`: what you call it."""
    said = given(name=name or None, preset=preset, ai=ai, wait=wait)
    fields = {key: str(value) for key, value in said.items()}
    form = Form(fields, "image", "image", image, "application/octet-stream")
    headers = {"idempotency-key": idempotency_key or str(uuid.uuid4())}
    request = Request("POST", _PATH, headers=headers, form=form, longer_s=wait or 0)
    return ask(Call(request, calls.body_as(AnalysisRead)))


def get(analysis_id: str, *, wait: int = 0) -> Flow[AnalysisRead]:
    """Read an analysis; with `wait`, answer once it is finished or that many seconds (120) are over."""
    return ask(_look(analysis_id, wait))


def _look(analysis_id: str, wait: int) -> Call[AnalysisRead]:
    return calls.get(f"{_PATH}/{analysis_id}", AnalysisRead, {"wait": wait} if wait else {}, wait)


def listed() -> Stream[AnalysisSummary]:
    """Give every analysis, newest first, without results."""
    return calls.pages(_PATH, calls.as_(AnalysisSummary))


def wait(analysis_id: str, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Flow[AnalysisRead]:
    """Wait until it has succeeded, failed or was cancelled. Raises `WaitedTooLongError`; then it goes on."""
    return waiting.until_final(lambda seconds: _look(analysis_id, seconds), timeout_s)


def events(analysis_id: str, *, enriched: bool = False) -> Stream[JobEvent]:
    """Give its states as they happen, until it has ended; broken connections are taken up again.

    With `enriched`, until the model has had its say too, where that comes later (`ai_pending`).
    """

    def over(event: JobEvent) -> bool:
        return event.status in FINAL and not (enriched and event.ai_pending)

    params = {"until": "enriched"} if enriched else {}
    return following.followed(f"{_PATH}/{analysis_id}/events", JobEvent, over, params)


def cancel(analysis_id: str) -> Flow[AnalysisRead]:
    """End an analysis that is not finished."""
    return ask(calls.act(f"{_PATH}/{analysis_id}/cancel", AnalysisRead))


def delete(analysis_id: str) -> Flow[None]:
    """Remove a finished analysis with its result, its report and its pictures."""
    return calls.gone(f"{_PATH}/{analysis_id}")


def report(analysis_id: str) -> Flow[str]:
    """Read the report of a finished analysis: one self-contained HTML page."""
    return ask(Call(Request("GET", f"{_PATH}/{analysis_id}/report", headers={"accept": "text/html"}), calls.text))


def document(analysis_id: str) -> Flow[bytes]:
    """Read an analysis as the JSON that the API sends, to be stored as it is."""
    return ask(Call(Request("GET", f"{_PATH}/{analysis_id}"), calls.content))


def compare(analysis_id: str, other_id: str) -> Flow[Comparison]:
    """Compare two analyses of one page: what was fixed, what is new, what changed its measure."""
    return ask(calls.get(f"{_PATH}/{analysis_id}/compare", Comparison, {"with": other_id}))


def analyze(  # noqa: PLR0913  # what may be said of an analysis
    url: str,
    *,
    preset: Preset | None = None,
    max_age: int | None = None,
    refresh: bool | None = None,
    store: bool | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    idempotency_key: str | None = None,
) -> Flow[Analysis]:
    """Analyse a page; return the report. Raises what ended it: `TargetError`, `PlatformError`, `WaitedTooLongError`."""
    first = int(min(waiting.LONGEST_ASK_S, timeout_s))
    job = yield from create(
        url,
        preset=preset,
        max_age=max_age,
        refresh=refresh,
        store=store,
        wait=first,
        idempotency_key=idempotency_key,
    )
    return (yield from _report_of(job, timeout_s))


def analyze_image(
    image: bytes, *, name: str = "", preset: Preset | None = None, timeout_s: float = DEFAULT_TIMEOUT_S
) -> Flow[Analysis]:
    """Analyse a picture of a page and return the report. Raises as `analyze` does."""
    job = yield from upload(image, name=name, preset=preset, wait=int(min(waiting.LONGEST_ASK_S, timeout_s)))
    return (yield from _report_of(job, timeout_s))


def _report_of(job: AnalysisRead, timeout_s: float) -> Flow[Analysis]:
    if job.status not in FINAL:
        job = yield from wait(job.id, timeout_s=timeout_s)
    if job.error is not None:
        raise errors.of(job.error)
    if job.result is None:
        raise errors.UnreadableAnswerError(f"{job.id} is {job.status} and has neither a result nor an error")
    return job.result
