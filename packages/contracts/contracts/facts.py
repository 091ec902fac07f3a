"""What was measured on a page in one viewport, at the moment its pixels were taken. All lengths are CSS pixels."""

from enum import StrEnum

from pydantic import Field

from contracts.geometry import Box, Viewport
from contracts.wire import Wire


class LinkKind(StrEnum):
    """Where a link leads."""

    INTERNAL = "internal"
    EXTERNAL = "external"
    ANCHOR = "anchor"
    TEL = "tel"
    MAILTO = "mailto"
    SCRIPT = "script"
    EMPTY = "empty"


class LabelSource(StrEnum):
    """What names a form field to assistive technology."""

    LABEL = "label"
    ARIA = "aria"
    TITLE = "title"
    PLACEHOLDER = "placeholder"
    NONE = "none"


class OverlayKind(StrEnum):
    """What a layer above the page is for."""

    CONSENT = "consent"
    DIALOG = "dialog"
    BAR = "bar"
    OTHER = "other"


class Style(Wire):
    """Computed style. Colours are `#rrggbb` after blending with what lies below."""

    font_px: float
    font_weight: int
    line_height_px: float
    color: str
    background: str
    background_is_image: bool = False
    border_color: str = ""
    border_px: float = 0
    padding_px: float = 0
    filled: bool = Field(False, description="has a background of its own that differs from what surrounds it")
    surround: str = Field("", description="background of the nearest ancestor outside the element")
    position: str = "static"
    contrast: float | None = Field(None, description="WCAG contrast ratio of text and background, 1 to 21")
    contrast_estimated: bool = Field(False, description="sampled from the pixels of the picture behind the text")
    text_align: str = ""


class Link(Wire):
    """An anchor's target."""

    href: str
    kind: LinkKind
    has_handler: bool = False
    target_exists: bool = True
    status: int = Field(0, description="what the target answered to a HEAD request; 0: not asked, or no answer")


class FormField(Wire):
    """A form control. Values are never read."""

    type: str
    name: str = ""
    label: str = ""
    label_source: LabelSource = LabelSource.NONE
    placeholder: str = ""
    beside: str = Field("", description="a visible label that nothing in the code ties to this field")
    required: bool = False
    autocomplete: str = ""
    inputmode: str = ""
    form: int = Field(-1, description="index into PageFacts.forms; -1 outside a form")


class Picture(Wire):
    """An image element. `alt` is None where the attribute is missing, "" where the image is decorative."""

    src: str = ""
    natural_width: int = 0
    natural_height: int = 0
    alt: str | None = None
    complete: bool = True
    transferred_bytes: int | None = None
    lazy: bool = False


class Element(Wire):
    """One element worth talking about: control, heading, text block, image, field, landmark."""

    id: str = Field(description="e1, e2, … in document order; the handle that findings use")
    tag: str
    role: str = ""
    name: str = Field("", max_length=200, description="accessible name")
    text: str = Field("", max_length=400)
    characters: int = Field(0, description="length of the whole visible text, where `text` is only its beginning")
    selector: str
    box: Box
    visible: bool = Field(True, description="visible as analysis.md section 7 defines it, covered or not")
    covered: bool = Field(False, description="another layer lies over it at scroll 0")
    first_screen: float = Field(0, ge=0, le=1, description="share of its area inside the first screen")
    landmark: str = Field("", description="header, nav, main, footer, aside, form, dialog, consent, search or nothing")
    heading_level: int = 0
    clickable: bool = False
    inline: bool = Field(False, description="a control within a line of running text")
    disabled: bool = Field(False, description="a control that takes no input; exempt from contrast and size")
    lines: int = Field(0, description="rendered lines of a text block")
    style: Style | None = None
    link: Link | None = None
    field: FormField | None = None
    picture: Picture | None = None


class Form(Wire):
    """A form and where it posts."""

    element_id: str
    action: str = ""
    method: str = "get"
    purpose: str = Field("", description="search, login, newsletter, checkout or lead")


class Overlay(Wire):
    """A fixed layer or dialog over the first screen, as the visitor meets it."""

    element_id: str
    kind: OverlayKind
    box: Box
    coverage: float = Field(ge=0, le=1, description="share of the first screen that it covers")
    has_reject: bool = False


