"""Which store the settings ask for."""

from urllib.parse import urlsplit

from gateway.blobs.base import BlobStore
from gateway.blobs.files import open_files
from gateway.settings import GatewaySettings
from runtime.settings import UnusableError


def open_store(settings: GatewaySettings) -> BlobStore:
    """Open the store at `BLOBS_URL`; nothing is asked of it. Raises `UnusableError` for settings that cannot work."""
    try:
        return _opened(settings)
    except ValueError as error:
        raise UnusableError(str(error)) from error


def _opened(settings: GatewaySettings) -> BlobStore:
    if urlsplit(settings.blobs_url).scheme == "s3":
        from gateway.blobs.connecting import open_bucket  # noqa: PLC0415  # half a second that files never cost

        return open_bucket(settings)
    if settings.cdn_url:
        raise ValueError("CDN_URL needs a bucket behind it: set BLOBS_URL=s3://…")
    return open_files(settings.blobs_url, settings.blobs_base_url, settings.blobs_secret)
