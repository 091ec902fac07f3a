"""Getting a bucket ready: private, without rules for browsers, and forgetting by itself what we forgot to remove."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from contracts.errors import ErrorCode
from gateway.blobs import failures
from gateway.blobs.address import Address
from gateway.blobs.failures import BrokenStoreError
from runtime.errors import ServiceError

if TYPE_CHECKING:  # stubs only
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import LifecycleRuleTypeDef

OURS = "cro-"
"""What the names of our lifecycle rules begin with; others' rules are left as they are."""

_NO_RULES = "NoSuchLifecycleConfiguration"
_ALREADY_THERE = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
_PUBLIC_NEVER = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}


def set_up(client: "S3Client", address: Address, keep_days: int, *, create: bool) -> list[str]:
    """Bring a bucket into its state, as often as wanted; return a line for each step.

    A step that this server does not have is told and left out. Raises `ServiceError(STORAGE_FAILED)`.
    """
    steps: dict[str, Callable[[], object]] = {
        "bucket": lambda: _create(client, address) if create else client.head_bucket(Bucket=address.bucket),
        "public access block": lambda: client.put_public_access_block(
            Bucket=address.bucket,
            PublicAccessBlockConfiguration=_PUBLIC_NEVER,  # type: ignore[arg-type]  # a dict is a TypedDict's likeness
        ),
        "no CORS": lambda: client.delete_bucket_cors(Bucket=address.bucket),
        f"lifecycle, {keep_days} days": lambda: _lifecycle(client, address, keep_days),
    }
    return [f"{name}: {_done(name, step)}" for name, step in steps.items()]


def _done(name: str, step: Callable[[], object]) -> str:
    try:
        step()
    except ClientError as error:
        if failures.is_unsupported(error):
            return "this server does not have it"
        raise _failed(name, failures.code_of(error)) from error
    except (BotoCoreError, BrokenStoreError, OSError) as error:
        raise _failed(name, repr(error)) from error
    return "done"


def _create(client: "S3Client", address: Address) -> None:
    # AWS wants the region named, except this one, which it does not want named.
    place: Any = {} if address.region in {"", "us-east-1"} else {"LocationConstraint": address.region}
    try:
        if place:
            client.create_bucket(Bucket=address.bucket, CreateBucketConfiguration=place)
        else:
            client.create_bucket(Bucket=address.bucket)
    except ClientError as error:
        if failures.code_of(error) not in _ALREADY_THERE:
            raise
    client.head_bucket(Bucket=address.bucket)


def rules(prefix: str, keep_days: int) -> "list[LifecycleRuleTypeDef]":
    """Return our lifecycle rules. The gateway removes what is due itself: they are for what it never learnt of."""
    return [
        {
            "ID": f"{OURS}expire",
            "Status": "Enabled",
            "Filter": {"Prefix": prefix},
            "Expiration": {"Days": keep_days},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        },
        {
            "ID": f"{OURS}markers",
            "Status": "Enabled",
            "Filter": {"Prefix": prefix},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
        },
    ]


def _lifecycle(client: "S3Client", address: Address, keep_days: int) -> None:
    try:
        present = client.get_bucket_lifecycle_configuration(Bucket=address.bucket)["Rules"]
    except ClientError as error:
        if failures.code_of(error) != _NO_RULES:
            raise
        present = []
    others: list[Any] = [rule for rule in present if not rule.get("ID", "").startswith(OURS)]
    client.put_bucket_lifecycle_configuration(
        Bucket=address.bucket, LifecycleConfiguration={"Rules": [*others, *rules(address.prefix, keep_days)]}
    )


def _failed(step: str, reason: str) -> ServiceError:
    return ServiceError(ErrorCode.STORAGE_FAILED, f"{step}: the store refused ({reason}).", reason=reason)
