"""Reading a sitemap into a batch: an index of them, packed ones and plain lists too, over plain HTTP, under caps."""

import asyncio
import base64
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from contracts.errors import ErrorCode
from contracts.fetch import FetchRequest, FetchResult, Tier
from contracts.outputs import DocumentOutput
from gateway.access import plans
from gateway.batches import filling, planning, store
from gateway.batches.entries import Entry
from gateway.batches.planning import Plotted, Rules
from gateway.batches.schemas import CUT_OFF, MAX_URLS, BatchAsked
from gateway.batches.store import Reject
from gateway.db import Database
from gateway.jobs import confidential, expansion
from gateway.jobs.states import Claimed, LeaseLostError
from gateway.renderers import Renderers
from gateway.settings import GatewaySettings
from runtime import netguard
from runtime.client import ServiceClient
from runtime.errors import ServiceError
from runtime.netguard import AddressPolicy

MAX_SITEMAPS = 50
"""Sitemaps of one index that are read: more than hold ten thousand URLs on any site that fills them."""

LONGEST = timedelta(minutes=5)
"""For all sitemaps of one index together: a slow site must not hold a place of the fleet for an hour."""

_MARGIN = timedelta(seconds=2)
_FIRST_ERROR_STATUS = 400
_INDEX = re.compile(r"<(?:\w+:)?sitemapindex\b", re.IGNORECASE)
# Not <image:loc> and its like: those are no pages.
# Each way to go on begins with another character, so that no text takes more than one look.
_LOC = re.compile(r"<loc\b[^<>]{0,200}>((?:[^<]|<!\[CDATA\[){0,4200})</loc\b", re.IGNORECASE)
_CDATA = re.compile(r"\s*<!\[CDATA\[(.*)\]\]>\s*", re.DOTALL)
_MARKUP = re.compile(r"\s*<")


@dataclass(frozen=True)
class Listed:
    """What one sitemap says: addresses of pages or, in an index, of other sitemaps."""

    urls: list[str]
    is_index: bool


def listed(text: str, most: int) -> Listed:
    """Read at most `most` addresses of a sitemap: XML, or one on each line."""
    urls: list[str] = []
    for url in _addresses(text):
        if len(urls) == most:
            break
        urls.append(url)
    return Listed(urls, is_index=bool(_INDEX.search(text[:10_000])))


def _addresses(text: str) -> Iterator[str]:
    if _MARKUP.match(text):
        yield from (_plain(found.group(1)) for found in _LOC.finditer(text))
    else:
        yield from (line.strip() for line in text.splitlines() if line.strip())


def _plain(text: str) -> str:
    packed = _CDATA.fullmatch(text)
    return packed.group(1).strip() if packed else html.unescape(text).strip()


@dataclass(frozen=True)
class Sitemaps:
    """What the worker needs to turn a sitemap into the URLs of a batch."""

    db: Database
    renderer: Renderers | ServiceClient
    settings: GatewaySettings

    async def run(self, job: Claimed) -> None:
        """Read the sitemap of `job` and fill its batch. Raises `ServiceError`, and `LeaseLostError` as pipelines do."""
        async with self.db.read() as db:
            wanted = await confidential.load(db, job)
            plan = await store.plan_of(db, job.tenant_id)
        if wanted is None:
            # Dropped only with the end of the job: whoever ended it was not us.
            raise LeaseLostError
        found = plans.load(self.settings.plans_file)
        policy = AddressPolicy.from_setting(self.settings.egress_allow_private)
        going_by = wanted["going_by"]
        assert going_by is None or isinstance(going_by, dict)
        rules = Rules(self.settings, policy, plans.named(found, plan or plans.LOCAL), going_by)
        asked = BatchAsked.model_validate(wanted["asked"])
        most = min(MAX_URLS, rules.plan.max_batch)
        urls = await self._in_time(job, policy, most + 1)
        plotted = await asyncio.to_thread(planning.plan_found, asked, [Entry(url=url) for url in urls[:most]], rules)
        if len(urls) > most:
            detail = f"The sitemap lists more than {most:,} URLs; those from here on were left out."
            plotted.rejects.append(Reject(most, urls[most][:500], CUT_OFF, detail))
        await self._fill(job, plotted)

    async def _fill(self, job: Claimed, plotted: Plotted) -> None:
        batch_id = expansion.target(job)
        try:
            filled = await self.db.insist(
                lambda db: filling.fill(db, job, batch_id, plotted.items, plotted.rejects), self.settings.patience
            )
        except ServiceError as error:
            if error.code is not ErrorCode.QUOTA_EXCEEDED:
                raise
            # No retry would make the day's quota larger: the batch says so, and the job has done its work.
            detail = error.detail
            filled = await self.db.insist(
                lambda db: filling.refuse(db, job, batch_id, ErrorCode.QUOTA_EXCEEDED, detail), self.settings.patience
            )
        if not filled:
            raise LeaseLostError

    async def _in_time(self, job: Claimed, policy: AddressPolicy, most: int) -> list[str]:
        try:
            async with asyncio.timeout(LONGEST.total_seconds()):
                return await self._urls(job, policy, most)
        except TimeoutError as error:
            detail = f"The sitemaps could not be read within {LONGEST.total_seconds():g} s."
            raise ServiceError(ErrorCode.TARGET_TIMEOUT, detail) from error

    async def _urls(self, job: Claimed, policy: AddressPolicy, most: int) -> list[str]:
        first = listed(await self._text(job, job.url), max(most, MAX_SITEMAPS))
        if not first.is_index:
            return first.urls[:most]
        urls: list[str] = []
        for address in first.urls[:MAX_SITEMAPS]:
            if len(urls) >= most:
                break
            target = netguard.parse(address)
            policy.check_target(target)
            part = listed(await self._text(job, target.url), most - len(urls))
            if part.is_index:
                detail = f"The sitemap index names another index: {address[:200]}."
                raise ServiceError(ErrorCode.INVALID_REQUEST, detail)
            urls += part.urls
        return urls

    async def _text(self, job: Claimed, url: str) -> str:
        """Fetch one sitemap. Raises `ServiceError`."""
        budget = timedelta(seconds=self.settings.capture_budget_seconds)
        order = FetchRequest(
            job_id=job.id,
            url=url,
            tier=Tier.STATIC,
            outputs=[DocumentOutput(kind="html", name="html")],
            budget_ms=int((budget - _MARGIN).total_seconds() * 1_000),
        )
        result = await self.renderer.post("/fetch", order, FetchResult, budget)
        if result.http_status >= _FIRST_ERROR_STATUS:
            detail = f"The site answered the request for its sitemap with HTTP status {result.http_status}."
            raise ServiceError(ErrorCode.TARGET_STATUS, detail)
        data = result.artifacts["html"].data if "html" in result.artifacts else None
        return base64.b64decode(data or "").decode("utf-8", "replace")
