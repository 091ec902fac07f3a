"""The only module that talks to Claude: one call with its retries, its errors translated, its usage kept.

Retries are ours (`max_retries=0`): the SDK sleeps for as long as any `retry-after` says, re-sends timed-out calls at
full price, and retries spend limits.
"""

import asyncio
import base64
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import anthropic
import structlog
from anthropic.types import ImageBlockParam, Message, MessageParam, OutputConfigParam, TextBlockParam, ToolParam, Usage
from prometheus_client import Counter

from analyzer.claude_settings import ClaudeSettings
from analyzer.deadline import Deadline
from analyzer.exchange import ClaudeUnavailable, Prompt, Reply, Trouble
from analyzer.pictures import Picture
from contracts.result import TokenUsage

log = structlog.get_logger(__name__)

API_VERSION = "2026-10-21"
MAX_ATTEMPTS = 5
RETRY_WINDOW_S = 60.0
"""No attempt starts later than this after the first: longer waits belong to the queue."""
CALL_TIMEOUT_S = 120.0
_BACKOFF_S, _BACKOFF_CAP_S = 0.5, 8.0
_CAPTURE_TOOL: ToolParam = {
    "name": "get_page_capture",
    "description": "Returns the pictures and the measured facts of the page under review.",
    "input_schema": {"type": "object", "properties": {}, "additionalProperties": False},
}
_CAPTURE_ID = "toolu_page_capture"

ATTEMPTS = Counter("cro_claude_attempts_total", "Calls to Claude by how they ended", ["outcome"])

_BY_TYPE = {
    "overloaded_error": Trouble.OVERLOADED,
    "rate_limit_error": Trouble.RATE_LIMITED,
    "api_error": Trouble.SERVER,
    "timeout_error": Trouble.SERVER,
    "authentication_error": Trouble.CREDENTIALS,
    "permission_error": Trouble.CREDENTIALS,
    "billing_error": Trouble.SPEND_LIMIT,
    "invalid_request_error": Trouble.REQUEST,
    "not_found_error": Trouble.REQUEST,
    "request_too_large": Trouble.REQUEST,
}
_BY_STATUS = {
    401: Trouble.CREDENTIALS,
    402: Trouble.SPEND_LIMIT,
    403: Trouble.CREDENTIALS,
    408: Trouble.SERVER,
    409: Trouble.SERVER,
    429: Trouble.RATE_LIMITED,
    529: Trouble.OVERLOADED,
}
_RETRIED = frozenset({Trouble.OVERLOADED, Trouble.RATE_LIMITED, Trouble.SERVER, Trouble.CONNECTION})


@dataclass(frozen=True)
class _Failure:
    trouble: Trouble
    reason: str
    retry_after_s: float | None = None
    final: bool = False


Sleep = Callable[[float], Awaitable[None]]


class Claude:
    """A connection pool to the Messages API. Use as a context manager, or call `aclose`."""

    def __init__(self, settings: ClaudeSettings, *, sleep: Sleep = asyncio.sleep) -> None:
        """Open no connection yet; `sleep` waits between attempts."""
        self._settings = settings
        self._sleep = sleep
        self._api = anthropic.AsyncAnthropic(
            api_key=settings.anthropic_api_key.get_secret_value().strip(),
            base_url=settings.anthropic_base_url,
            max_retries=0,
            default_headers={"anthropic-version": API_VERSION},
            # A redirect would carry the page, and on the same host the key, somewhere that nobody configured.
            http_client=anthropic.DefaultAsyncHttpxClient(follow_redirects=False),
            open_telemetry=False,
        )

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def ask(self, prompt: Prompt, model: str, deadline: Deadline) -> Reply:
        """Return what the model said, refusals and truncations included.

        Tries up to 5 times within 60 s and `deadline`. Raises `ClaudeUnavailable` when that does not help; its
        `retry_after_s` is the provider's wish, for a queue that has the time.
        """
        begun = deadline.clock()
        for attempt in range(1, MAX_ATTEMPTS + 1):
            outcome = await self._attempt(prompt, model, deadline)
            if isinstance(outcome, Reply):
                ATTEMPTS.labels("answered").inc()
                return outcome
            ATTEMPTS.labels(outcome.trouble).inc()
            wait_s = _wait_s(attempt, outcome)
            late = deadline.clock() - begun + wait_s > RETRY_WINDOW_S or wait_s >= deadline.left_s()
            again = outcome.trouble in _RETRIED and not outcome.final and not late and attempt < MAX_ATTEMPTS
            fields = {"trouble": outcome.trouble.value, "reason": outcome.reason}
            log.warning("claude_call_failed", model=model, attempt=attempt, retry=again, wait_s=wait_s, **fields)
            if not again:
                raise ClaudeUnavailable(outcome.trouble, outcome.reason, outcome.retry_after_s)
            await self._sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")

    async def lifecycle(self, model: str, deadline: Deadline) -> str:
        """Return `active`, `deprecated`, `retired`, or `unfit` for a model without pictures or structured output.

        Raises `ClaudeUnavailable` where the provider does not know the model or cannot be asked. Asked once.
        """
        try:
            info = await self._api.models.retrieve(model, timeout=min(CALL_TIMEOUT_S, deadline.left_s()))
        except anthropic.APIStatusError as exc:
            failure = _classified(exc)
            raise ClaudeUnavailable(failure.trouble, failure.reason) from exc
        except (anthropic.AnthropicError, ValueError) as exc:
            raise ClaudeUnavailable(Trouble.CONNECTION, repr(exc)) from exc
        able = info.capabilities
        fit = able is None or (able.image_input.supported and able.structured_outputs.supported)
        return info.lifecycle if fit else "unfit"

    async def _attempt(self, prompt: Prompt, model: str, deadline: Deadline) -> Reply | _Failure:
        timeout_s = min(CALL_TIMEOUT_S, deadline.left_s())
        if timeout_s <= 0:
            return _Failure(Trouble.TIMEOUT, "the budget is spent")
        try:
            # The SDK's own timeout restarts with every byte; a budget does not.
            async with asyncio.timeout(timeout_s):
                message = await self._send(prompt, model, timeout_s)
        except (TimeoutError, anthropic.APITimeoutError):
            return _Failure(Trouble.TIMEOUT, f"no answer in {timeout_s:.1f} s")
        except anthropic.APIConnectionError as exc:
            return _Failure(Trouble.CONNECTION, repr(exc.__cause__))
        except anthropic.APIStatusError as exc:
            return _classified(exc)
        except (anthropic.AnthropicError, ValueError) as exc:
            # A body that is not JSON leaves the SDK as a bare ValueError.
            return _Failure(Trouble.GARBLED, repr(exc))
        return _reply(message, model)

    async def _send(self, prompt: Prompt, model: str, timeout_s: float) -> object:
        output: OutputConfigParam = {
            "format": {"type": "json_schema", "schema": anthropic.transform_schema(prompt.answer)}
        }
        if self._settings.claude_effort:
            output["effort"] = self._settings.claude_effort
        return await self._api.messages.create(
            model=model,
            max_tokens=self._settings.claude_max_output_tokens,
            system=_system(prompt),
            tools=[_CAPTURE_TOOL],
            tool_choice={"type": "none"},
            messages=_messages(prompt),
            output_config=output,
            metadata={"user_id": prompt.user_id},
            timeout=timeout_s,
        )


