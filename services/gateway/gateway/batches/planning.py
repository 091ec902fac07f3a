"""Turning what was asked into jobs: each URL is judged as a request for it alone would be, and none stops the rest."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from contracts.analyze import Preset
from contracts.errors import ErrorCode, FieldError
from contracts.fetch import FetchRequest, Tier
from contracts.outputs import ScreenshotOutput
from gateway.access.plans import Plan
from gateway.analyses.schemas import AnalysisCreate
from gateway.batches.entries import Entry
from gateway.batches.filling import Item
from gateway.batches.schemas import (
    DEFAULT_CONCURRENCY,
    DUPLICATE,
    MAX_CONCURRENCY,
    MAX_STATIC_CONCURRENCY,
    MAX_UNBLOCKER_CONCURRENCY,
    MAX_URLS,
    BatchAsked,
)
from gateway.batches.store import Reject
from gateway.captures import limits
from gateway.captures.schemas import CaptureCreate
from gateway.jobs import enrichment
from gateway.jobs.states import Document, Kind, Priority, is_light
from gateway.orders import stored_form
from gateway.settings import GatewaySettings
from runtime import netguard, wording
from runtime.errors import ServiceError
from runtime.netguard import AddressPolicy, Target

Model = TypeVar("Model", bound=BaseModel)

_SHOWN = 500
_ANY_URL = "https://example.com/"
_NOT_HERE = ("url", "wait", "max_age", "refresh", "store", "webhook_url")
_REFUSED = frozenset({ErrorCode.URL_INVALID, ErrorCode.URL_FORBIDDEN, ErrorCode.INVALID_REQUEST})


@dataclass(frozen=True)
class Rules:
    """What this gateway lets this caller do. `going_by`: what its analyses go by besides what a request says."""

    settings: GatewaySettings
    policy: AddressPolicy
    plan: Plan
    going_by: Document | None = None


@dataclass(frozen=True)
class Work:
    """What is done with one URL: the part of a job that its options decide."""

    preset: Preset | None
    options: Document | None
    secrets: Document | None
    light: bool
    delay_ms: int = 0
    tier: Tier = Tier.BROWSER
    unit_usd: Decimal = Decimal(0)


@dataclass
class Plotted:
    """A batch that can be stored."""

    asked: Document
    concurrency: int
    unit_usd: Decimal
    items: list[Item] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


def plan(asked: BatchAsked, entries: Iterable[Entry], rules: Rules) -> Plotted:
    """Judge a batch. Raises `ServiceError` (invalid_request) for options, a concurrency or a size that cannot be."""
    made = plan_found(asked, entries, rules)
    if not made.items:
        raise _unusable("urls", f"no URL can be used: {made.rejects[0].detail}" if made.rejects else "no URL is there")
    return made


def plan_empty(asked: BatchAsked, rules: Rules) -> Plotted:
    """Judge a batch whose URLs are not known yet. Raises as `plan` does."""
    shared = _work(asked.job_kind, asked.options, rules)
    return Plotted(_told(asked, shared), _concurrency(asked, shared), shared.unit_usd)


def plan_found(asked: BatchAsked, entries: Iterable[Entry], rules: Rules) -> Plotted:
    """Judge a batch as `plan` does, but take it that no URL can be used."""
    shared = _work(asked.job_kind, asked.options, rules)
    made = Plotted(_told(asked, shared), _concurrency(asked, shared), shared.unit_usd)
    seen: dict[tuple[str, str], int] = {}
    hosts: Counter[str] = Counter()
    most = min(MAX_URLS, rules.plan.max_batch)
    for place, entry in enumerate(entries):
        if place >= most:
            raise _unusable("urls", f"at most {most:,} URLs in one batch")
        try:
            target = _target(entry, rules)
            work = _work(asked.job_kind, {**asked.options, **entry.options}, rules) if entry.options else shared
            first = seen.setdefault((target.url, repr(sorted(entry.options.items()))), place)
            if first != place:
                made.rejects.append(_reject(place, entry, DUPLICATE, f"The same as the URL at place {first}."))
                continue
        except ServiceError as error:
            if error.code not in _REFUSED:
                raise
            made.rejects.append(_reject(place, entry, error.code.value, error.detail))
            continue
        made.items.append(_item(place, target, work, hosts))
        made.unit_usd = max(made.unit_usd, work.unit_usd)
    return made


def _target(entry: Entry, rules: Rules) -> Target:
    target = netguard.parse(entry.url)
    rules.policy.check_target(target)
    return target


def _item(place: int, target: Target, work: Work, hosts: Counter[str]) -> Item:
    """Give a URL its turn: each host's first before any host's second, at the distance that was asked for."""
    turn = hosts[target.host]
    hosts[target.host] += 1
    wait_s = turn * work.delay_ms / 1_000
    return Item(place, target.url, turn, wait_s, work.preset, work.options, work.secrets, work.light)


def _reject(place: int, entry: Entry, code: str, detail: str) -> Reject:
    return Reject(place, entry.url[:_SHOWN], code, detail[: 2 * _SHOWN])


def _work(kind: Kind, options: Document, rules: Rules) -> Work:
    unfit = [name for name in _NOT_HERE if name in options]
    if unfit:
        raise _unusable(f"options.{unfit[0]}", "this field is not for batches")
    return _captured(options, rules) if kind is Kind.CAPTURE else _analysed(options, rules)


def _analysed(options: Document, rules: Rules) -> Work:
    asked = _validated(AnalysisCreate, options)
    unit = Decimal(str(rules.settings.ai_reservation_usd.get(asked.preset, 0)))
    kept = enrichment.options(rules.going_by, asked.ai)
    return Work(asked.preset, kept, None, light=False, unit_usd=unit)


def _captured(options: Document, rules: Rules) -> Work:
    asked = _validated(CaptureCreate, options)
    request = FetchRequest(
        url=_ANY_URL,
        outputs=asked.outputs or [ScreenshotOutput()],
        **{name: getattr(asked, name) for name in _SAME},
    )
    limits.check(request, rules.settings, rules.plan)
    if request.max_cost_usd is None:
        request = request.model_copy(update={"max_cost_usd": rules.settings.capture_max_cost_usd})
    document, secrets = stored_form(request)
    billed = Tier.UNBLOCKER in {request.tier, request.max_tier if request.tier is Tier.AUTO else request.tier}
    return Work(
        preset=None,
        options=document,
        secrets=secrets or None,
        light=is_light(document, Priority.BATCH),
        delay_ms=request.politeness.delay_ms,
        tier=request.tier,
        unit_usd=(request.max_cost_usd or Decimal(0)) if billed else Decimal(0),
    )


_SAME = ("tier", "max_tier", "max_cost_usd", "visit", "prepare", "fail_if", "settle", "politeness")


def _validated(model: type[Model], options: Document) -> Model:
    try:
        return model.model_validate({**options, "url": _ANY_URL})
    except ValidationError as error:
        fields = list(_fields(error))
    raise ServiceError(
        ErrorCode.INVALID_REQUEST, "; ".join(f"{one.field}: {one.message}" for one in fields[:3]), errors=fields
    )


def _fields(error: ValidationError) -> Iterator[FieldError]:
    for one in error.errors(include_input=False, include_context=False, include_url=False):
        yield FieldError(field=".".join(["options", *map(str, one["loc"])]), message=wording.said(one))


def _concurrency(asked: BatchAsked, work: Work) -> int:
    most = {Tier.STATIC: MAX_STATIC_CONCURRENCY, Tier.UNBLOCKER: MAX_UNBLOCKER_CONCURRENCY}.get(
        work.tier, MAX_CONCURRENCY
    )
    if asked.concurrency is None:
        return min(DEFAULT_CONCURRENCY, most)
    if asked.concurrency > most:
        raise _unusable("concurrency", f"at most {most} here; {MAX_STATIC_CONCURRENCY} go with the static tier only")
    return asked.concurrency


def _told(asked: BatchAsked, work: Work) -> Document:
    """Return what the batch shows of its request: nothing confidential."""
    options = work.options if asked.job_kind is Kind.CAPTURE else {"preset": work.preset}
    ceiling = None if asked.max_cost_usd is None else str(asked.max_cost_usd)
    return {"options": options, "max_cost_usd": ceiling}


def _unusable(field_name: str, text: str) -> ServiceError:
    errors = [FieldError(field=field_name, message=text)]
    return ServiceError(ErrorCode.INVALID_REQUEST, f"{field_name}: {text}", errors=errors)
