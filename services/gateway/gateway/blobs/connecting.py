"""Opening a bucket: credentials, addresses, and how long its server may take."""

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from gateway.blobs import address, failures
from gateway.blobs.address import Address
from gateway.blobs.cdn import open_cdn
from gateway.blobs.s3 import THREADS, S3Blobs
from gateway.blobs.threads import Threads
from gateway.settings import GatewaySettings

_CONNECT_S, _ANSWER_S = 2, 10
"""Longest wait for a connection, and for the next bytes on it."""


def open_bucket(settings: GatewaySettings) -> S3Blobs:
    """Open the bucket at `BLOBS_URL`. Raises `ValueError` for settings that cannot work."""
    where = address.parse(settings.blobs_url)
    cdn = open_cdn(settings.cdn_url, settings.cdn_key_id, settings.cdn_private_key_file)
    session = _session(settings, where)
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": where.addressing},
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=THREADS,
        connect_timeout=_CONNECT_S,
        read_timeout=_ANSWER_S,
        tcp_keepalive=True,
        # Ours are named one by one: what the SDK adds by itself, some servers other than AWS refuse.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    clients = [session.client("s3", endpoint_url=one or None, config=config) for one in (where.endpoint, where.public)]
    return S3Blobs(where, clients[0], clients[1], Threads(THREADS, "blobs", failures.is_fault), cdn)


def _session(settings: GatewaySettings, where: Address) -> boto3.Session:
    """Take the credentials from the settings or, where those have none, as the SDK finds them."""
    key, secret, token = (
        one.get_secret_value() or None
        for one in (settings.aws_access_key_id, settings.aws_secret_access_key, settings.aws_session_token)
    )
    try:
        session = boto3.Session(key, secret, token, where.region or None)
        found = session.get_credentials()
    except BotoCoreError as error:
        raise ValueError(f"The credentials for BLOBS_URL cannot be read: {type(error).__name__}.") from error
    if found is None:
        raise ValueError("BLOBS_URL names a bucket, and there are no credentials: AWS_ACCESS_KEY_ID, or a role.")
    if session.region_name is None:
        raise ValueError("BLOBS_URL needs ?region=…, or AWS_DEFAULT_REGION.")
    return session
