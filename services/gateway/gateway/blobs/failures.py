"""What S3 and its SDK say when something is wrong, in our own words."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from contracts.errors import ErrorCode
from gateway.blobs.threads import AwayError
from runtime.errors import ServiceError

_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_TAKEN = frozenset({"409", "412", "PreconditionFailed", "ConditionalRequestConflict"})
_UNKNOWN_STEP = frozenset({"NotImplemented", "MethodNotAllowed", "XNotImplemented"})
_RETRY_AFTER_S = 5.0


class BrokenStoreError(Exception):
    """The store answered, and the answer cannot be used."""


def code_of(error: ClientError) -> str:
    """Return the store's own word for it."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_missing(error: ClientError) -> bool:
    """Whether there is no such object."""
    return code_of(error) in _MISSING


def is_taken(error: ClientError) -> bool:
    """Whether the object was there already."""
    return code_of(error) in _TAKEN


def is_fault(error: Exception) -> bool:
    """Whether the store is away, out of order or not ours; that an object is missing or taken is an answer."""
    return not isinstance(error, ClientError) or not (is_missing(error) or is_taken(error))


def is_unsupported(error: ClientError) -> bool:
    """Whether the store does not know how to do this at all."""
    return code_of(error) in _UNKNOWN_STEP


def was_repeated(error: ClientError) -> bool:
    """Whether the SDK had tried more than once: then an earlier try may be what a later one met."""
    return bool(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0))


@contextmanager
def translated(key: str) -> Iterator[None]:
    """Raise `ServiceError` for what S3 and its SDK raise: NOT_FOUND, CONFLICT, STORAGE_FAILED."""
    try:
        yield
    except AwayError as error:
        raise _failed("not asked: it failed several times in a row") from error
    except TimeoutError as error:
        raise _failed("no answer in time") from error
    except ClientError as error:
        if is_missing(error):
            raise ServiceError(ErrorCode.NOT_FOUND, "There is no such object.", reason=key) from error
        if is_taken(error):
            raise ServiceError(ErrorCode.CONFLICT, "This object was written already.", reason=key) from error
        raise _failed(f"{error.operation_name}: {code_of(error)}") from error
    except (BotoCoreError, BrokenStoreError, OSError) as error:
        raise _failed(repr(error)) from error


def _failed(reason: str) -> ServiceError:
    detail = "The artifact store does not answer as it should. Try again later."
    return ServiceError(ErrorCode.STORAGE_FAILED, detail, reason=reason, retry_after_s=_RETRY_AFTER_S)
