"""What the renderer is asked for and what it answers."""

from enum import StrEnum
from typing import Final, Literal

from pydantic import Field

from contracts.geometry import Box, Viewport
from contracts.outputs import Output
from contracts.visit import FailIf, Prepare, Visit
from contracts.wire import PublicInput, Wire

UPLOAD: Final = "upload"
"""The name of the one artifact of a render that is a customer's picture."""


class Settle(PublicInput):
    """When a page counts as ready: DOM, fonts and images done and the network quiet, each within a cap."""

    quiet_ms: int = Field(500, ge=0, le=5_000, description="network silence that counts as quiet")
    max_ms: int = Field(8_000, ge=0, le=30_000, description="longest wait after the load event")
    scroll: bool = Field(True, description="scroll through the page so that lazy content loads")


class TransferSlot(Wire):
    """A pre-signed URL for one object: good for one method and some minutes."""

    url: str
    method: Literal["PUT", "GET"] = "PUT"
    headers: dict[str, str] = Field(default_factory=dict)


class RenderRequest(PublicInput):
    """One page load and all that is wanted of it."""

    job_id: str = Field("", max_length=100)
    url: str = Field(max_length=4_096)
    outputs: list[Output] = Field(min_length=1, max_length=20)
    settle: Settle | None = Field(None, description="missing: plain shots wait for load, the rest settles")
    budget_ms: int = Field(45_000, ge=1_000, le=120_000, description="what is left for the whole job, upload included")
    uploads: dict[str, TransferSlot] = Field(default_factory=dict, description="artifact name → where to PUT it")
    visit: Visit = Field(Visit(), description="who the visitor is, and what the browser lets through")
    prepare: Prepare = Field(Prepare(), description="what is waited for and done before anything is taken")
    fail_if: FailIf = Field(FailIf(), description="what makes the job fail on purpose")


class Artifact(Wire):
    """A stored (or inline) piece of the result."""

    name: str
    content_type: str
    bytes: int
    sha256: str
    width: int | None = Field(None, description="pixels of the image")
    height: int | None = None
    viewport: Viewport
    box: Box | None = Field(None, description="the part of the page that the image shows")
    data: str | None = Field(None, description="base64, when no upload slot was given for it")


class Section(Wire):
    """A horizontal part of the page, as split in one viewport."""

    id: str
    viewport: Viewport
    box: Box
    heading: str = ""
    tag: str = ""
    kind: str = Field(
        "", description="hero, form, pricing, product, testimonials, logos, faq, features, cart, footer, other"
    )
    artifact: str = Field("", description="name of its picture, if one was asked for")
    sampled: str = Field("", description="`n of m` where repeated rows were left out")


class Warning(StrEnum):  # noqa: A001  # the field's word; nothing here uses the builtin
    """What a result lacks."""

    TRUNCATED = "truncated"
    NOT_SETTLED = "not_settled"
    LOAD_TIMEOUT = "load_timeout"
    IMAGES_PENDING = "images_pending"
    FONTS_PENDING = "fonts_pending"
    LAYOUT_MOVED = "layout_moved"
    FACTS_MISSING = "facts_missing"
    PICTURES_MISSING = "pictures_missing"
    DOCUMENTS_MISSING = "documents_missing"
    PAGE_EMPTY = "page_empty"
    REQUESTS_BLOCKED = "requests_blocked"
    WAIT_FAILED = "wait_failed"
    SELECTOR_MISSING = "selector_missing"


class Completeness(Wire):
    """What one viewport's pictures lack. `complete` is true when nothing is listed."""

    viewport: Viewport
    complete: bool
    attempts: int = Field(1, description="2: the page was given a second chance, and this is what was better")
    images_pending: list[str] = Field(default_factory=list, description="URLs, at most 20")
    fonts_missing: list[str] = Field(default_factory=list, description="families that did not load, at most 20")
    blank_bands: list[Box] = Field(default_factory=list, description="screen-high parts of the page in one colour")
    unrevealed: list[Box] = Field(default_factory=list, description="content that is laid out but not shown")
    consent_left: bool = Field(False, description="a consent banner was asked away and is still there")


class BannerAction(Wire):
    """One thing that was done about a banner or an overlay."""

    viewport: Viewport
    kind: str = Field(description="consent, dialog, newsletter, chat, other")
    selector: str = ""
    action: Literal["declined", "dismissed", "hidden", "failed"]
    coverage: float = Field(0, description="share of the first screen that it covered, 0 to 1")


class Timings(Wire):
    """Milliseconds of each phase. `browser_ms` is the time spent waiting on Chromium, `own_ms` the rest."""

    queue_ms: float = 0
    open_ms: float = 0
    goto_ms: float = 0
    settle_ms: float = 0
    facts_ms: float = 0
    capture_ms: float = 0
    upload_ms: float = 0
    total_ms: float = 0
    browser_ms: float = 0
    own_ms: float = 0


class PoolState(Wire):
    """Room in the pool that answered, so that callers can send work where there is room."""

    slots: int
    free: int
    queued: int = 0


class Pressure(PoolState):
    """What a load balancer or an operator asks a renderer: is there room, and what uses it."""

    busy: int = 0
    memory_mb: list[int] = Field(default_factory=list, description="PSS of each browser, as last weighed")
    oldest_job_s: float = Field(0, description="how long the longest of the running jobs has run")
    accepting: bool = True
    reason: Literal["", "full", "draining", "no_browser"] = Field("", description="why it does not accept")
    retry_after_s: float = Field(0, description="when to come back, where it does not accept")


class RenderResult(Wire):
    """What became of a render. With `partial`, something that was asked for is missing: `warnings` says what."""

    job_id: str = ""
    requested_url: str
    final_url: str
    redirects: int = 0
    http_status: int
    title: str = ""
    artifacts: dict[str, Artifact] = Field(default_factory=dict)
    sections: list[Section] = Field(default_factory=list)
    partial: bool = False
    warnings: list[Warning] = Field(default_factory=list)
    pending: list[str] = Field(default_factory=list, description="what was still loading, at most 20 URLs")
    completeness: list[Completeness] = Field(default_factory=list, description="one verdict for each viewport")
    banner_actions: list[BannerAction] = Field(default_factory=list, description="in the order in which they were done")
    response_headers: dict[str, str] = Field(default_factory=dict, description="of the main document; no Set-Cookie")
    settled_by: Literal["quiet", "cap", "load", "none"] = "none"
    chromium: str = ""
    captured_at: str = Field("", description="RFC 3339, UTC")
    timings: Timings = Timings()
    pool: PoolState | None = None
    source: Literal["browser", "upload"] = Field(
        "browser", description="upload: no page was opened; the artifact `upload` is all there is"
    )

    @classmethod
    def of_upload(cls, picture: Artifact, *, name: str = "", captured_at: str = "") -> "RenderResult":
        """Stand in for a render where a customer sent a picture. `name` is what the customer calls it."""
        address = f"upload:{name or picture.sha256[:12]}"
        return cls(
            requested_url=address,
            final_url=address,
            http_status=0,
            artifacts={UPLOAD: picture},
            captured_at=captured_at,
            source="upload",
        )
