"""Which store the settings ask for."""

from urllib.parse import urlsplit

from gateway.blobs.base import BlobStore
from gateway.blobs.files import open_files
from gateway.settings import GatewaySettings


def open_store(settings: GatewaySettings) -> BlobStore:
    """Open the store at `BLOBS_URL`; nothing is asked of it yet. Raises `ValueError` for settings that cannot work."""
    if urlsplit(settings.blobs_url).scheme == "s3":
        from gateway.blobs.connecting import open_bucket  # noqa: PLC0415  # half a second that files never cost

        return open_bucket(settings)
    if settings.cdn_url:
        raise ValueError("CDN_URL needs a bucket behind it: set BLOBS_URL=s3://…")
    return open_files(settings.blobs_url, settings.blobs_base_url, settings.blobs_secret)