def _system(prompt: Prompt) -> list[TextBlockParam]:
    # The marker differs in every request, so it comes after the cached part.
    rubric: TextBlockParam = {"type": "text", "text": prompt.rubric, "cache_control": {"type": "ephemeral"}}
    return [rubric, {"type": "text", "text": prompt.marker}]


def _messages(prompt: Prompt) -> list[MessageParam]:
    capture: list[TextBlockParam | ImageBlockParam] = []
    for label, picture in prompt.pictures:
        capture += [{"type": "text", "text": label}, _image(picture)]
    capture.append({"type": "text", "text": prompt.document})
    return [
        {"role": "user", "content": [{"type": "text", "text": prompt.task}]},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": _CAPTURE_ID, "name": _CAPTURE_TOOL["name"], "input": {}}],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": _CAPTURE_ID, "content": capture},
                {"type": "text", "text": prompt.closing},
            ],
        },
    ]


def _image(picture: Picture) -> ImageBlockParam:
    data = base64.b64encode(picture.data).decode("ascii")
    block = {"type": "image", "source": {"type": "base64", "media_type": picture.media_type, "data": data}}
    return {**block, "transformations": {"oversized_image": "error"}}  # type: ignore[typeddict-item]  # media_type is one of its literals


def _classified(exc: anthropic.APIStatusError) -> _Failure:
    # By type first: an error inside a stream that began well carries status 200.
    status = exc.status_code
    trouble = _BY_TYPE.get(exc.type or "") or _BY_STATUS.get(status)
    trouble = trouble or (Trouble.SERVER if status >= 500 else Trouble.REQUEST)  # noqa: PLR2004  # HTTP's own border
    if "spend_limit" in (exc.error_code or ""):
        trouble = Trouble.SPEND_LIMIT
    headers = exc.response.headers
    reason = f"{status} {exc.type} {exc.error_code or ''} {exc.request_id or ''}: {exc.api_message or ''}"
    final = headers.get("x-should-retry") == "false"
    return _Failure(trouble, " ".join(reason.split()), _seconds(headers.get("retry-after")), final)


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 < seconds < float("inf") else None


def _wait_s(attempt: int, failure: _Failure) -> float:
    """Return the wait before the next attempt: what the provider asks for, else exponential with half of it random."""
    if failure.retry_after_s is not None:
        return failure.retry_after_s
    ceiling: float = min(_BACKOFF_CAP_S, _BACKOFF_S * 2 ** (attempt - 1))
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311  # spreads retries, guards nothing


def _reply(message: object, model: str) -> Reply | _Failure:
    # The SDK does not validate answers: a proxy's page arrives as text, a foreign document without its fields.
    usage = getattr(message, "usage", None)
    if not isinstance(message, Message) or not isinstance(usage, Usage):
        return _Failure(Trouble.GARBLED, f"the answer is a {type(message).__name__} without usage")
    text = "".join(block.text for block in message.content if block.type == "text")
    stop = message.stop_reason or ""
    return Reply(text, stop, _usage(usage), message._request_id or "", model, API_VERSION)  # noqa: SLF001  # the SDK documents it as public


def _usage(usage: Usage) -> TokenUsage:
    written, by_ttl = usage.cache_creation_input_tokens or 0, usage.cache_creation
    long = by_ttl.ephemeral_1h_input_tokens if by_ttl else 0
    details = usage.output_tokens_details
    return TokenUsage(
        input=usage.input_tokens,
        cache_read=usage.cache_read_input_tokens or 0,
        cache_write_5m=written - long,
        cache_write_1h=long,
        output=usage.output_tokens,
        thinking=details.thinking_tokens if details else 0,
    )
