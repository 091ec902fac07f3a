"""One whole render for an analysis (two viewports, sections, facts): where its time goes."""

import statistics

import httpx2

from tests.bench.contenders import renderer
from tests.fixtures import pages

_DESKTOP = {"width": 1440, "height": 900}
_PHONE = {"width": 390, "height": 844, "device_scale_factor": 2, "mobile": True}
_PHASES = ("open", "goto", "settle", "facts", "capture", "upload", "total", "browser", "own")


def _outputs() -> list[dict[str, object]]:
    outputs: list[dict[str, object]] = []
    for name, viewport in (("desktop", _DESKTOP), ("mobile", _PHONE)):
        outputs += [
            {"kind": "screenshot", "name": f"{area}.{name}", "area": area, "viewport": viewport}
            for area in ("first_screen", "full_page", "sections")
        ]
        outputs.append({"kind": "facts", "name": f"facts.{name}", "viewport": viewport})
    return outputs


async def profile(renders: int) -> list[str]:
    """Render the six pages in turn, one at a time, and give the median of each phase."""
    for name in pages.PACKAGES:
        pages.fetch(name)
    server = pages.serve(pages.CACHE)
    host = f"127.0.0.1:{server.server_port}"
    urls = [f"http://{host}/{name}/index.html" for name in pages.PACKAGES]
    timings: list[dict[str, float]] = []
    async with renderer(host, 1) as contender:
        await contender.shoot(urls[0])
        async with httpx2.AsyncClient(base_url=contender.base, timeout=120, trust_env=False) as client:
            for index in range(renders):
                body = {"url": urls[index % len(urls)], "outputs": _outputs()}
                answer = await client.post("/render", json=body)
                answer.raise_for_status()
                timings.append(answer.json()["timings"])
    server.shutdown()
    server.server_close()
    medians = {phase: statistics.median(t[f"{phase}_ms"] for t in timings) for phase in _PHASES}
    lines = [f"### Warm render for an analysis, one at a time ({renders} renders of six pages, median ms)", ""]
    lines += ["| " + " | ".join(_PHASES) + " |", "|" + "---|" * len(_PHASES)]
    lines += ["| " + " | ".join(f"{medians[phase]:.0f}" for phase in _PHASES) + " |", ""]
    share = statistics.median(t["own_ms"] / t["total_ms"] for t in timings)
    return [*lines, f"- time beyond Chromium's own: {share:.1%} of the total (median)", ""]
