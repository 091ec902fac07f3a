"""A capture's artifact as an HTTP answer of its own."""

import re
from urllib.parse import quote

from fastapi import Response

from contracts.fetch import FetchResult
from gateway import tags
from gateway.blobs.base import TYPES
from gateway.blobs.delivery import full_type, guards, plain_type
from gateway.captures.service import Content

_ENDINGS = {kind: ending for ending, kind in TYPES.items()}
_ODD = re.compile(r"[^a-z0-9_.-]")


def whole(content: Content) -> Response:
    """Answer with an artifact's bytes."""
    kind = plain_type(content.artifact.content_type)
    name = f"{_ODD.sub('-', content.artifact.name)}.{_ENDINGS.get(kind, 'bin')}"
    headers = {**guards(kind, name), "ETag": _tag(content)}
    return Response(content.data, media_type=full_type(kind), headers=headers)


def unchanged(content: Content, if_none_match: str) -> Response | None:
    """Answer 304 to a caller that has these bytes already."""
    current = _tag(content)
    return Response(status_code=304, headers={"ETag": current}) if tags.known(if_none_match, current) else None


def _tag(content: Content) -> str:
    return f'"{content.artifact.sha256}"'


def told(result: FetchResult) -> dict[str, str]:
    """Return as headers what a caller of the bytes alone would otherwise not learn."""
    return {
        "X-Final-Url": quote(result.final_url, safe="!#$%&'()*+,/:;=?@[]~"),
        "X-Http-Status": str(result.http_status),
        "X-Warnings": ",".join(result.warnings),
        "X-Tier": result.tier.value,
        "X-Cost-Usd": str(result.cost_usd),
    }
