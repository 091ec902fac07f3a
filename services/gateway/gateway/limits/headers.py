"""Limits as response headers (IETF draft-ietf-httpapi-ratelimit-headers-10)."""

from gateway.limits.gcra import Verdict

Header = tuple[bytes, bytes]


def headers(verdict: Verdict) -> list[Header]:
    """Return `RateLimit-Policy` of every limit and `RateLimit` of the tightest.

    A policy is the burst and the time in which it flows off: what may be asked at any moment, and when all of it again.
    """
    policies = ", ".join(
        f'"{limit.name}";q={limit.burst};w={max(1, round(limit.tolerance_us / 1_000_000))}'
        for limit in (level.limit for level in verdict.levels)
    )
    tightest = verdict.tightest
    state = f'"{tightest.limit.name}";r={max(0, tightest.remaining)};t={tightest.retry_after_s or tightest.reset_s}'
    return [(b"ratelimit-policy", policies.encode()), (b"ratelimit", state.encode())]
