"""The only module that talks to Claude: one call with its retries, its errors translated, its usage kept.

Retries are ours (`max_retries=0`): the SDK sleeps for as long as any `retry-after` says, re-sends timed-out calls at
full price, and retries spend limits.
"""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, replace
from decimal import Decimal
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import anthropic
import structlog
from anthropic.types import Message, Usage
from anthropic.types.messages import MessageBatch, MessageBatchIndividualResponse
from prometheus_client import Counter
from pydantic import BaseModel

from analyzer.judging import estimates, failures
from analyzer.judging.body import Body, Order
from analyzer.judging.breaker import Breaker, CircuitOpen
from analyzer.judging.deadline import Clock, Deadline
from analyzer.judging.exchange import BatchStatus, ClaudeUnavailable, ModelState, Prompt, Reply, Trouble
from analyzer.judging.failures import Failure
from analyzer.judging.keys import Key, Keys, NoKey, choose
from analyzer.judging.pictures import Picture
from analyzer.judging.settings import ClaudeSettings
from contracts.result import TokenUsage

log = structlog.get_logger(__name__)

API_VERSION = "2026-10-21"
MAX_ATTEMPTS = 5
RETRY_WINDOW_S = 60.0
"""No attempt starts later than this after the first: longer waits belong to the queue."""
CALL_TIMEOUT_S = 120.0
_HUNG_S = 30.0
"""A call that got at least this long and did not answer speaks against the provider, a shorter one against us."""
_ENCODERS = 2
_LEAVING = 16
"""Requests of megabytes that leave at a time: of two hundred at once all would be late, instead of the last."""
_BATCHES = "batches"

ATTEMPTS = Counter("cro_claude_attempts_total", "Calls to Claude by how they ended", ["outcome"])

Sleep = Callable[[float], Awaitable[None]]
Done = TypeVar("Done")
Once = Callable[[anthropic.AsyncAnthropic, float], Awaitable[Done | Failure]]


@dataclass(frozen=True)
class _Call:
    """What the retries of one call have in common; `only` is the key that it must use."""

    model: str
    input_tokens: int
    deadline: Deadline
    only: Key | None = None


_SENDING: ContextVar[tuple[Key, str]] = ContextVar("sending")


