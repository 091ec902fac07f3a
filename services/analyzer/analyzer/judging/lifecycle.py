"""Whether the configured models can be used: asked at start-up, and again later where the provider was away then."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import structlog

from analyzer.judging.deadline import Deadline
from analyzer.judging.exchange import ClaudeUnavailable, ModelState, Trouble
from analyzer.judging.settings import ClaudeSettings
from contracts.errors import ErrorCode
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

MODEL_UNUSABLE = "claude_model_unusable"
MODEL_DEPRECATED = "claude_model_deprecated"
MODEL_NOT_CHECKED = "claude_model_not_checked"
_START_MS = 5_000
"""The start does not wait longer for the provider."""
_AGAIN_S = (30.0, 60.0)
_NO_SUCH_MODEL = "404 not_found_error"


class Registrar(Protocol):
    """Who knows models."""

    async def lifecycle(self, model: str, deadline: Deadline) -> ModelState:
        """Return the state of a model, or raise `ClaudeUnavailable`."""
        ...


@dataclass(frozen=True)
class Standing:
    """What is known of one configured model. `wrong` says why it cannot be used, `note` what to look after."""

    setting: str
    model: str
    wrong: str = ""
    note: str = ""
    checked: bool = True


def judged(setting: str, model: str, state: ModelState) -> Standing:
    """Say what a model's state means for the setting that names it."""
    when = f" on {state.retires_at[:10]}" if state.retires_at else ""
    if state.lifecycle == "retired":
        return Standing(
            setting, model, wrong=f"{setting} names {model}, which was retired{when}: choose another model."
        )
    if state.lacks:
        wanting = " and no ".join(state.lacks)
        return Standing(
            setting, model, wrong=f"{setting} names {model}, which takes no {wanting}: choose another model."
        )
    if state.lifecycle == "deprecated":
        return Standing(setting, model, note=f"{setting}: {model} is deprecated and retires{when or ' soon'}")
    return Standing(setting, model)


class Lifecycle:
    """Checks the models. Use as a context manager around the service: entering raises for a model that is gone."""

    def __init__(
        self,
        settings: ClaudeSettings,
        registrar: Registrar,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Ask nobody yet; `sleep` waits between rounds."""
        self._settings = settings
        self._registrar = registrar
        self._sleep = sleep
        self._standings: dict[str, Standing] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Check every model once.

        Raises `ServiceError` (unavailable) naming the setting of a model that cannot be used. A provider that is away
        stops nothing: the check is made again every 30 to 60 s until it succeeds.
        """
        await self._round()
        wrong = [one.wrong for one in self._standings.values() if one.wrong]
        if wrong:
            raise ServiceError(ErrorCode.UNAVAILABLE, " ".join(wrong))
        if not self._done:
            self._task = asyncio.create_task(self._later())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def _done(self) -> bool:
        return all(one.checked for one in self._standings.values())

    def detail(self) -> Mapping[str, str]:
        """Return what `/readyz` says beside its verdict, which depends on no model."""
        known = self._standings.values()
        told = [one.wrong or one.note for one in known if one.wrong or one.note]
        return {"claude": "; ".join(told) or "models checked"}

    async def _later(self) -> None:
        while not self._done:
            await self._sleep(random.uniform(*_AGAIN_S))  # noqa: S311  # spreads load, guards nothing
            await self._round()

    async def _round(self) -> None:
        deadline = Deadline.after_ms(_START_MS)
        open_ = [name for name in self._settings.models_by_setting if not self._known(name)]
        for setting in open_:
            self._standings[setting] = await self._ask(setting, deadline)

    def _known(self, setting: str) -> bool:
        return setting in self._standings and self._standings[setting].checked

    async def _ask(self, setting: str, deadline: Deadline) -> Standing:
        model = self._settings.models_by_setting[setting]
        try:
            standing = judged(setting, model, await self._registrar.lifecycle(model, deadline))
        except ClaudeUnavailable as exc:
            if exc.trouble is Trouble.REQUEST and _NO_SUCH_MODEL in exc.reason:
                wrong = f"{setting} names {model}, which the provider does not know: choose another model."
                standing = Standing(setting, model, wrong=wrong)
            else:
                log.warning(MODEL_NOT_CHECKED, setting=setting, model=model, reason=exc.reason)
                note = f"{setting}: {model} not checked yet ({exc.trouble.value})"
                return Standing(setting, model, note=note, checked=False)
        if standing.wrong:
            log.error(MODEL_UNUSABLE, setting=setting, model=model, reason=standing.wrong)
        elif standing.note:
            log.warning(MODEL_DEPRECATED, setting=setting, model=model, reason=standing.note)
        return standing
