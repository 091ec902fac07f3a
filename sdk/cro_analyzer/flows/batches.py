"""Batches: up to 10,000 URLs in one call, with the truth about each of them."""

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal, Unpack

from cro_analyzer import decoding, errors
from cro_analyzer.asking import Entry, Page
from cro_analyzer.flows import calls, following
from cro_analyzer.flows.calls import given
from cro_analyzer.models.batches import (
    REJECTED,
    BatchKind,
    BatchRead,
    BatchResult,
    Bookmark,
    NewResults,
    RejectedUrl,
    ResultError,
)
from cro_analyzer.steps import Answer, Call, Flow, Form, Item, Pause, Request, Stream, ask, now, read

_PATH = "/v1/batches"
MAX_URLS = 10_000
WINDOW = 500
"""Results that are looked at together: what memory holds of a batch, however large it is."""

_LARGEST_JSON = 900_000
"""Bytes; services take a megabyte of JSON, and more of it only as a file."""

_NONE = "no URL can be used"

_LOOK_S = (0.25, 2.0)


def create(  # noqa: PLR0913  # what may be said of a batch
    urls: Iterable[str | Entry] = (),
    *,
    sitemap: str | None = None,
    kind: BatchKind | None = None,
    options: Page | dict[str, object] | None = None,
    concurrency: int | None = None,
    max_cost_usd: str | None = None,
    webhook_url: str | None = None,
    webhook_events: Literal["end", "each"] | None = None,
    idempotency_key: str | None = None,
) -> Flow[BatchRead]:
    """Accept up to 10,000 URLs at once, or the address of a `sitemap` that lists them.

    Those that cannot be used are set aside with a reason each, and stop nothing. `options`: for all URLs, the
    fields of a single capture or analysis. `concurrency`: 100 where it is not said, at most 500 for the static tier.
    `max_cost_usd`: what all together may cost; those beyond it are cancelled. `webhook_events`: what `webhook_url` and
    your endpoints are told: the batch's end, or each URL's, too.
    """
    asked = given(
        sitemap=sitemap,
        kind=kind,
        options=options,
        concurrency=concurrency,
        max_cost_usd=max_cost_usd,
        webhook_url=webhook_url,
        webhook_events=webhook_events,
    )
    listed = list(_each(urls))
    headers = {"idempotency-key": idempotency_key or str(uuid.uuid4())}
    document = {**asked, **({} if sitemap else {"urls": listed})}
    if len(json.dumps(document)) <= _LARGEST_JSON:
        request = Request("POST", _PATH, headers=headers, json=document)
    else:
        request = Request("POST", _PATH, headers=headers, form=_form(asked, listed))
    return ask(Call(request, calls.body_as(BatchRead)))


def _form(asked: dict[str, object], listed: Sequence[str | Entry]) -> Form:
    fields = {name: value if isinstance(value, str) else json.dumps(value) for name, value in asked.items()}
    content = "".join(f"{json.dumps(one)}\n" for one in listed).encode()
    return Form(fields, "file", "urls.ndjson", content, "application/x-ndjson")


def get(batch_id: str) -> Flow[BatchRead]:
    """Read how far a batch is."""
    return ask(_look(batch_id))


def _look(batch_id: str) -> Call[BatchRead]:
    return calls.get(f"{_PATH}/{batch_id}", BatchRead)


def listed() -> Stream[BatchRead]:
    """Give every batch, newest first."""
    return calls.pages(_PATH, calls.as_(BatchRead))


def cancel(batch_id: str) -> Flow[BatchRead]:
    """End every URL that has not ended. Results that are there stay."""
    return ask(calls.act(f"{_PATH}/{batch_id}/cancel", BatchRead))


def pause(batch_id: str) -> Flow[BatchRead]:
    """Start no more of its URLs; what is in work is finished."""
    return ask(calls.act(f"{_PATH}/{batch_id}/pause", BatchRead))


def resume(batch_id: str) -> Flow[BatchRead]:
    """Let a paused batch go on."""
    return ask(calls.act(f"{_PATH}/{batch_id}/resume", BatchRead))


def retry_failed(batch_id: str) -> Flow[BatchRead]:
    """Give every failed URL all its attempts again; the others keep their results."""
    # A second time finds nothing failed, and is a conflict: not to be sent again when the answer was lost.
    call = calls.act(f"{_PATH}/{batch_id}/retry-failed", BatchRead)
    return ask(replace(call, repeatable=False))


def delete(batch_id: str) -> Flow[None]:
    """Remove a batch that has ended, with its URLs and every result."""
    return calls.gone(f"{_PATH}/{batch_id}")


def rejected(batch_id: str) -> Stream[RejectedUrl]:
    """Give the URLs that were set aside, with the reason of each."""
    return calls.pages(f"{_PATH}/{batch_id}/rejected", calls.as_(RejectedUrl), size=WINDOW)


def set_aside(batch_id: str) -> Stream[BatchResult]:
    """Give the URLs that were set aside as the results that they have."""
    read_ = calls.as_(RejectedUrl)
    return calls.pages(f"{_PATH}/{batch_id}/rejected", lambda one: _refused(read_(one)), size=WINDOW)


def events(batch_id: str) -> Stream[BatchRead]:
    """Give the batch whenever a count has moved, until it has ended."""
    return following.followed(f"{_PATH}/{batch_id}/events", BatchRead, lambda batch: batch.ended)


def wait(batch_id: str, *, timeout_s: float = 3_600.0) -> Flow[BatchRead]:
    """Wait until it is completed or cancelled. Raises `WaitedTooLongError`; then it goes on."""
    until = (yield from now()) + timeout_s
    while True:
        batch = yield from ask(_look(batch_id))
        if batch.ended:
            return batch
        if (yield from now()) > until:
            text = f"{batch_id} is still {batch.status} after {timeout_s:g} s; it goes on."
            raise errors.WaitedTooLongError(text, batch_id)
        yield Pause(_LOOK_S[1])


