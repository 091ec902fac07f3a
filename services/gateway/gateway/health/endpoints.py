"""The routes of health in JSON. They need no key, name no customer, and are not limited."""

from fastapi import APIRouter

from gateway.health import service
from gateway.health.schemas import Health, Metrics
from gateway.refusals import refusals
from gateway.wiring import TheParts

router = APIRouter(prefix="/api", tags=["health"])


@router.get("/health", summary="How this process and its dependencies are doing", responses=refusals())
async def health(parts: TheParts) -> Health:
    """Answer 200 whatever the state: `status` says it. Load balancers ask `/readyz`."""
    return await service.health(parts)


@router.get("/metrics", summary="The same with figures of the last minute", responses=refusals())
async def metrics(parts: TheParts) -> Metrics:
    """Answer for this process alone. With several of them Prometheus, which reads `/metrics`, sees all."""
    return await service.metrics(parts)
