"""What tests of the client library share."""

from collections.abc import Iterator

import pytest

from tests.fixtures.batches import Batches
from tests.fixtures.fleet import served


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CRO_API_KEY", "CRO_API_URL", "CRO_TRACEBACK", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def batches() -> Batches:
    """Batches as the API has them, in memory."""
    return Batches()


@pytest.fixture
def batch_server(batches: Batches) -> Iterator[str]:
    """The origin at which they are served."""
    with served(batches.app()) as origin:
        yield origin
