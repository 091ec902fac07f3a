import asyncio
import gzip
import zlib

import brotli
import pytest
from backports import zstd
from pydantic import SecretStr

from contracts.errors import ErrorCode
from contracts.visit import Cookie, Credentials, Visit
from renderer.tiers.body import Caps
from renderer.tiers.page import Kind
from runtime.errors import ServiceError

from .conftest import Reply, fetch, fetching, order, told

BOMB = bytes(20_000_000)
PACKERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: brotli.compress(data, quality=5),
    "zstd": zstd.compress,
}
RAW_DEFLATE = zlib.compressobj(wbits=-15)


def redirect(to: str, status: int = 302, **more: object) -> Reply:
    return Reply(b"", status, {"location": to}, **more)  # type: ignore[arg-type]


async def failed(reply: Reply, caps: Caps | None = None) -> ServiceError:
    async with told(page=reply) as site:
        with pytest.raises(ServiceError) as caught:
            await fetch(site, caps=caps)
        return caught.value


