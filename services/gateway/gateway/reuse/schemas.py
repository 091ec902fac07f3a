"""What customers say about earlier results, and what they are told of them."""

from datetime import timedelta

from pydantic import Field

from contracts.wire import PublicInput
from gateway.reuse.policy import DEFAULT_AGE_S, MAX_AGE_S, Wish


class Reuse(PublicInput):
    """How far an earlier result will do. Only your own are looked at."""

    max_age: int = Field(
        DEFAULT_AGE_S,
        ge=0,
        le=MAX_AGE_S,
        description="seconds: a result of the same request that is no older is the answer, at no cost; 0: no older one",
    )
    refresh: bool = Field(False, description="true: do it anew, whatever there is, finished or running")
    store: bool = Field(True, description="false: the result is not given to later requests")

    @property
    def wish(self) -> Wish:
        """As the rest of the gateway reads it."""
        return Wish(timedelta(seconds=self.max_age), self.refresh, self.store)
