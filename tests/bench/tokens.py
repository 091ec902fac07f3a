"""Input tokens of one page as we ask about it, against the naive way: `python -m tests.bench tokens`.

By our own arithmetic. The naive way sends the desktop screenshot of the whole page and its raw HTML with one call for
each desktop section, and a short task; ours holds the desktop and the phone.
Rubric and schema are counted in full for ours, although the provider caches them after the first page.
"""

import asyncio
import base64
from dataclasses import dataclass

import httpx2

from analyzer import facts_json
from analyzer.asking import judged_page
from analyzer.judged import JudgedPage
from analyzer.judging import estimates, fact_table, memos, pictures, prices, prompts
from analyzer.judging.claude import Claude
from analyzer.judging.settings import ClaudeSettings
from analyzer.measured import Pixels, measure, section_ids
from analyzer.rules import policy
from analyzer.subject import Subject
from contracts.analyze import AnalyzeRequest
from contracts.geometry import VIEWPORTS, ViewportName
from contracts.render import RenderResult
from tests.bench.contenders import renderer
from tests.fixtures import pages

MODEL = "claude-sonnet-5-5"
TASK = "Review this section of the landing page for conversion problems and list them as JSON."


@dataclass(frozen=True)
class Count:
    """One page's input tokens, and whether a second render of it gives the same key for its answer."""

    name: str
    sections: int
    ours: int
    of_pictures: int
    of_rubric: int
    naive: int
    same: bool


def _outputs() -> list[dict[str, object]]:
    wanted: list[dict[str, object]] = []
    for name, viewport in VIEWPORTS.items():
        shown = viewport.model_dump()
        picture = {"kind": "screenshot", "format": "jpeg", "viewport": shown}
        wanted += [{**picture, "name": f"{area}.{name}", "area": area} for area in ("full_page", "sections")]
        wanted.append({"kind": "facts", "name": f"facts.{name}", "viewport": shown})
    return wanted


def _content(render: RenderResult, name: str) -> bytes:
    return base64.b64decode(render.artifacts[name].data or "")


def _page(render: RenderResult) -> JudgedPage:
    numbers = policy.load()
    facts = {name: facts_json.parse(_content(render, f"facts.{name}")) for name in ViewportName}
    measured = measure(facts, Pixels("an_1", tuple(render.sections)), numbers)
    names = zip(section_ids(render.sections), (one.artifact for one in render.sections), strict=True)
    images = {key: _content(render, artifact) for key, artifact in names if artifact in render.artifacts}
    request = AnalyzeRequest(analysis_id="an_1", tenant_id="t", render=render, downloads={})
    return judged_page(request, Subject(measured), images, numbers)


def _naive(render: RenderResult, html: str, calls: int) -> int:
    shot = render.artifacts[f"full_page.{ViewportName.DESKTOP}"]
    size = pictures.fitted(shot.width or 1, shot.height or 1, prices.find(MODEL))
    return calls * (pictures.tokens(*size) + estimates.text_tokens(html) + estimates.text_tokens(TASK))


def _count(name: str, renders: list[RenderResult], claude: Claude) -> Count:
    keys = []
    for render in renders:
        page = _page(render)
        ready = pictures.prepare(
            {one.id: page.images[one.id] for one in fact_table.chosen(page) if one.id in page.images},
            prices.find(MODEL),
            {one.id: one.box.width for one in page.sections},
        )
        prompt = prompts.build(fact_table.build(page, ready), ready, prompts.new_marker(), "t")
        keys.append(memos.key(prompt, memos.Asking("t", page.rules_version, prompts.PROMPT_VERSION, MODEL, "")))
    html = (pages.fetch(name) / "index.html").read_text("utf-8")
    order = claude.order(prompt.answer, MODEL)
    seen = sum(pictures.tokens(one.width, one.height) for one in ready.values())
    fixed = estimates.text_tokens(prompt.rubric)
    desktop = sum(not one.viewport.mobile for one in render.sections)
    ours = estimates.input_tokens(prompt, order)
    return Count(name, desktop, ours, seen, fixed, _naive(render, html, desktop), len(set(keys)) == 1)


async def _rendered(host: str) -> dict[str, list[RenderResult]]:
    async with renderer(host, 1) as contender, httpx2.AsyncClient(timeout=120, trust_env=False) as client:
        found: dict[str, list[RenderResult]] = {}
        for name in pages.PACKAGES:
            body = {"url": f"http://{host}/{name}/index.html", "outputs": _outputs(), "budget_ms": 90_000}
            for _ in range(2):
                answer = (await client.post(f"{contender.base}/render", json=body)).raise_for_status()
                found.setdefault(name, []).append(RenderResult.model_validate_json(answer.content))
        return found


def report() -> list[str]:
    """Render the real pages twice, and count."""
    for name in pages.PACKAGES:
        pages.fetch(name)
    server = pages.serve(pages.CACHE)
    renders = asyncio.run(_rendered(f"127.0.0.1:{server.server_port}"))
    server.shutdown()
    server.server_close()
    claude = Claude(ClaudeSettings())
    counts = [_count(name, taken, claude) for name, taken in renders.items()]
    ours, naive = sum(one.ours for one in counts), sum(one.naive for one in counts)
    return [
        "### Input tokens of one analysis against one call for each section with whole screenshot and HTML",
        "",
        "| page | sections | ours | of it pictures | of it rubric | naive | ours / naive | same key twice |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {one.name} | {one.sections} | {one.ours} | {one.of_pictures} | {one.of_rubric} | {one.naive} | "
            f"{one.ours / one.naive:.2f} | {'yes' if one.same else 'no'} |"
            for one in counts
        ),
        f"| all | | {ours} | | | {naive} | {ours / naive:.2f} (bound 0.50) | |",
        "",
    ]
