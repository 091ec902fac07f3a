"""What can be made to go wrong, and how a request asks for it.

A scenario is `name`, `name:argument` or either with `*times` (then only the first that many requests meet it). It is
taken from the script (`POST /__script`), else the key (`POST /__keys`), else the header `x-fake-scenario`, else what
follows `@` in the model's name.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from analyzer.fakeclaude.wire import ApiError

HEADER = "x-fake-scenario"
_SPEC = re.compile(r"^(?P<name>[a-z_]+)(?::(?P<argument>[\d.]+))?(?:\*(?P<times>\d+))?$")


class Kind(StrEnum):
    """A way to answer."""

    OK = "ok"
    THINKING = "thinking"
    SLOW = "slow"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    HANG = "hang"
    RATE_LIMITED = "rate_limited"
    SPEND_LIMIT = "spend_limit"
    SERVER_ERROR = "server_error"
    OVERLOADED = "overloaded"
    DROP = "drop"
    DROP_BODY = "drop_body"
    GARBLED = "garbled"
    FOREIGN = "foreign"
    STREAM_ERROR = "stream_error"
    TRUNCATED = "truncated"
    REFUSAL = "refusal"
    REFUSAL_TEXT = "refusal_text"
    NONSENSE = "nonsense"
    FALSE_QUOTES = "false_quotes"
    ECHO = "echo"
    SILENT = "silent"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Scenario:
    """A way to answer; `argument` is seconds where the kind has any, `times` 0 means always.

    `rate_limited` without an argument says nothing about when to come back, as an acceleration limit does.
    """

    kind: Kind = Kind.OK
    argument: float = 0
    times: int = 0

    def raise_error(self) -> None:
        """Raise the `ApiError` of those kinds that are errors."""
        if self.kind is Kind.RATE_LIMITED:
            message = "This request would exceed your organization's rate limit of input tokens per minute."
            raise ApiError("rate_limit_error", message, retry_after_s=self.argument or None)
        if self.kind is Kind.SPEND_LIMIT:
            message = "You have reached your specified API usage limits."
            raise ApiError("rate_limit_error", message, error_code="enforced_spend_limit_reached")
        if self.kind is Kind.UNAUTHORIZED:
            raise ApiError("authentication_error", "invalid bearer token")
        if self.kind is Kind.FORBIDDEN:
            raise ApiError("permission_error", "Your API key may not use this resource")
        if self.kind is Kind.SERVER_ERROR:
            raise ApiError("api_error", "Internal server error")
        if self.kind is Kind.OVERLOADED:
            raise ApiError("overloaded_error", "Overloaded")


def parse(spec: str) -> Scenario:
    """Read a scenario; raises a 400 for one that does not exist, so that a typing error fails its test."""
    match = _SPEC.match(spec)
    if match is None or match["name"] not in list(Kind):
        raise ApiError("invalid_request_error", f"{HEADER}: there is no scenario {spec!r}")
    return Scenario(Kind(match["name"]), float(match["argument"] or 0), int(match["times"] or 0))


def split_model(name: str) -> tuple[str, str]:
    """Split `claude-haiku-5-5@overloaded*2` into model and scenario; the latter is empty where there is none."""
    model, _, spec = name.partition("@")
    return model, spec
