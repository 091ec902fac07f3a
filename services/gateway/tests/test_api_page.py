"""The lines of docs/api.md, run by curl against a gateway as they stand."""

import asyncio
import json
import re
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn
from PIL import Image

from tests.fixtures.fleet import JPEG
from tests.fixtures.gateway import Platform

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]

PAGE = Path(__file__).parents[3] / "docs" / "api.md"
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
async def origin(working: Platform) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(working.app, log_config=None, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve([listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task


async def shell(script: str, origin: str, folder: Path, **variables: str) -> bytes:
    local = script.replace("http://127.0.0.1:8000", origin)
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "NO_PROXY": "*", **variables}
    process = await asyncio.create_subprocess_exec(
        "sh", "-ec", local, cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, (script, out, err)
    return out


async def test_every_line_works(origin: str, working: Platform, tmp_path: Path) -> None:
    assert len(BLOCKS) == 15
    assert all(line.startswith(("curl", " ", "}", "  ")) for block in BLOCKS for line in block.splitlines())
    answers = [await shell(block, origin, tmp_path) for block in BLOCKS[:6]]
    assert (tmp_path / "page.png").read_bytes() == JPEG, "the made-up picture"
    assert answers[1].startswith(b"# Shop")
    several, visited, static, listed = (json.loads(answer) for answer in answers[2:])
    assert [one["status"] for one in (several, visited, static)] == ["succeeded"] * 3
    assert {"phone", "tiles.1", "pdf", "html", "markdown"} <= set(several["result"]["artifacts"])
    assert visited["asked"]["withheld"] == ["auth", "cookies", "headers"]
    assert len(listed["data"]) == 5
    await shell(BLOCKS[6], origin, tmp_path, ID=visited["id"])
    assert (tmp_path / "screenshot.jpg").read_bytes() == JPEG
    assert (await working.http.get(f"/v1/captures/{visited['id']}")).status_code == 404


async def test_the_lines_about_the_account_work(origin: str, tmp_path: Path) -> None:
    (block,) = [block for block in BLOCKS if "/v1/tenant" in block]
    answers = [json.loads(await shell(line, origin, tmp_path)) for line in block.splitlines()]
    assert answers[0]["plan"]["name"] == "local"
    assert [sorted(answer) for answer in answers[1:]] == [
        ["data", "total"],
        ["data", "next_cursor"],
        ["data", "next_cursor"],
    ]


async def test_asking_again_works(origin: str, tmp_path: Path) -> None:
    first = next(number for number, block in enumerate(BLOCKS) if "order-4711" in block)
    keyed, followed, conditional, sent, deleted = BLOCKS[first : first + 5]
    answers = [json.loads(await shell(keyed, origin, tmp_path)) for _ in range(2)]
    assert answers[0] == answers[1]
    job_id = answers[0]["id"]
    events = (await shell(followed, origin, tmp_path, ID=job_id)).decode()
    assert "event: analysis.succeeded" in events
    read = (await shell(conditional, origin, tmp_path, ID=job_id)).decode()
    assert '"status":"succeeded"' in read
    assert "text/html" in read
    Image.new("RGB", (60, 40)).save(tmp_path / "shot.png")
    assert json.loads(await shell(sent, origin, tmp_path))["url"] == "upload:checkout"
    assert await shell(deleted, origin, tmp_path, ID=job_id) == b""


async def test_the_lines_about_batches_work(origin: str, tmp_path: Path) -> None:
    (block,) = [block for block in BLOCKS if "/v1/batches" in block]
    first, again = [json.loads(await shell(block, origin, tmp_path)) for _ in range(2)]
    assert first["counts"]["total"] == 2
    assert again["id"] == first["id"]


async def test_the_lines_about_health_work(origin: str, tmp_path: Path) -> None:
    (block,) = [block for block in BLOCKS if "/livez" in block]
    answers = [json.loads(await shell(line, origin, tmp_path)) for line in block.splitlines()]
    assert [answer["status"] for answer in answers[:3]] == ["alive", "ready", "healthy"]
    assert "total_requests" in answers[3]
