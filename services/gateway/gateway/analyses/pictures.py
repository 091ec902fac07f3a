"""An analysis of a picture that a customer sends instead of an address."""

import hashlib
import re
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from contracts.analyze import Preset
from contracts.geometry import DESKTOP, PHONE
from contracts.render import UPLOAD, Artifact, RenderResult
from gateway.acceptance import Accepted, Terms, accept, known
from gateway.blobs.base import new_key
from gateway.jobs import enrichment
from gateway.jobs.states import Kind, NewJob, Picture
from gateway.reuse.policy import cache_key
from gateway.uploads.decoding import Decoded, kind_of
from gateway.wiring import Caller, Parts
from runtime.ids import new_id
from runtime.telemetry import traceparent

_JPEG = "image/jpeg"
_PHONE_AT_MOST = 600
_MAX_NAME = 100
_FOLDERS = re.compile(r".*[/\\]", re.DOTALL)


@dataclass(frozen=True)
class Sent:
    """What a customer sent, as it came."""

    data: bytes
    name: str
    preset: Preset
    ai: Literal["now", "bulk"] = "now"


async def create(parts: Parts, caller: Caller, sent: Sent, terms: Terms) -> Accepted:
    """Accept a picture for analysis. Raises `ServiceError`: image_rejected, storage_failed, and as `accept` does.

    What was sent is decoded apart and made anew; only that is stored. The same bytes are decoded once.
    """
    kind_of(sent.data)
    options = enrichment.options(caller.options, sent.ai)
    asked = {"preset": sent.preset, **(options or {})}
    key = cache_key(Kind.ANALYSIS, f"upload:{hashlib.sha256(sent.data).hexdigest()}", asked)
    address = _address(sent)
    job = NewJob(caller.tenant_id, address, sent.preset, trace=traceparent(), cache_key=key, options=options)
    if found := await known(parts, job, terms):
        return found
    picture = await _stored(parts, caller, await parts.decoder.decode(sent.data), address.removeprefix("upload:"))
    accepted = await accept(parts, replace(job, picture=picture), terms)
    if accepted.id != picture.job_id:
        await parts.blobs.remove_job(caller.tenant_id, picture.job_id)
    return accepted


def _address(sent: Sent) -> str:
    """Return what stands in the place of a URL: the name without folders and without what cannot be seen."""
    plain = _FOLDERS.sub("", unicodedata.normalize("NFC", sent.name))
    seen = "".join(one for one in plain if one.isprintable()).strip()[:_MAX_NAME]
    return f"upload:{seen or hashlib.sha256(sent.data).hexdigest()[:12]}"


async def _stored(parts: Parts, caller: Caller, decoded: Decoded, name: str) -> Picture:
    """Store it before there is a row: if the commit fails, the object belongs to nobody and is swept."""
    job_id = new_id(Kind.ANALYSIS.id_prefix)
    key = new_key(caller.tenant_id, job_id, 0, _JPEG)
    await parts.blobs.write(key, _whole(decoded.data))
    artifact = Artifact(
        name=UPLOAD,
        content_type=_JPEG,
        bytes=len(decoded.data),
        sha256=hashlib.sha256(decoded.data).hexdigest(),
        width=decoded.width,
        height=decoded.height,
        viewport=PHONE if decoded.width < _PHONE_AT_MOST else DESKTOP,
    )
    render = RenderResult.of_upload(artifact, name=name, captured_at=datetime.now(UTC).isoformat())
    return Picture(job_id, render, {UPLOAD: key})


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data
