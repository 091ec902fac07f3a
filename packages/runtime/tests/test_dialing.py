import pytest

from contracts.errors import ErrorCode
from runtime.dialing import Line, PatientDial
from runtime.errors import ServiceError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Failing:
    """A dial that counts its calls and fails with the code that the host is called."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int, job_id: str) -> Line:  # noqa: ARG002  # a dial's
        self.asked.append(host)
        raise ServiceError(next(code for code in ErrorCode if code.value == host), "no")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def code(dial: PatientDial, host: str, port: int = 80) -> ErrorCode:
    with pytest.raises(ServiceError) as caught:
        await dial(host, port, "job")
    return caught.value.code


async def test_only_silence_is_remembered_and_not_for_long() -> None:
    inner, clock = Failing(), Clock()
    dial = PatientDial(inner, keep_s=15, clock=clock)
    for clock.now in (0, 14.9, 15):
        assert await code(dial, "target_timeout") is ErrorCode.TARGET_TIMEOUT
        assert await code(dial, "target_refused") is ErrorCode.TARGET_REFUSED
    assert inner.asked == ["target_timeout", *["target_refused"] * 2, "target_timeout", "target_refused"]


async def test_another_port_is_another_host_and_the_oldest_makes_room() -> None:
    inner = Failing()
    dial = PatientDial(inner, size=2)
    for port in (80, 443, 80, 8080, 443, 80):
        await code(dial, "target_timeout", port)
    assert len(inner.asked) == 4
