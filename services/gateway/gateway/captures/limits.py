"""What untrusted callers may not ask for, beyond the bounds of each field. Every refusal names its field."""

import re
from collections.abc import Iterator

from contracts.errors import ErrorCode, FieldError
from contracts.fetch import FetchRequest, Tier
from contracts.outputs import DocumentOutput
from gateway.access.plans import Plan
from gateway.orders import artifact_types
from gateway.settings import GatewaySettings
from runtime.errors import ServiceError

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")  # RFC 9110, section 5.6.2
_HEADER_VALUE = re.compile(r"[\x20-\x7e\xa0-\xff\t]{0,4096}")
_NOT_A_VISITORS = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that say how a message travels: a wrong one makes another request out of the rest of this one."""


def check(request: FetchRequest, settings: GatewaySettings, plan: Plan) -> None:
    """Raise `ServiceError` (invalid_request) naming every field that may not be so."""
    errors = [*_names(request), *_tiers(request, settings), *_headers(request)]
    errors += [*_scripts(request, allowed=settings.capture_allow_scripts or plan.scripts), *_plan(request, plan)]
    if errors:
        detail = "; ".join(f"{error.field}: {error.message}" for error in errors[:3])
        raise ServiceError(ErrorCode.INVALID_REQUEST, detail, errors=errors)


def _names(request: FetchRequest) -> Iterator[FieldError]:
    taken: set[str] = set()
    for place, output in enumerate(request.outputs):
        names = {output.name, *artifact_types([output])}
        if names & taken:
            yield FieldError(field=f"outputs.{place}.name", message="another output has this name; give each its own")
        taken |= names


def _tiers(request: FetchRequest, settings: GatewaySettings) -> Iterator[FieldError]:
    static_only = Tier.STATIC in {request.tier, request.max_tier if request.tier is Tier.AUTO else request.tier}
    for place, output in enumerate(request.outputs):
        if static_only and not isinstance(output, DocumentOutput):
            text = f"{output.kind} needs a browser; the static tier gives html, markdown, text, links and metadata"
            yield FieldError(field=f"outputs.{place}.kind", message=text)
    if request.max_cost_usd is not None and request.max_cost_usd > settings.capture_max_cost_usd:
        yield FieldError(field="max_cost_usd", message=f"at most {settings.capture_max_cost_usd}")


def _headers(request: FetchRequest) -> Iterator[FieldError]:
    # Names are the caller's own text, and go no further than to the caller.
    for name, value in request.visit.headers.items():
        refused = name.lower() in _NOT_A_VISITORS or name.lower().startswith("proxy-")
        if refused or not _HEADER_NAME.fullmatch(name):
            yield FieldError(field=f"visit.headers.{name[:100]}", message="this header may not be set")
        elif not _HEADER_VALUE.fullmatch(value):
            text = "a header's value has at most 4,096 characters of Latin-1 and no line break"
            yield FieldError(field=f"visit.headers.{name}", message=text)


def _scripts(request: FetchRequest, *, allowed: bool) -> Iterator[FieldError]:
    if request.prepare.wait_for.function and not allowed:
        text = "JavaScript is not taken here; wait for a selector, or set CAPTURE_ALLOW_SCRIPTS on a server of your own"
        yield FieldError(field="prepare.wait_for.function", message=text)


def _plan(request: FetchRequest, plan: Plan) -> Iterator[FieldError]:
    asked = {"tier": request.tier, "max_tier": request.max_tier if request.tier is Tier.AUTO else Tier.AUTO}
    for name, tier in asked.items():
        if tier is not Tier.AUTO and tier not in plan.tiers:
            text = f"the plan {plan.name} has no {tier.value} tier; it has {', '.join(plan.tiers)}"
            yield FieldError(field=name, message=text)
