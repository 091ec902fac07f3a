"""Plans: what tenants may use. A data file, read once at the start."""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from contracts.errors import ErrorCode
from contracts.fetch import Tier
from runtime.errors import ServiceError

LOCAL = "local"
_OURS = Path(__file__).with_name("plans.toml")


class Plan(BaseModel):
    """The limits of one plan; None means no limit. See `plans.toml` for the units."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    requests_per_minute: int | None = Field(None, ge=1)
    burst: int | None = Field(None, ge=1)
    concurrency: int | None = Field(None, ge=1)
    daily: dict[str, int] = Field(default_factory=dict)
    max_wait_s: int = Field(120, ge=0)
    max_batch: int = Field(10_000, ge=0)
    tiers: tuple[Tier, ...] = (Tier.STATIC, Tier.BROWSER, Tier.UNBLOCKER)
    scripts: bool = False
    ai_budget_usd_per_day: Decimal | None = Field(None, ge=0)
    share: float = Field(1, gt=0, le=100)


Plans = Mapping[str, Plan]

_FILE = TypeAdapter(dict[str, Plan])


@lru_cache
def load(file: str = "") -> Plans:
    """Read a file of plans, ours where none is named. Raises `ServiceError` (invalid_request) for an unusable one."""
    try:
        found = _FILE.validate_python(tomllib.loads(Path(file or _OURS).read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        detail = f"The file of plans {file} cannot be used: {error}"
        raise ServiceError(ErrorCode.INVALID_REQUEST, detail) from error
    if LOCAL not in found:
        raise ServiceError(ErrorCode.INVALID_REQUEST, f"The file of plans {file} lacks the plan {LOCAL!r}.")
    return MappingProxyType({name: plan.model_copy(update={"name": name}) for name, plan in found.items()})


def named(plans: Plans, name: str) -> Plan:
    """Return a plan. Raises `ServiceError` (invalid_request) naming those that there are."""
    if name not in plans:
        raise ServiceError(ErrorCode.INVALID_REQUEST, f"There is no plan {name!r}. Plans: {', '.join(plans)}.")
    return plans[name]
