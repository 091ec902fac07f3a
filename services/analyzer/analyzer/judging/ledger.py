"""What asking Claude costs: written down for every reply, before anybody looks whether it is any good."""

from decimal import Decimal

import structlog
from prometheus_client import Counter

from analyzer.judging.exchange import Reply
from analyzer.judging.prices import DATED, cost
from contracts.analyze import Preset
from contracts.result import AiRun, TokenUsage

log = structlog.get_logger(__name__)

TOKENS = Counter("cro_claude_tokens_total", "Tokens as billed", ["preset", "kind"])
DOLLARS = Counter("cro_claude_cost_usd_total", "Cost by our own price table, in USD", ["preset"])


class Ledger:
    """The replies to one page's requests, as long as that page is judged."""

    def __init__(self, preset: Preset) -> None:
        """Start with nothing spent."""
        self._preset = preset
        self._replies: list[Reply] = []

    def record(self, reply: Reply) -> None:
        """Write a reply down: here, in the metrics and in the log."""
        self._replies.append(reply)
        for kind, count in reply.usage:
            TOKENS.labels(self._preset, kind).inc(count)
        spent = cost(reply.model, reply.usage, batch=reply.batch)
        DOLLARS.labels(self._preset).inc(float(spent or 0))
        fields = {"stop_reason": reply.stop_reason, "anthropic_request_id": reply.request_id}
        usd = "unknown" if spent is None else str(spent)
        log.info("claude_usage", model=reply.model, usage=reply.usage.model_dump(), cost_usd=usd, **fields)

    @property
    def spent_usd(self) -> Decimal:
        """Return what was spent so far, as far as the prices are known."""
        costs = (cost(reply.model, reply.usage, batch=reply.batch) for reply in self._replies)
        return sum((one for one in costs if one is not None), Decimal(0))

    def run(self, *, proposed: int = 0, verified: int = 0, supported: int = 0, rejected: int = 0) -> AiRun | None:
        """Return the sum for the result; None while nothing was answered.

        `price_table` stays empty when a model's price is unknown: the cost then leaves that model out.
        """
        if not self._replies:
            return None
        costs = [cost(reply.model, reply.usage, batch=reply.batch) for reply in self._replies]
        last = self._replies[-1]
        return AiRun(
            model=last.model,
            api_version=last.api_version,
            requests=len(self._replies),
            request_ids=[reply.request_id for reply in self._replies],
            stop_reasons=[reply.stop_reason for reply in self._replies],
            usage=self._usage(),
            cost_usd=str(sum((part for part in costs if part is not None), Decimal(0))),
            price_table="" if None in costs else DATED,
            batch=all(reply.batch for reply in self._replies),
            proposed=proposed,
            verified=verified,
            supported=supported,
            rejected=rejected,
        )

    def _usage(self) -> TokenUsage:
        names = TokenUsage.model_fields
        return TokenUsage(**{name: sum(getattr(reply.usage, name) for reply in self._replies) for name in names})
