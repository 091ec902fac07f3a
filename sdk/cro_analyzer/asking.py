"""What may be asked, as plain dictionaries: they are what goes over the wire. Everything in them may be left out."""

from typing import Literal, TypeAlias, TypedDict

from cro_analyzer.models.captures import Tier


class Viewport(TypedDict, total=False):
    """What the page is shown in, in CSS pixels."""

    width: int
    height: int
    device_scale_factor: float
    mobile: bool


class Box(TypedDict):
    """A rectangle in page coordinates, in CSS pixels."""

    x: float
    y: float
    width: float
    height: float


class Tiles(TypedDict, total=False):
    """How the whole page is cut, in CSS pixels."""

    height: int
    overlap: int


class Screenshot(TypedDict, total=False):
    """Pixels: `{"kind": "screenshot"}` is the first screen as JPEG."""

    kind: Literal["screenshot"]
    name: str
    area: Literal["first_screen", "full_page", "sections", "tiles", "element", "clip"]
    format: Literal["jpeg", "png", "webp"]
    quality: int
    viewport: Viewport
    device: str
    selector: str
    clip: Box
    tiles: Tiles
    banners: Literal["as_seen", "removed"]


class Facts(TypedDict, total=False):
    """What was measured of the page, as JSON."""

    kind: Literal["facts"]
    name: str
    viewport: Viewport
    device: str
    probes: list[Literal["axe", "contrast", "motion", "targets"]]


class Pdf(TypedDict, total=False):
    """The page as it prints."""

    kind: Literal["pdf"]
    name: str
    viewport: Viewport
    paper: Literal["a4", "letter"]
    landscape: bool
    background: bool


class Document(TypedDict, total=False):
    """The page as a document."""

    kind: Literal["html", "markdown", "text", "links", "metadata"]
    name: str
    viewport: Viewport


Output: TypeAlias = Screenshot | Facts | Pdf | Document


class Cookie(TypedDict, total=False):
    """A cookie that the browser holds before the visit."""

    name: str
    value: str
    domain: str
    path: str
    secure: bool
    http_only: bool
    same_site: Literal["strict", "lax", "none"]


class Geolocation(TypedDict, total=False):
    """Where the visitor is, in degrees, and how well that is known, in metres."""

    latitude: float
    longitude: float
    accuracy: float


class Credentials(TypedDict):
    """HTTP authentication; given to the page's own origin only."""

    username: str
    password: str


class Block(TypedDict, total=False):
    """Requests that are not made."""

    types: list[Literal["image", "media", "font", "stylesheet", "script", "xhr", "websocket", "other"]]
    urls: list[str]


class Visit(TypedDict, total=False):
    """Who the page believes its visitor to be."""

    color_scheme: Literal["light", "dark", "no-preference"]
    reduced_motion: bool
    locale: str
    timezone: str
    geolocation: Geolocation
    headers: dict[str, str]
    cookies: list[Cookie]
    auth: Credentials
    user_agent: str
    block: Block


class WaitFor(TypedDict, total=False):
    """What must be so before anything is taken."""

    selector: str
    state: Literal["visible", "attached", "hidden"]
    function: str
    delay_ms: int
    max_ms: int


class Prepare(TypedDict, total=False):
    """What is done to the page first, in this order: wait, click, style, hide."""

    wait_for: WaitFor
    click: list[str]
    hide: list[str]
    css: str


class FailIf(TypedDict, total=False):
    """What makes a capture fail instead of giving a picture of the wrong thing."""

    statuses: list[int]
    text_present: list[str]
    text_absent: list[str]
    selector_absent: list[str]
    request_failed: list[str]


class Settle(TypedDict, total=False):
    """When a page counts as ready."""

    quiet_ms: int
    max_ms: int
    scroll: bool


class Politeness(TypedDict, total=False):
    """How one host is treated."""

    robots: bool
    delay_ms: int


class Page(TypedDict, total=False):
    """What may be asked of every page of a capture or of a batch of captures."""

    tier: Tier
    max_tier: Tier
    max_cost_usd: str
    outputs: list[Output]
    visit: Visit
    prepare: Prepare
    fail_if: FailIf
    settle: Settle
    politeness: Politeness
    max_age: int
    refresh: bool
    store: bool


class Entry(TypedDict, total=False):
    """One URL of a batch with options that go before those of the batch."""

    url: str
    options: dict[str, object]
