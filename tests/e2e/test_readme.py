"""What README.md, docs/api.md and sdk/README.md print, typed as it stands: only the hosts are those of the test."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.e2e.conftest import environment, start, stop
from tests.fixtures.pages import Pages
from tests.fixtures.site import Site

ROOT = Path(__file__).parents[2]
FRONT = (ROOT / "README.md").read_text(encoding="utf-8")
API = (ROOT / "docs/api.md").read_text(encoding="utf-8")
LIBRARY = (ROOT / "sdk/README.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")


def blocks(page: str, language: str, word: str) -> list[str]:
    found = [one for one in re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL) if word in one]
    assert found, f"no block of {language} with {word}: has the page changed?"
    return found


def typed(block: str, folder: Path, served: httpx2.Client, page: str) -> subprocess.CompletedProcess[str]:
    """Run a block in a shell whose `cro` and `python` are ours."""
    origin = str(served.base_url).rstrip("/")
    local = block.replace("https://example.com/", page).replace("http://127.0.0.1:8000", origin)
    env = environment(CRO_API_URL=origin, PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    done = subprocess.run(
        ["sh", "-ec", local], cwd=folder, env=env, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, (local, done.stderr)
    return done


def test_every_block_of_the_front_page_is_known() -> None:
    languages = re.findall(r"```(\w+)\n(.*?)```", FRONT, re.DOTALL)
    unknown = [
        block
        for language, block in languages
        if language != "python" and not re.match(r"(EGRESS_ALLOW_PRIVATE=\S+ )?make |curl ", block)
    ]
    assert unknown == [], "run it here as well"
    targets = set(re.findall(r"\bmake ([a-z-]+)", FRONT))
    assert targets <= set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_curl_has_a_report_and_a_picture(served: httpx2.Client, pages: Pages, tmp_path: Path) -> None:
    page = pages.urls["agency"]
    (report,) = blocks(FRONT, "sh", "/v1/analyses")
    assert json.loads(typed(report, tmp_path, served, page).stdout)["status"] == "succeeded"
    (picture,) = blocks(FRONT, "sh", "/v1/captures")
    typed(picture, tmp_path, served, page)
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_captures_are_taken_by_a_real_browser(served: httpx2.Client, pages: Pages, tmp_path: Path) -> None:
    waiting = [one for one in blocks(API, "sh", "/v1/captures -H") if "wait" in one]
    assert len(waiting) == 3
    for block in waiting:
        answer = json.loads(typed(block, tmp_path, served, pages.urls["agency"]).stdout)
        assert answer["status"] == "succeeded", answer["error"]


def test_python_has_a_score(served: httpx2.Client, pages: Pages, tmp_path: Path) -> None:
    (example,) = blocks(FRONT, "python", "analyze")
    done = typed(f"python - <<'END'\n{example}END\n", tmp_path, served, pages.urls["agency"])
    assert 0 < int(done.stdout) <= 100


def test_the_commands_of_the_library(served: httpx2.Client, pages: Pages, tmp_path: Path) -> None:
    page = pages.urls["agency"]
    (tmp_path / "urls.txt").write_text(f"{page}\n")
    (block,) = blocks(LIBRARY, "sh", "cro batch run")
    lines = [line for line in block.splitlines() if not line.startswith("cro keys ")]
    assert len(lines) == 5, "keys are tested where there are some"
    typed("\n".join(lines), tmp_path, served, page)
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
    (line,) = (tmp_path / "results.ndjson").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["status"] == "succeeded"
    assert len(list((tmp_path / "pages").iterdir())) == 1


def test_the_renderer_alone(site: Site, tmp_path: Path) -> None:
    (block,) = blocks(FRONT, "sh", "/render")
    process, base = start([sys.executable, "-m", "renderer"], environment(site.host, PORT="0", RENDERER_SLOTS="1"))
    try:
        local = block.replace("http://127.0.0.1:9000", base).replace("https://example.com/", site.url("/static"))
        subprocess.run(["sh", "-ec", local], cwd=tmp_path, env={**os.environ, "NO_PROXY": "*"}, timeout=60, check=True)
    finally:
        assert stop(process) == 0
    assert (tmp_path / "page.jpg").read_bytes().startswith(b"\xff\xd8")
