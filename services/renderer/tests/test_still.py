"""What moves stands still in pictures: the first and the last of a job show the same moment."""

import io

import pytest
from PIL import Image, ImageChops

from contracts.geometry import DESKTOP
from contracts.render import RenderResult
from tests.fixtures.site import Site

from .conftest import Live, pixels

BOX = "<div id=box style='width:100px;height:100px;background:#000'></div>"
PARTS = "".join(f"<section style='height:600px'><h2>Part {n}</h2><p>{'Words. ' * 40}</p></section>" for n in range(3))
MOVERS = {
    "css": f"<style>@keyframes m{{to{{margin-left:900px}}}}#box{{animation:m 1s linear infinite}}</style>{BOX}",
    "waapi": f"{BOX}<script>box.animate([{{marginLeft:0}},{{marginLeft:'900px'}}],"
    "{duration:900,iterations:Infinity})</script>",
    "shadow": "<div id=host style='height:100px'></div><script>host.attachShadow({mode:'open'}).innerHTML ="
    "'<style>@keyframes m{to{margin-left:900px}}i{display:block;width:90px;height:90px;background:#000;"
    "animation:m 1s infinite}</style><i></i>'</script>",
    "timer": f"{BOX}<script>setInterval(() => box.style.marginLeft = Math.random() * 900 + 'px', 15)</script>",
    "frames": "<canvas id=c width=900 height=100></canvas><script>const pen = c.getContext('2d');(function f() {"
    "pen.clearRect(0,0,900,100);pen.fillRect(Math.random()*800,0,90,90);requestAnimationFrame(f)})()</script>",
    "carousel": f"<div style='overflow:hidden'>{BOX}</div><script>let n=0;setInterval(() => {{box.style.transition="
    "'margin 1s';box.style.marginLeft=(++n%9)*100+'px'},120)</script>",
    # of whole pixels: half a pixel is drawn one way by the compositor and another way by the page
    "marquee": "<marquee scrollamount=60 truespeed scrolldelay=1>"
    "<b style='background:#000;display:inline-block;width:90px'>Sale today</b></marquee>",
}


@pytest.mark.parametrize("kind", MOVERS)
def test_nothing_moves_between_two_pictures(live: Live, site: Site, kind: str) -> None:
    shown = {"kind": "screenshot", "viewport": DESKTOP.model_dump(), "format": "png", "area": "full_page"}
    outputs: list[dict[str, object]] = [{**shown, "name": f"full.{number}"} for number in range(4)]
    outputs.append({"kind": "facts", "name": "facts"})
    answer = live.post({"url": site.serve(f"/moves-{kind}", MOVERS[kind] + PARTS), "outputs": outputs})
    result = RenderResult.model_validate_json(answer.content)
    pictures = [Image.open(io.BytesIO(pixels(result, f"full.{number}"))).convert("RGB") for number in range(4)]
    assert all(ImageChops.difference(pictures[0], other).getbbox() is None for other in pictures[1:])


def test_a_reveal_ends_where_it_was_heading(live: Live, site: Site) -> None:
    body = "<style>@keyframes in{from{background:#f00}to{background:#0f0}}#box{animation:in 60s both}</style>" + BOX
    result = live.analyse(site.serve("/heads", body + PARTS), {"desktop": DESKTOP})
    whole = Image.open(io.BytesIO(pixels(result, "desktop.full_page"))).convert("RGB")
    assert whole.getpixel((50, 50)) == pytest.approx((0, 255, 0), abs=8)


def test_text_for_visitors_without_scripts_stays_away(live: Live, site: Site) -> None:
    body = f"<div>{PARTS}</div><noscript><div style='height:500px'>Turn scripts on</div></noscript>"
    result = live.analyse(site.serve("/noscript", body), {"desktop": DESKTOP})
    box = result.artifacts["desktop.full_page"].box
    assert box
    assert box.height < 2_000
