"""Calls from one of our services to another: contract types in and out, problems become `ServiceError` again."""

from datetime import timedelta
from types import TracebackType
from typing import Self, TypeVar

import httpx2
from opentelemetry import propagate
from pydantic import BaseModel, ValidationError

from contracts.errors import ErrorCode, Problem
from contracts.wire import REVEALED, Wire
from runtime.errors import ServiceError

Answer = TypeVar("Answer", bound=Wire)

_KEPT_S = 4.0


class ServiceClient:
    """One other service, over HTTP or, with an ASGI transport, in this process."""

    def __init__(
        self, name: str, base_url: str, transport: httpx2.AsyncBaseTransport | None = None, *, host: str = ""
    ) -> None:
        """Name the service for error texts; `transport` replaces the network, `host` the name that it is called by."""
        self._name = name
        # As many connections as there are calls at once, all of them kept: a worker makes hundreds. It lets go of an
        # idle one before the other side does, which is after 5 s.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=_KEPT_S)
        self._http = httpx2.AsyncClient(
            base_url=base_url,
            transport=transport,
            trust_env=False,
            limits=limits,
            headers={"host": host} if host else None,
        )

    async def __aenter__(self) -> Self:
        """Use as a context manager to close the connections."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def post(self, path: str, body: BaseModel, answer: type[Answer], budget: timedelta) -> Answer:
        """Send `body`; give up after `budget`. Raises `ServiceError` with the other side's code, or our own."""
        headers = {"content-type": "application/json", "accept": "application/json"}
        propagate.inject(headers)
        try:
            response = await self._http.post(
                path, content=body.model_dump_json(context=REVEALED), headers=headers, timeout=budget.total_seconds()
            )
        except httpx2.TimeoutException as exc:
            raise ServiceError(ErrorCode.DEADLINE_EXCEEDED, f"The {self._name} did not answer in time.") from exc
        except httpx2.HTTPError as exc:
            detail = f"The {self._name} cannot be reached."
            raise ServiceError(ErrorCode.UNAVAILABLE, detail, reason=repr(exc), retry_after_s=1) from exc
        if response.is_error:
            raise failure(self._name, response)
        return answer.model_validate_json(response.content)


def failure(name: str, response: httpx2.Response) -> ServiceError:
    """Return the error that an answer of the service `name` stands for."""
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        reason = f"{name} answered {response.status_code}"
        return ServiceError(ErrorCode.INTERNAL, f"The {name} failed.", reason=reason)
    return ServiceError(problem.code, problem.detail, errors=problem.errors, retry_after_s=problem.retry_after_s)