def results(batch_id: str, *, status: Sequence[str] = ()) -> Stream[BatchResult]:
    """Give one object for each URL in the order of the request, unfinished ones with their state.

    `status`: only URLs in these states.
    """
    params = {"status": list(status)} if status else {}
    return calls.pages(f"{_PATH}/{batch_id}/results", result_of, params, WINDOW)


def result_of(document: object) -> BatchResult:
    """Read one URL's line. Raises `UnreadableAnswerError`."""
    read_ = decoding.value(BatchResult, document)
    return replace(read_, raw=document if isinstance(document, dict) else {})


def download(batch_id: str, *, form: str = "application/x-ndjson") -> Stream[bytes]:
    """Give all results as they are sent, piece by piece: NDJSON, or `text/csv`. Memory does not grow with them."""
    headers = {"accept": form}
    yield from ask(Call(Request("GET", f"{_PATH}/{batch_id}/results", headers=headers), _as_is, streamed=True))
    while piece := (yield from read()):
        yield Item(piece)


def _as_is(answer: Answer) -> Answer:
    return answer


def look(batch_id: str, bookmark: Bookmark | None = None, *, window: int = WINDOW) -> Flow[NewResults]:
    """Take the results that are new since `bookmark`, in the order in which they end but for a window of URLs.

    Keep the bookmark of the answer and every result is told exactly once, over as many processes as it takes.
    """
    mark = bookmark or Bookmark()
    # The batch first: when it has ended by now, so have all of its URLs that are read afterwards.
    batch = yield from ask(_look(batch_id))
    page = yield from ask(calls.page(f"{_PATH}/{batch_id}/results", {}, window, mark.cursor))
    read_ = [result_of(one) for one in page.data]
    fresh = {place for place, one in enumerate(read_) if one.ended and place not in mark.told}
    told = mark.told | fresh
    turned = len(told) == len(read_) and page.next_cursor is not None
    onward = Bookmark(page.next_cursor) if turned else Bookmark(mark.cursor, told)
    new = [read_[place] for place in sorted(fresh)]
    # A page without a next one may still get one, while a sitemap is being read.
    complete = batch.ended and not turned and len(told) == len(read_)
    return NewResults(batch, new, onward, complete=complete, more=turned)


def follow(batch_id: str) -> Stream[BatchResult]:
    """Give every URL's result once it has ended, and end with the batch. Nothing is kept of what was given."""
    bookmark, pause_s = Bookmark(), _LOOK_S[0]
    while True:
        news = yield from look(batch_id, bookmark)
        for one in news.results:
            yield Item(one)
        if news.complete:
            return
        bookmark = news.bookmark
        if news.more:
            continue
        pause_s = _LOOK_S[0] if news.results else min(_LOOK_S[1], pause_s * 2)
        yield Pause(pause_s)


def _refused(one: RejectedUrl) -> BatchResult:
    error = {"code": one.reason, "detail": one.detail}
    raw: dict[str, object] = {"url": one.url, "status": REJECTED, "error": error}
    return BatchResult(url=one.url, status=REJECTED, error=ResultError(**error), raw=raw)


def set_aside_whole(error: errors.InvalidRequestError, urls: Iterable[str | Entry]) -> list[BatchResult]:
    """Give each URL of a batch that was refused because none of them can be used. Raises any other `error`."""
    if not any(one.field == "urls" and one.message.startswith(_NONE) for one in error.problem.errors):
        raise error
    named = (one if isinstance(one, str) else one["url"] for one in urls)
    return [_refused(RejectedUrl(url=url, reason="url_invalid", detail=error.detail)) for url in named]


def fetch_batch(
    urls: Iterable[str | Entry],
    *,
    static_xhr_concurrency: int = 200,
    batch_max_cost_usd: str | None = None,
    idempotency_key: str | None = None,
    **page: Unpack[Page],
) -> Stream[BatchResult]:
    """Fetch any number of pages and give one result for each URL, as they end; read contents with `captures.content`.

    `static_xhr_concurrency`: pages in work at once, at most 500, for the static tier, which is the one that is used
    where `tier` says nothing; others go by the service's own number. HTML is taken where `outputs` says nothing. More
    than 10,000 URLs go as several batches, one after another; nothing is kept of what was given. URLs that cannot be
    used are given as `rejected`. Leaving the loop early leaves the batch running: `batches` gives control of it.
    """
    options: dict[str, object] = {"tier": "static", "outputs": [{"kind": "html"}], **page}
    for number, part in enumerate(_parts(_each(urls))):
        try:
            batch = yield from create(
                part,
                kind="capture",
                options=options,
                # For other tiers a service allows less, and knows best how much.
                concurrency=static_xhr_concurrency if options["tier"] == "static" else None,
                max_cost_usd=batch_max_cost_usd,
                idempotency_key=f"{idempotency_key}-{number}" if idempotency_key else None,
            )
        except errors.InvalidRequestError as error:
            for one in set_aside_whole(error, part):
                yield Item(one)
            continue
        if batch.counts.rejected:
            yield from set_aside(batch.id)
        yield from follow(batch.id)


def _each(urls: Iterable[str | Entry]) -> Iterator[str | Entry]:
    """Refuse what a caller means as one URL, and Python takes for a list of characters."""
    if isinstance(urls, str):
        raise errors.CroError(f"urls is one string, and has to be a list: [{urls!r}]")
    return iter(urls)


def _parts(urls: Iterator[str | Entry]) -> Iterator[list[str | Entry]]:
    while part := list(islice(urls, MAX_URLS)):
        yield part
