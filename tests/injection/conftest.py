"""The attack pages: taken once by the real renderer, judged as often as a test likes."""

import asyncio
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import pytest

from contracts.geometry import DESKTOP
from contracts.render import RenderResult
from tests.bench.contenders import renderer
from tests.fixtures import pages

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Attack:
    """A page. `reaches`: text, nothing or either, says where `needle` may be in a request."""

    name: str
    html: str
    needle: str
    reaches: str


def attacks() -> list[Attack]:
    files = sorted((HERE / "attacks").glob("*.toml"))
    return [Attack(**row) for file in files for row in tomllib.loads(file.read_text("utf-8"))["page"]]


def _outputs() -> list[dict[str, object]]:
    shown = DESKTOP.model_dump()
    picture = {"kind": "screenshot", "name": "sections.desktop", "area": "sections", "format": "jpeg"}
    return [{**picture, "viewport": shown}, {"kind": "facts", "name": "facts.desktop", "viewport": shown}]


async def _taken(base: str, host: str, names: list[str]) -> dict[str, RenderResult]:
    async with httpx2.AsyncClient(base_url=base, timeout=120, trust_env=False) as client:
        found = {}
        for number, name in enumerate(names):
            body = {"url": f"http://{host}/page-{number}.html?token=s3cr3t", "outputs": _outputs(), "budget_ms": 60_000}
            # The pages are still from the start, and there are many.
            body["settle"] = {"quiet_ms": 0, "max_ms": 1_000, "scroll": False}
            answer = await client.post("/render", json=body)
            assert answer.status_code == 200, answer.text
            found[name] = RenderResult.model_validate_json(answer.content)
        return found


@pytest.fixture(scope="session")
def taken() -> Iterator[dict[str, RenderResult]]:
    """Every attack page as rendered, by its needle."""
    template = (HERE / "template.html").read_text("utf-8")
    with TemporaryDirectory() as folder:
        for number, attack in enumerate(attacks()):
            page = template.replace("<!-- attack -->", attack.html)
            Path(folder, f"page-{number}.html").write_text(page, "utf-8")
        server = pages.serve(Path(folder))
        host = f"127.0.0.1:{server.server_port}"

        async def run() -> dict[str, RenderResult]:
            async with renderer(host, 1) as contender:
                return await _taken(contender.base, host, [attack.needle for attack in attacks()])

        yield asyncio.run(run())
        server.shutdown()
        server.server_close()