class TextStats(Wire):
    """Visible text, counted in characters."""

    characters: int = 0
    characters_below_12px: int = 0
    characters_failing_aa: int = 0
    characters_on_image: int = 0
    characters_on_image_failing_aa: int = Field(0, description="by the pixels behind them: estimated")
    body_font_px_median: float = 0
    words: int = 0
    words_first_screen: int = 0
    words_in_links: int = 0
    hidden_characters: int = 0


class Meta(Wire):
    """Head of the document. None: the tag is missing."""

    title: str = ""
    description: str | None = None
    viewport: str | None = None
    canonical: str | None = None
    robots: str = ""
    og: dict[str, str] = Field(default_factory=dict)
    json_ld_types: list[str] = Field(default_factory=list)
    og_image_loads: bool | None = Field(None, description="None: not tried")


class Resource(Wire):
    """A failed, heavy or insecure request of the page."""

    url: str
    type: str
    status: int = 0
    transferred_bytes: int = 0
    error: str = ""


class Network(Wire):
    """What loading cost, in bytes on the wire."""

    requests: int = 0
    transferred_bytes: int = 0
    by_type: dict[str, int] = Field(default_factory=dict)
    failed: list[Resource] = Field(default_factory=list)
    insecure: list[Resource] = Field(default_factory=list, description="plain http on an https page")


class Performance(Wire):
    """Lab timings in milliseconds, as web-vitals defines them. Indicative unless they come from a reserved slot."""

    ttfb_ms: float | None = None
    dom_content_loaded_ms: float | None = None
    load_ms: float | None = None
    first_contentful_paint_ms: float | None = None
    largest_contentful_paint_ms: float | None = None
    cumulative_layout_shift: float | None = None
    total_blocking_ms: float | None = None
    interaction_to_next_paint_ms: float | None = Field(None, description="None where nothing was clicked")
    largest_contentful_paint_selector: str = ""
    layout_shift_selector: str = Field("", description="what moved most in the largest single shift")
    interaction_selector: str = ""
    reserved: bool = Field(False, description="measured alone with fixed emulation, median of several runs")


class AxeTarget(Wire):
    """An element that axe-core names. `element_id` is empty where it is not in the element table."""

    selector: str
    element_id: str = ""
    box: Box | None = None


class AxeCheck(Wire):
    """What one rule of axe-core said. Rules that had nothing to look at are left out."""

    id: str
    impact: str = ""
    violations: int = 0
    unsure: int = Field(0, description="elements that axe-core leaves to a person")
    targets: list[AxeTarget] = Field(default_factory=list, description="of violations, at most 50")
    unsure_targets: list[AxeTarget] = Field(default_factory=list, description="at most 50")


class Axe(Wire):
    """A second opinion by axe-core on a bounded set of its rules, in the top frame."""

    version: str
    complete: bool = Field(True, description="False where the time limit ended it: what is missing was not checked")
    run_ms: float = 0
    checks: list[AxeCheck] = Field(default_factory=list)


class Motion(Wire):
    """Whether the first screen moves by itself. Two pictures are compared only where something suggests it."""

    suspected: list[str] = Field(default_factory=list, description="video, animation, carousel, canvas, image, script")
    changed: float | None = Field(None, ge=0, le=1, description="share of the pixels that differ; None: not compared")
    interval_ms: float = 0
    native_controls: bool = Field(False, description="every moving video shows the browser's own controls")
    sounding: int = Field(0, description="audio or video elements that start by themselves and are not muted")
    sounding_selectors: list[str] = Field(default_factory=list)


class PageFacts(Wire):
    """Everything that rules and the model may know about a page in one viewport."""

    viewport: Viewport
    url: str
    language: str = ""
    direction: str = "ltr"
    meta: Meta = Meta()
    scroll_width: float = 0
    page_height: float = 0
    elements: list[Element] = Field(default_factory=list)
    forms: list[Form] = Field(default_factory=list)
    overlays: list[Overlay] = Field(default_factory=list)
    text: str = Field("", description="visible text in reading order, capped")
    text_stats: TextStats = TextStats()
    star_rows: int = Field(0, description="rows of three to ten icons that are called stars: ratings")
    network: Network = Network()
    performance: Performance = Performance()
    axe: Axe | None = Field(None, description="None: not asked for, or it could not run")
    motion: Motion | None = Field(None, description="None: not asked for")
    truncated: list[str] = Field(default_factory=list, description="which lists or texts were cut at their cap")
