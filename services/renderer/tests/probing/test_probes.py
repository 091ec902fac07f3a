from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.facts import PageFacts
from contracts.outputs import Probe
from renderer.settings import RendererSettings
from tests.fixtures import pages
from tests.fixtures.site import png

from ..conftest import Live, run  # noqa: TID252  # the package's own fixtures

HEAD = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sparrow</title>{head}</head><body>'
Seen = Callable[..., PageFacts]


@pytest.fixture(scope="module")
def seen(scratch: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    root = tmp_path_factory.mktemp("probed")
    (root / "dark.png").write_bytes(png(40, 40, (20, 20, 20)))
    (root / "there.html").write_text("<h1>There</h1>")
    server = pages.serve(root)
    host = f"127.0.0.1:{server.server_port}"
    folder = scratch / "probes"
    folder.mkdir()
    renderer = run(RendererSettings(egress_allow_private=host, renderer_scratch=folder, renderer_slots=1))

    def look(body: str, *probes: Probe, head: str = "") -> PageFacts:
        (root / "index.html").write_text(HEAD.format(head=head) + body)
        return _facts(renderer, f"http://{host}/index.html", probes)

    yield look
    renderer.stop()
    server.shutdown()
    server.server_close()


def _facts(renderer: Live, url: str, probes: tuple[Probe, ...]) -> PageFacts:
    output: dict[str, Any] = {"kind": "facts", "name": "facts", "probes": list(probes)}
    answer = renderer.post(
        {"url": url, "outputs": [output], "budget_ms": 40_000, "settle": {"quiet_ms": 300, "max_ms": 3_000}}
    )
    assert answer.status_code == 200, answer.text
    return PageFacts.model_validate_json(answer.content)


def test_without_probes_nothing_is_tried(seen: Seen) -> None:
    facts = seen("<h1>Calm</h1><a href='/there.html' style='background:#06c;padding:9px'>Go</a>")
    assert facts.axe is None
    assert facts.motion is None
    assert {element.link.status for element in facts.elements if element.link} == {0}


def test_axe_names_our_elements(seen: Seen) -> None:
    facts = seen("<form><input id='mail' type='email'></form><img src='/dark.png'><p>Words</p>", Probe.AXE)
    assert facts.axe is not None
    assert facts.axe.complete
    assert facts.axe.version == "4.14.1"
    checks = {check.id: check for check in facts.axe.checks}
    ids = {element.selector: element.id for element in facts.elements}
    assert [target.element_id for target in checks["label"].targets] == [ids["#mail"]]
    assert checks["label"].impact == "critical"
    assert checks["image-alt"].violations == 1
    assert checks["html-has-lang"].violations == 0


def test_axe_leaves_pages_beyond_its_size_alone(seen: Seen) -> None:
    facts = seen("<i>x</i> " * 6_100, Probe.AXE)
    assert facts.axe is None
    assert facts.text_stats.words > 6_000


def test_text_on_a_photograph_is_measured_against_its_pixels(seen: Seen) -> None:
    hero = "<div style='background:url(/dark.png) center/cover;padding:80px'>{}</div>"
    words = "<h1 style='color:#fff'>Readable words</h1><p style='color:#444'>Words that hardly anybody can read</p>"
    facts = seen(hero.format(words), Probe.CONTRAST)
    ratios = {e.text: e.style.contrast for e in facts.elements if e.style and e.style.contrast_estimated}
    assert ratios["Readable words"] == pytest.approx(18.4, abs=0.3)
    assert ratios["Words that hardly anybody can read"] == pytest.approx(1.89, abs=0.05)
    assert facts.text_stats.characters_on_image_failing_aa == len("Words that hardly anybody can read")


def test_the_letters_come_back(seen: Seen) -> None:
    hero = "<div style='background:url(/dark.png) center/cover;padding:80px'><h1 style='color:#fff'>Words</h1></div>"
    facts = seen(hero, Probe.CONTRAST, Probe.AXE)
    assert facts.axe is not None
    assert [element.style.color for element in facts.elements if element.style and element.tag == "h1"] == ["#ffffff"]


def test_the_main_links_and_the_preview_picture_are_tried(seen: Seen) -> None:
    button = "<a href='{}' style='background:#06c;color:#fff;padding:9px'>Act</a> "
    head = '<meta property="og:image" content="http://127.0.0.1:9/gone.png">'
    addresses = ("/there.html", "/gone.html", "/logout", "https://elsewhere.test/")
    body = "".join(button.format(one) for one in addresses) + "<a href='/gone.html?plain'>plain</a>"
    facts = seen(body, Probe.TARGETS, head=head)
    statuses = [element.link.status for element in facts.elements if element.link]
    assert statuses == [200, 404, 0, 0, 0]
    assert facts.meta.og_image_loads is False


def test_a_calm_page_is_not_watched(seen: Seen) -> None:
    style = "<style>@keyframes a{to{opacity:.9}} h1{animation:a 1s} img{animation:a 9s infinite;width:9px}</style>"
    motion = seen(f"{style}<h1>Calm</h1><img src='/dark.png' alt=''>", Probe.MOTION).motion
    assert motion is not None
    assert motion.suspected == []
    assert motion.changed is None


def test_endless_movement_is_seen_and_sound_is_noted(seen: Seen) -> None:
    style = "<style>@keyframes a{from{margin-left:0}to{margin-left:900px}} .m{animation:a 7s infinite;background:#c00;"
    style += "width:300px;height:300px}</style>"
    audio = "<audio id='loud' autoplay src='/song.mp3'></audio><audio autoplay muted src='/quiet.mp3'></audio>"
    motion = seen(f"{style}<div class='m'></div>{audio}", Probe.MOTION).motion
    assert motion is not None
    assert motion.suspected == ["animation"]
    assert motion.changed is not None
    assert motion.changed > 0.05
    assert motion.interval_ms == 6_000
    assert (motion.sounding, motion.sounding_selectors) == (1, ["audio#loud"])


def test_web_vitals_name_what_they_are_due_to(seen: Seen) -> None:
    performance = seen(
        "<h1 id='big' style='font-size:80px'>The largest words on this page</h1><p>small</p>"
    ).performance
    assert performance.largest_contentful_paint_ms is not None
    assert performance.largest_contentful_paint_selector.endswith("#big")
    assert performance.largest_contentful_paint_ms is not None
    assert performance.interaction_to_next_paint_ms is None
    assert not performance.reserved


def test_pages_that_shadow_what_probes_use_cost_nothing_but_the_probe(seen: Seen) -> None:
    clobbers = "".join(f"<img name='{name}' alt=''>" for name in ("querySelectorAll", "getAnimations", "querySelector"))
    facts = seen(f"<h1>Still here</h1>{clobbers}<form><input name='nodeName'><input name='children'></form>", *Probe)
    assert "Still here" in facts.text
