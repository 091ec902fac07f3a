"""The one exception that crosses module borders: a failure with a code, a text for the caller and one for the log."""

from collections.abc import Sequence

from contracts.errors import ErrorCode, FieldError


class ServiceError(Exception):
    """A failure of known kind. `detail` is for the caller and says what to change; `reason` is for the log."""

    def __init__(
        self,
        code: ErrorCode,
        detail: str,
        *,
        reason: str = "",
        errors: Sequence[FieldError] = (),
        retry_after_s: float | None = None,
    ) -> None:
        """Keep both texts apart: only `detail` and `errors` may leave the process."""
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.reason = reason or detail
        self.errors = list(errors)
        self.retry_after_s = retry_after_s
