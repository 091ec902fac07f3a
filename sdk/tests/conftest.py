"""What tests of the client library share."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import httpx2
import pytest

from cro_analyzer import AsyncClient, Client, RetryPolicy
from tests.fixtures.batches import Batches
from tests.fixtures.fleet import served

AT_ONCE = RetryPolicy(max_retries=3, base_s=0)
Answers: TypeAlias = Callable[[httpx2.Request], httpx2.Response]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CRO_API_KEY", "CRO_API_URL", "CRO_TRACEBACK", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def client(answers: Answers, retries: RetryPolicy = AT_ONCE) -> Client:
    return Client("", "http://api.test", transport=httpx2.MockTransport(answers), retries=retries)


def async_client(answers: Answers, retries: RetryPolicy = AT_ONCE) -> AsyncClient:
    return AsyncClient("", "http://api.test", transport=httpx2.MockTransport(answers), retries=retries)


@pytest.fixture
def batches() -> Batches:
    """Batches as the API has them, in memory."""
    return Batches()


@pytest.fixture
def batch_server(batches: Batches) -> Iterator[str]:
    """The origin at which they are served."""
    with served(batches.app()) as origin:
        yield origin
