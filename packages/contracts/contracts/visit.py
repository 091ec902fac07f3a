"""How a page is visited: who the visitor is, what is done before anything is taken, and what counts as failure."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr, SerializationInfo, field_serializer

from contracts.wire import REVEALED, PublicInput

Selector = Annotated[str, Field(min_length=1, max_length=500, description="CSS selector")]
Pattern = Annotated[str, Field(min_length=1, max_length=500, description="URL with `*` for any characters")]


class Cookie(PublicInput):
    """A cookie that the browser holds before the visit. Without `domain` it belongs to the page's own host."""

    name: str = Field(min_length=1, max_length=200)
    value: str = Field(max_length=4_096)
    domain: str = Field("", max_length=253)
    path: str = Field("/", max_length=500)
    secure: bool = False
    http_only: bool = False
    same_site: Literal["strict", "lax", "none"] = "lax"


class Geolocation(PublicInput):
    """Where the visitor is, in degrees, and how well that is known, in metres."""

    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    accuracy: float = Field(50, ge=1, le=100_000)


class Credentials(PublicInput):
    """HTTP authentication; given to the page's own origin only."""

    username: str = Field(max_length=200)
    password: SecretStr = Field(max_length=200)

    @field_serializer("password", when_used="json")
    def _revealed(self, password: SecretStr, info: SerializationInfo) -> str:
        return password.get_secret_value() if info.context == REVEALED else str(password)


class Block(PublicInput):
    """Requests that are not made. The HTTP cache stays on."""

    types: list[Literal["image", "media", "font", "stylesheet", "script", "xhr", "websocket", "other"]] = Field(
        default_factory=list, max_length=8
    )
    urls: list[Pattern] = Field(default_factory=list, max_length=100)


class Visit(PublicInput):
    """Who the page believes its visitor to be, and what is kept from loading."""

    color_scheme: Literal["light", "dark", "no-preference"] | None = None
    reduced_motion: bool = False
    locale: str = Field("", max_length=35, pattern=r"^([A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*)?$", examples=["de-CH"])
    timezone: str = Field("", max_length=60, examples=["Europe/Zurich"])
    geolocation: Geolocation | None = None
    headers: dict[str, str] = Field(default_factory=dict, max_length=30, description="sent to the page's origin only")
    cookies: list[Cookie] = Field(default_factory=list, max_length=50)
    auth: Credentials | None = None
    user_agent: str = Field("", max_length=500)
    block: Block = Block()


class WaitFor(PublicInput):
    """What must be so before anything is taken; when it is not within `max_ms`, the result is partial and says so."""

    selector: str = Field("", max_length=500, description="CSS selector that must be there")
    state: Literal["visible", "attached", "hidden"] = "visible"
    function: str = Field("", max_length=4_000, description="JavaScript that must become true; trusted callers only")
    delay_ms: int = Field(0, ge=0, le=30_000, description="slept after all else")
    max_ms: int = Field(10_000, ge=1, le=60_000, description="longest wait for selector and function together")


class Prepare(PublicInput):
    """What is done to the page before anything is taken, in this order: wait, click, style, hide."""

    wait_for: WaitFor = WaitFor()
    click: list[Selector] = Field(default_factory=list, max_length=10, description="clicked in this order")
    hide: list[Selector] = Field(default_factory=list, max_length=50, description="made invisible")
    css: str = Field("", max_length=50_000, description="a style sheet that is added")


class FailIf(PublicInput):
    """What makes the job fail with `capture_refused` instead of giving a picture of the wrong thing."""

    statuses: list[int] = Field(default_factory=list, max_length=50, description="HTTP statuses of the page")
    text_present: list[str] = Field(default_factory=list, max_length=20, description="visible text that must not be")
    text_absent: list[str] = Field(default_factory=list, max_length=20, description="visible text that must be there")
    selector_absent: list[Selector] = Field(default_factory=list, max_length=20)
    request_failed: list[Pattern] = Field(default_factory=list, max_length=20, description="a needed resource failed")
