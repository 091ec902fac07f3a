"""All of the page, once: inner scrollers, sticky bars, first screens as high as the screen."""

import io
from itertools import groupby

import pytest
from PIL import Image

from contracts.facts import PageFacts
from contracts.geometry import DESKTOP, PHONE, Viewport
from contracts.outputs import MAX_CAPTURE_PX
from contracts.render import RenderResult
from tests.fixtures.site import Site

from .conftest import Live, pixels

BOTH = pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
RED, BLUE, GREEN, YELLOW = "ff0000", "0000ff", "00ff00", "ffff00"
PLAIN = "<style>*{margin:0;box-sizing:border-box}</style>"
PARTS = "".join(
    f"<section style='height:800px;background:#{shade}'><h2>Part {number}</h2><p>{'Fair prices. ' * 30}</p></section>"
    for number, shade in enumerate(("eeeeee", "dddddd", "eeeeee", "dddddd"))
)


def have(live: Live, url: str, viewport: Viewport = DESKTOP) -> RenderResult:
    shown = {"kind": "screenshot", "viewport": viewport.model_dump(), "format": "png"}
    outputs = [{**shown, "name": area, "area": area} for area in ("first_screen", "full_page", "sections")]
    outputs.append({"kind": "facts", "name": "facts", "viewport": viewport.model_dump()})
    answer = live.post({"url": url, "outputs": outputs, "budget_ms": 30_000})
    assert answer.status_code == 200, answer.text
    return RenderResult.model_validate_json(answer.content)


def stripes(result: RenderResult, name: str) -> list[tuple[str, int]]:
    """Return the colours down the right edge, with their heights in CSS pixels."""
    picture = Image.open(io.BytesIO(pixels(result, name)), formats=["PNG"]).convert("RGB")
    artifact = result.artifacts[name]
    assert artifact.box
    scale = picture.width / artifact.box.width
    column = picture.crop((picture.width - 3, 0, picture.width - 2, picture.height)).tobytes()
    shades = [column[at : at + 3].hex() for at in range(0, len(column), 3)]
    return [(shade, round(len(list(run)) / scale)) for shade, run in groupby(shades)]


def count(stripes: list[tuple[str, int]], shade: str) -> int:
    return sum(1 for found, _ in stripes if found == shade)


STICKY = (
    f"<header style='position:sticky;top:0;height:60px;background:#{RED};z-index:9'>Shop</header>"
    f"<div style='height:100vh;background:#{GREEN}'><h1>Bags</h1></div>{PARTS}"
    f"<div style='position:fixed;bottom:0;left:0;right:0;height:50px;background:#{BLUE}'>Buy now</div>"
)


@BOTH
def test_what_sticks_is_shown_once(live: Live, site: Site, viewport: Viewport) -> None:
    result = have(live, site.serve("/sticks", STICKY, PLAIN), viewport)
    whole = stripes(result, "full_page")
    assert (count(whole, RED), count(whole, BLUE)) == (1, 1)
    assert whole[0] == (RED, 60)
    sections = [stripes(result, section.artifact) for section in result.sections if section.artifact]
    assert len(sections) > 2
    assert sections[0][0] == (RED, 60), "the header's own section shows it"
    assert all(count(section, RED) == count(section, BLUE) == 0 for section in sections[1:])


@BOTH
def test_a_first_screen_as_high_as_the_screen_stays_so(live: Live, site: Site, viewport: Viewport) -> None:
    whole = stripes(have(live, site.serve("/hero", STICKY, PLAIN), viewport), "full_page")
    # The fixed bar lies over the hero, 60 px of which the header has pushed below the first screen.
    assert [height for shade, height in whole if shade == GREEN] == [viewport.height - 110, 60]


def test_a_page_that_scrolls_itself_is_taken_from_the_top(live: Live, site: Site) -> None:
    script = "<script>addEventListener('load', () => scrollTo(0, 900))</script>"
    whole = stripes(have(live, site.serve("/jumps", STICKY + script, PLAIN)), "full_page")
    assert whole[0] == (RED, 60)


INNER = {
    "flex": "<style>html,body{{height:100%;overflow:hidden}}#app{{display:flex;height:100vh}}aside{{width:60px;"
    "background:#123}}main{{flex:1;overflow-y:auto}}</style><div id=app><aside>Menu</aside><main>{}</main></div>",
    "absolute": "<style>body{{height:100vh;overflow:hidden;position:relative}}main{{position:absolute;inset:0;"
    "overflow:auto}}</style><main>{}</main>",
    "fixed": "<style>#root{{position:fixed;inset:0;display:grid;grid-template-rows:50px 1fr}}main{{overflow:auto;"
    "min-height:0}}</style><div id=root><header>Shop</header><main>{}</main></div>",
    "shadow": "<style>body{{height:100vh;overflow:hidden}}#host{{display:block;height:100%}}</style>"
    "<div id=host>{}</div><script>host.attachShadow({{mode:'open'}}).innerHTML ="
    "'<div style=\"height:100%;overflow:auto\"><slot></slot></div>'</script>",
}


@BOTH
@pytest.mark.parametrize("kind", INNER)
def test_a_page_that_scrolls_in_a_box_is_shown_whole(live: Live, site: Site, kind: str, viewport: Viewport) -> None:
    inside = f"{PARTS}<img loading=lazy src='/image?n=1' width=300 height=100 style='display:block'>"
    inside += f"<footer style='height:200px;background:#{YELLOW}'>Sparrow Goods</footer>"
    result = have(live, site.serve(f"/inner-{kind}", INNER[kind].format(inside), PLAIN), viewport)
    whole = stripes(result, "full_page")
    box = result.artifacts["full_page"].box
    assert box
    height = box.height
    assert whole[-1] == (YELLOW, 200)
    assert height == pytest.approx(4 * 800 + 100 + 200 + (50 if kind == "fixed" else 0), abs=3)
    found = PageFacts.model_validate_json(pixels(result, "facts"))
    assert found.page_height == pytest.approx(height, abs=2)
    assert next(e.box.y for e in found.elements if e.heading_level and e.text == "Part 3") >= 2_400
    assert len(result.sections) > 2
    assert result.completeness[0].complete, "the lazy picture inside the box was loaded"


def test_a_box_without_end_is_clamped(live: Live, site: Site) -> None:
    inside = f"<div style='height:60000px;background:#{YELLOW}'>Endless</div>"
    result = have(live, site.serve("/endless-box", INNER["flex"].format(inside), PLAIN))
    box = result.artifacts["full_page"].box
    assert box
    assert 10_000 < box.height <= MAX_CAPTURE_PX


def test_the_first_screen_is_taken_before_the_box_is_opened(live: Live, site: Site) -> None:
    inside = f"{PARTS}"
    result = have(live, site.serve("/before", INNER["flex"].format(inside), PLAIN))
    assert sum(run for _, run in stripes(result, "first_screen")) == DESKTOP.height


def test_a_plain_full_page_opens_the_box_too(live: Live, site: Site) -> None:
    url = site.serve("/plain-box", INNER["flex"].format(PARTS), PLAIN)
    answer = live.shot(url, area="full_page", format="png")
    assert Image.open(io.BytesIO(answer.content), formats=["PNG"]).height == pytest.approx(3_200, abs=2)
