"""What a key may still spend in its minute, told in headers and enforced."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from analyzer.fakeclaude.wire import ApiError, Json

LIMITS = {"requests": 4_000, "tokens": 2_400_000, "input-tokens": 2_000_000, "output-tokens": 400_000}
"""Per key and minute, as a high paid tier of the large models has them."""
_WINDOW_S = 60.0


@dataclass
class Window:
    """One key's present minute; `begun_s` is its first second."""

    begun_s: float
    spent: Counter[str] = field(default_factory=Counter)

    @property
    def reset_s(self) -> float:
        """The second in which everything may be spent anew."""
        return self.begun_s + _WINDOW_S

    def enforce(self, limits: Mapping[str, int], now_s: float) -> None:
        """Raise the API's 429 when any of the limits is spent."""
        for name, limit in limits.items():
            if self.spent[name] >= limit:
                message = f"This request would exceed your organization's rate limit of {limit} {name} per minute."
                raise ApiError("rate_limit_error", message, retry_after_s=max(1, round(self.reset_s - now_s)))

    def take(self, usage: Json) -> None:
        """Take a message's tokens off the limits."""
        taken = usage["input_tokens"] + usage["cache_creation_input_tokens"]
        self.spent.update({"tokens": taken + usage["output_tokens"], "input-tokens": taken})
        self.spent.update({"output-tokens": usage["output_tokens"]})

    def headers(self, limits: Mapping[str, int]) -> dict[str, str]:
        """Return the `anthropic-ratelimit-*` headers."""
        reset = datetime.fromtimestamp(self.reset_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        headers: dict[str, str] = {}
        for name, limit in limits.items():
            headers[f"anthropic-ratelimit-{name}-limit"] = str(limit)
            headers[f"anthropic-ratelimit-{name}-remaining"] = str(max(0, limit - self.spent[name]))
            headers[f"anthropic-ratelimit-{name}-reset"] = reset
        return headers
