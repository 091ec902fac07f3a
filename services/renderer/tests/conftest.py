"""A running renderer, in a thread of its own, with few browsers and short limits."""

import base64
import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

from contracts.geometry import DESKTOP, PHONE, Viewport
from contracts.render import PoolState, RenderResult
from renderer.app import create_app
from renderer.settings import RendererSettings
from tests.fixtures.pages import Pages
from tests.fixtures.shop import Shop
from tests.fixtures.site import Site


@dataclass
class Live:
    """A renderer that answers on loopback."""

    base: str
    scratch: Path
    server: uvicorn.Server
    thread: threading.Thread

    def post(self, body: dict[str, Any], timeout: float = 90) -> httpx2.Response:
        return httpx2.post(f"{self.base}/render", json=body, timeout=timeout, trust_env=False)

    def shot(self, url: str, budget_ms: int = 20_000, **output: Any) -> httpx2.Response:  # noqa: ANN401  # a request body
        output = {"kind": "screenshot", **output}
        return self.post({"url": url, "outputs": [output], "budget_ms": budget_ms})

    def analyse(self, url: str, viewports: dict[str, Viewport] | None = None, **request: Any) -> RenderResult:  # noqa: ANN401
        answer = self.post({"url": url, "outputs": outputs(viewports or BOTH), "budget_ms": 40_000, **request})
        assert answer.status_code == 200, answer.text
        return RenderResult.model_validate_json(answer.content)

    def pids(self) -> list[int]:
        """Return the process ids of the browsers."""
        return [int(path.read_text()) for path in self.scratch.glob("cro-renderer-*/slot-*/pid")]

    def pressure(self) -> PoolState:
        return PoolState.model_validate_json(httpx2.get(f"{self.base}/pressure", trust_env=False).content)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(60)


BOTH = {"desktop": DESKTOP, "mobile": PHONE}


def outputs(viewports: dict[str, Viewport]) -> list[dict[str, Any]]:
    """Ask for everything in each viewport, as an analysis does."""
    wanted: list[dict[str, Any]] = []
    for name, viewport in viewports.items():
        shown = viewport.model_dump()
        wanted += [
            {"kind": "screenshot", "name": f"{name}.{area}", "area": area, "viewport": shown}
            for area in ("first_screen", "full_page", "sections")
        ]
        wanted.append({"kind": "facts", "name": f"{name}.facts", "viewport": shown})
    return wanted


def pixels(result: RenderResult, name: str) -> bytes:
    """Return an inline artifact."""
    data = result.artifacts[name].data
    assert data is not None
    return base64.b64decode(data)


def problem(answer: httpx2.Response) -> str:
    """Return the code of a problem document."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    code: str = json.loads(answer.content)["code"]
    return code


def run(settings: RendererSettings) -> Live:
    """Start a renderer and return once it can take jobs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=port, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.02)
    assert server.started, "the renderer did not start"
    return Live(f"http://127.0.0.1:{port}", settings.renderer_scratch, server, thread)


def settings_for(site: Site, scratch: Path, **more: Any) -> RendererSettings:  # noqa: ANN401  # any setting
    """Return settings that let pages of `site` be opened."""
    values = {"egress_allow_private": site.host, "renderer_scratch": scratch, "renderer_slots": 2, **more}
    return RendererSettings(**values)


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder that Chromium's own user may enter: each run of pytest makes pytest's own folders private again."""
    with tempfile.TemporaryDirectory(prefix="renderer-tests-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def live(site: Site, pages: Pages, scratch: Path) -> Iterator[Live]:
    hosts = f"{site.host},{pages.host}"
    origins = f"http://{site.host}"
    renderer = run(settings_for(site, scratch, egress_allow_private=hosts, renderer_upload_origins=origins))
    yield renderer
    renderer.stop()


@pytest.fixture(scope="session")
def trusting(shop: Shop, scratch: Path) -> Iterator[Live]:
    """A renderer that may open both origins of the shop, and whose callers may write scripts."""
    folder = scratch / "trusting"
    folder.mkdir(exist_ok=True)
    settings = RendererSettings(
        egress_allow_private=",".join(shop.hosts),
        renderer_scratch=folder,
        renderer_slots=1,
        renderer_allow_scripts=True,
    )
    renderer = run(settings)
    yield renderer
    renderer.stop()