async def _learn(request: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:  # noqa: ANN401  # the SDK's middleware, whose types are private
    """Hand every answer's headers to the key that was used; errors have them too."""
    response = await call_next(request)
    key, model = _SENDING.get()
    key.learn(model, response.headers)
    return response


class Claude:
    """A connection pool to the Messages API. Use as a context manager, or call `aclose`."""

    def __init__(
        self, settings: ClaudeSettings, *, sleep: Sleep = asyncio.sleep, clock: Clock = time.monotonic
    ) -> None:
        """Open no connection yet; `sleep` waits between attempts, `clock` is that of keys and breakers."""
        self._settings = settings
        self._sleep = sleep
        self._clock = clock
        self.keys = Keys(settings.keys, clock)
        self._breakers: dict[str, Breaker] = {}
        self._pool = ThreadPoolExecutor(_ENCODERS, "claude-encode")
        self._room = asyncio.Semaphore(_LEAVING)
        if settings.on_loopback:
            log.warning("claude_base_url_is_loopback", base_url=settings.anthropic_base_url)
        self._apis = {key.name: self._api(key) for key in self.keys.all}

    def _api(self, key: Key) -> anthropic.AsyncAnthropic:
        return anthropic.AsyncAnthropic(
            api_key=key.secret.get_secret_value(),
            base_url=self._settings.anthropic_base_url,
            max_retries=0,
            default_headers={"anthropic-version": API_VERSION},
            # A redirect would carry the page, and on the same host the key, somewhere that nobody configured. And with
            # connections of its own: a pool goes through all of them whenever a call begins or ends.
            http_client=anthropic.DefaultAsyncHttpxClient(follow_redirects=False),
            middleware=[_learn],
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
        await asyncio.gather(*(api.close() for api in self._apis.values()))
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def base_url(self) -> str:
        """Where Claude is asked: the only host to which a key is sent."""
        return self._settings.anthropic_base_url

    def order(self, answer: type[BaseModel], model: str) -> Order:
        """Return what a request has besides its prompt."""
        settings = self._settings
        return Order(model, schema_of(answer), settings.claude_max_output_tokens, settings.claude_effort)

    def most_usd(self, prompt: Prompt, model: str, *, batch: bool = False) -> Decimal | None:
        """Return what asking costs at most; None where the price is unknown."""
        return estimates.most_usd(prompt, self.order(prompt.answer, model), batch=batch)

    async def ask(self, prompt: Prompt, model: str, deadline: Deadline) -> Reply:
        """Return what the model said, refusals and truncations included.

        Tries up to 5 times within 60 s and `deadline`. Raises `ClaudeUnavailable` when that does not help; its
        `retry_after_s` is the provider's wish, for a queue that has the time.
        """
        order = self.order(prompt.answer, model)
        body = Body(prompt, order, self._pool, self._room)

        async def once(api: anthropic.AsyncAnthropic, timeout_s: float) -> Reply | Failure:
            headers = {"content-type": "application/json", "content-length": str(body.size)}
            return _reply(
                await api.post(
                    "/v1/messages",
                    cast_to=Message,
                    content=body.chunks(),
                    options={"timeout": timeout_s, "headers": headers},
                ),
                model,
            )

        return await self._insist(once, _Call(model, estimates.input_tokens(prompt, order), deadline))

    async def lifecycle(self, model: str, deadline: Deadline) -> ModelState:
        """Return what the provider says about a model. Asked once.

        Raises `ClaudeUnavailable` where the provider does not know the model or cannot be asked.
        """

        async def once(api: anthropic.AsyncAnthropic, timeout_s: float) -> ModelState | Failure:
            info = await api.models.retrieve(model, timeout=timeout_s)
            able = info.capabilities
            needed = (
                () if able is None else (("pictures", able.image_input), ("structured output", able.structured_outputs))
            )
            lacks = tuple(name for name, support in needed if not support.supported)
            return ModelState(info.lifecycle, info.retires_at.isoformat() if info.retires_at else "", lacks)

        return _or_raise(await self._attempt(once, _Call(model, 0, deadline), None))

    # --- batches --------------------------------------------------------------------------------

    async def upload(self, picture: Picture, lasts_s: int, key: Key, deadline: Deadline) -> str:
        """Store a picture with the provider for `lasts_s` seconds; return its file id. Raises `ClaudeUnavailable`."""
        name = f"{picture.section_id}.{picture.media_type.rpartition('/')[2]}"

        async def once(api: anthropic.AsyncAnthropic, timeout_s: float) -> str:
            file = (name, picture.data, picture.media_type)
            return (await api.files.upload(file=file, expires_in_seconds=lasts_s, timeout=timeout_s)).id

        return await self._insist(once, _Call(_BATCHES, 0, deadline, key))

    async def create_batch(self, requests: bytes, key: Key, deadline: Deadline) -> BatchStatus:
        """Send a written batch. Raises `ClaudeUnavailable`. Asked once: a second try could pay for two batches."""

        async def once(api: anthropic.AsyncAnthropic, timeout_s: float) -> BatchStatus:
            options: Any = {"timeout": timeout_s, "headers": {"content-type": "application/json"}}
            made = await api.post("/v1/messages/batches", cast_to=MessageBatch, content=requests, options=options)
            return _status(made)

        return _or_raise(await self._attempt(once, _Call(_BATCHES, 0, deadline, key), None))

    async def batch(self, batch_id: str, key: Key, deadline: Deadline) -> BatchStatus:
        """Return how far a batch is. Raises `ClaudeUnavailable`."""

        async def once(api: anthropic.AsyncAnthropic, timeout_s: float) -> BatchStatus:
            return _status(await api.messages.batches.retrieve(batch_id, timeout=timeout_s))

        return await self._insist(once, _Call(_BATCHES, 0, deadline, key))

    async def batch_results(
        self, batch_id: str, model: str, key: Key, deadline: Deadline
    ) -> list[tuple[str, Reply | Failure]]:
        """Return (custom id, what became of it) for a batch that has ended, all of whose requests were to `model`.

        Raises `ClaudeUnavailable`, also when the results lie on a foreign host: the SDK would send the key there.
        """

        async def once(
            api: anthropic.AsyncAnthropic, timeout_s: float
        ) -> list[MessageBatchIndividualResponse] | Failure:
            found = await api.messages.batches.retrieve(batch_id, timeout=timeout_s)
            if not self._trusted(found.results_url or ""):
                return Failure(Trouble.REQUEST, f"the results of {batch_id} lie at {found.results_url!r}")
            return [line async for line in await api.messages.batches.results(batch_id, timeout=timeout_s)]

        lines = await self._insist(once, _Call(_BATCHES, 0, deadline, key))
        return [(line.custom_id, _outcome(line, model)) for line in lines]

    def _trusted(self, url: str) -> bool:
        ours, theirs = urlsplit(self._settings.anthropic_base_url), urlsplit(url)
        return (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc)

    # --- the loop --------------------------------------------------------------------------------

    async def _insist(self, once: Once[Done], call: _Call) -> Done:
        begun = call.deadline.clock()
        waited_for: Key | None = None
        for attempt in range(1, MAX_ATTEMPTS + 1):
            outcome = await self._attempt(once, call, waited_for)
            if not isinstance(outcome, Failure):
                return outcome
            elsewhere = self._elsewhere(outcome, call)
            wait_s = 0.0 if elsewhere else failures.wait_s(attempt, outcome.retry_after_s)
            late = call.deadline.clock() - begun + wait_s > RETRY_WINDOW_S or wait_s >= call.deadline.left_s()
            again = attempt < MAX_ATTEMPTS and not late and (elsewhere or failures.worth_retrying(outcome))
            fields = {"trouble": outcome.trouble.value, "reason": outcome.reason, "key": outcome.key}
            log.warning("claude_call_failed", model=call.model, attempt=attempt, retry=again, wait_s=wait_s, **fields)
            if not again:
                break
            waited_for = None if elsewhere else self.keys.named(outcome.key)
            await self._sleep(wait_s)
        return _or_raise(outcome)

    def _elsewhere(self, failure: Failure, call: _Call) -> bool:
        """Say whether another key can be asked at once."""
        own = failure.trouble in failures.OF_ONE_KEY and call.only is None
        return own and self.keys.ready(call.model, call.input_tokens)

    async def _attempt(self, once: Once[Done], call: _Call, waited_for: Key | None) -> Done | Failure:
        """Make one call, if budget, keys and breaker allow one."""
        timeout_s = min(CALL_TIMEOUT_S, call.deadline.left_s())
        if timeout_s <= 0:
            return _noted(Failure(Trouble.TIMEOUT, "the budget is spent"))
        breaker = self._breaker(call.model)
        try:
            among = (call.only,) if call.only else self.keys.all
            key = choose(among, call.model, call.input_tokens, waited_for)
            permit = breaker.enter()
        except NoKey as none:
            return _noted(Failure(none.trouble, str(none), none.wait_s, key=none.key.name))
        except CircuitOpen as circuit:
            reason = f"the circuit of {call.model} is {circuit}"
            return _noted(Failure(Trouble.CIRCUIT_OPEN, reason, circuit.retry_after_s))
        failed: bool | None = None
        key.enter(call.model, call.input_tokens)
        try:
            outcome = await self._sent(once, key, call.model, timeout_s)
            failed = isinstance(outcome, Failure) and outcome.outage
        finally:
            key.leave()
            breaker.leave(permit, failed=failed)
        return _noted(outcome)

    def _breaker(self, model: str) -> Breaker:
        if model not in self._breakers:
            self._breakers[model] = Breaker(model, self._clock)
        return self._breakers[model]

    async def _sent(self, once: Once[Done], key: Key, model: str, timeout_s: float) -> Done | Failure:
        _SENDING.set((key, model))
        try:
            # The SDK's own timeout restarts with every byte; a budget does not.
            async with asyncio.timeout(timeout_s):
                answer = await once(self._apis[key.name], timeout_s)
        except (TimeoutError, anthropic.APITimeoutError):
            hung = timeout_s >= _HUNG_S
            return Failure(Trouble.TIMEOUT, f"no answer in {timeout_s:.1f} s", outage=hung, key=key.name)
        except anthropic.APIConnectionError as exc:
            return Failure(Trouble.CONNECTION, repr(exc.__cause__), outage=True, key=key.name)
        except anthropic.APIStatusError as exc:
            failure = replace(_classified(exc), key=key.name)
            if failure.trouble in failures.OF_ONE_KEY:
                key.refused(model, failure.trouble, failure.retry_after_s)
            return failure
        except (anthropic.AnthropicError, ValueError) as exc:
            # A body that is not JSON leaves the SDK as a bare ValueError.
            return Failure(Trouble.GARBLED, repr(exc), key=key.name)
        key.answered()
        return answer


def _noted(outcome: Done | Failure) -> Done | Failure:
    ATTEMPTS.labels(outcome.trouble if isinstance(outcome, Failure) else "answered").inc()
    return outcome


def _or_raise(outcome: Done | Failure) -> Done:
    if isinstance(outcome, Failure):
        raise ClaudeUnavailable(outcome.trouble, outcome.reason, outcome.retry_after_s)
    return outcome


@functools.cache
def schema_of(answer: type[BaseModel]) -> Mapping[str, object]:
    """Return the JSON schema of an answer as the provider takes it."""
    return anthropic.transform_schema(answer)


def _classified(exc: anthropic.APIStatusError) -> Failure:
    trouble = failures.trouble_of(exc.status_code, exc.type or "", exc.error_code or "")
    headers = exc.response.headers
    reason = f"{exc.status_code} {exc.type} {exc.error_code or ''} {exc.request_id or ''}: {exc.api_message or ''}"
    return Failure(
        trouble,
        " ".join(reason.split()),
        failures.seconds(headers.get("retry-after")),
        final=headers.get("x-should-retry") == "false",
        outage=trouble in failures.OUTAGES,
    )


def _reply(message: object, model: str, *, batch: bool = False) -> Reply | Failure:
    # The SDK does not validate answers: a proxy's page arrives as text, a foreign document without its fields.
    usage = getattr(message, "usage", None)
    if not isinstance(message, Message) or not isinstance(usage, Usage):
        return Failure(Trouble.GARBLED, f"the answer is a {type(message).__name__} without usage")
    text = "".join(block.text for block in message.content if block.type == "text")
    stop = message.stop_reason or ""
    # The SDK documents it as public, and sets it on the answer to a request: a batch's answers have none.
    request_id = getattr(message, "_request_id", None) or message.id
    return Reply(text, stop, _usage(usage), request_id, model, API_VERSION, batch=batch)


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


def _status(batch: MessageBatch) -> BatchStatus:
    counts = batch.request_counts
    left = counts.processing
    return BatchStatus(batch.id, batch.processing_status == "ended", left, batch.expires_at.timestamp())


def _outcome(line: MessageBatchIndividualResponse, model: str) -> Reply | Failure:
    result = line.result
    match result.type:
        case "succeeded":
            return _reply(result.message, model, batch=True)
        case "errored":
            error = result.error.error
            return Failure(failures.trouble_of(0, error.type, ""), f"{error.type}: {error.message}")
        case "canceled":
            return Failure(Trouble.CANCELLED, "cancelled before it ran")
        case _:
            return Failure(Trouble.EXPIRED, "did not run within the provider's 24 hours")
