"""What an owner asks of one job, whatever its kind: whether it is there, whether it has changed, that it ends."""

from contracts.errors import ErrorCode
from gateway.hints import DELIVERIES, cancel_topic, job_topic
from gateway.jobs import outcomes, records
from gateway.jobs.records import Version
from gateway.jobs.states import Kind, State
from gateway.metrics import FINISHED
from gateway.wiring import Caller, Parts
from runtime.errors import ServiceError


def missing(kind: Kind) -> ServiceError:
    """Say that there is no such job; another tenant's is none."""
    return ServiceError(ErrorCode.NOT_FOUND, f"There is no {kind.value} with this id.")


async def version(parts: Parts, caller: Caller, kind: Kind, job_id: str) -> Version:
    """Return what tells whether a job has changed. Raises NOT_FOUND."""
    async with parts.db.read() as db:
        found = await records.version(db, kind, caller.tenant_id, job_id)
    if found is None:
        raise missing(kind)
    return found


async def cancel(parts: Parts, caller: Caller, kind: Kind, job_id: str) -> None:
    """End a job; doing it twice is no error. Raises NOT_FOUND, and CONFLICT where it is finished already."""
    async with parts.db.begin() as db:
        ended = await outcomes.cancel(db, kind, caller.tenant_id, job_id)
        found = await records.version(db, kind, caller.tenant_id, job_id)
    if found is None:
        raise missing(kind)
    if found.state is not State.CANCELLED:
        raise ServiceError(ErrorCode.CONFLICT, f"The {kind.value} has already {found.state.value}.")
    if ended:
        await tell_of_cancel(parts, job_id)


async def tell_of_cancel(parts: Parts, job_id: str) -> None:
    """Count a job that was just cancelled, and wake who works on it, who waits for it and who delivers the news."""
    FINISHED.labels(State.CANCELLED.value, ErrorCode.CANCELLED.value).inc()
    for topic in (job_topic(job_id), cancel_topic(job_id), DELIVERIES):
        await parts.hints.notify(topic)
