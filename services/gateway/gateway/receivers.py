"""The URL of a receiver that comes with one request, for whatever kind of job."""

from typing import Annotated, TypeAlias

from pydantic import Field

from contracts.errors import FieldError
from gateway.deliveries.targets import checked
from gateway.wiring import Parts
from runtime.errors import ServiceError

WebhookUrl: TypeAlias = Annotated[
    str | None,
    Field(
        max_length=4_096,
        description="an https address that is told of the end (one signed POST, tried again for a day), besides the "
        "endpoints of `/v1/webhooks`; see docs/webhooks.md",
        examples=["https://hooks.example.com/cro"],
    ),
]


def receiver(parts: Parts, url: str | None) -> str | None:
    """Return the canonical form. Raises `ServiceError` URL_INVALID or URL_FORBIDDEN where nothing may be sent to it."""
    if url is None:
        return None
    try:
        return checked(parts.policy, url)
    except ServiceError as error:
        # The same request has another address, whose faults read the same.
        named = FieldError(field="webhook_url", message=error.detail)
        raise ServiceError(error.code, f"webhook_url: {error.detail}", reason=error.reason, errors=[named]) from error
