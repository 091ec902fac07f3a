"""The library against real processes: the API, a worker, and a fleet that answers at once."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from PIL import Image

from cro_analyzer import AsyncClient, Client, errors
from cro_analyzer.asking import Output
from tests.fixtures import programs
from tests.fixtures.accounts import PEPPER
from tests.fixtures.fleet import JPEG, Fleet, served

README = Path("sdk/README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
BATCHES_ARE_SERVED = '"/v1/batches"' in Path("docs/openapi.json").read_text(encoding="utf-8")
PAGE = "https://shop.test/"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="module")
def environment(folder: Path) -> Iterator[dict[str, str]]:
    fleet = Fleet()
    with served(fleet.renderer()) as renderer, served(fleet.analyzer()) as analyzer:
        yield {
            "DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'cro.db'}",
            "BLOBS_URL": f"file://{folder / 'blobs'}",
            "RENDERER_URL": renderer,
            "ANALYZER_URL": analyzer,
            "PORT": "0",
            "LOG_LEVEL": "WARNING",
            "NO_PROXY": "127.0.0.1",
            "EGRESS_ALLOW_PRIVATE": "shop.test,example.com,example.org",
        }


@pytest.fixture(scope="module")
def origin(environment: dict[str, str], folder: Path) -> Iterator[str]:
    """Where the API is; callers need no key."""
    with programs.running("api", environment, folder / "api.log") as api:
        working = {**environment, "BLOBS_BASE_URL": api.origin}
        with programs.running("worker", working, folder / "worker.log"):
            yield api.origin


@pytest.fixture
def client(origin: str) -> Iterator[Client]:
    with Client("", origin) as client:
        yield client


def test_a_report_in_one_call(client: Client) -> None:
    report = client.analyze(PAGE, preset="rules")
    assert (report.url.final, report.scores.overall) == (PAGE, 80)


def test_an_analysis_in_steps(client: Client) -> None:
    analysis = client.analyses.create(f"{PAGE}steps", preset="rules", store=False)
    seen = [event.status for event in client.analyses.events(analysis.id)]
    assert seen[-1] == "succeeded"
    done = client.analyses.wait(analysis.id, timeout_s=60)
    assert done.result is not None
    assert done.result.capture.assets[0].w == 1440
    assert client.analyses.get(analysis.id) == done
    assert analysis.id in [one.id for one in client.analyses.list()]
    assert client.analyses.report(analysis.id).startswith("<!doctype html>")
    assert analysis.id.encode() in client.analyses.document(analysis.id)
    other = client.analyses.create(f"{PAGE}steps", preset="rules", refresh=True, wait=60)
    assert client.analyses.compare(analysis.id, other.id).url == f"{PAGE}steps"
    client.analyses.delete(analysis.id)
    with pytest.raises(errors.NotFoundError):
        client.analyses.get(analysis.id)


def test_the_model_in_bulk(client: Client) -> None:
    analysis = client.analyses.create(f"{PAGE}bulk", preset="standard", ai="bulk", wait=60)
    assert analysis.status == "succeeded"
    with pytest.raises(errors.InvalidRequestError) as refused:
        client.analyses.create(f"{PAGE}bulk", preset="rules", ai="bulk")
    assert [one.field for one in refused.value.errors] == ["ai"]
    last = list(client.analyses.events(analysis.id, enriched=True))[-1]
    assert (last.status, last.ai_pending) == ("succeeded", False)


def test_a_key_of_the_callers_own_makes_one_analysis(client: Client) -> None:
    made = {client.analyses.create(f"{PAGE}once", idempotency_key="order-1").id for _ in range(3)}
    assert len(made) == 1
    with pytest.raises(errors.IdempotencyMismatchError):
        client.analyses.create(f"{PAGE}other", idempotency_key="order-1")


def test_a_capture_and_its_contents(client: Client) -> None:
    outputs: list[Output] = [{"kind": "screenshot", "area": "full_page"}, {"kind": "html"}, {"kind": "markdown"}]
    capture = client.capture(PAGE, outputs=outputs, tier="browser", visit={"locale": "de-CH"})
    assert capture.result is not None
    assert set(capture.result.artifacts) == {"screenshot", "html", "markdown"}
    assert client.captures.content(capture.id, "screenshot") == JPEG
    assert client.captures.content(capture.id, "markdown").decode() == "# Shop – naïve"
    assert capture.result.artifacts["html"].links.href.endswith("/artifacts/html")
    assert [event.status for event in client.captures.events(capture.id)] == ["succeeded"]
    assert capture.id in [one.id for one in client.captures.list()]
    client.captures.delete(capture.id)


def test_what_is_wrong_is_said_by_its_class(client: Client) -> None:
    with pytest.raises(errors.UrlForbiddenError):
        client.analyze("http://127.0.0.1:1/")
    with pytest.raises(errors.InvalidRequestError) as caught:
        client.captures.create(PAGE, outputs=[{"kind": "screenshot", "quality": 900}])
    assert [one.field for one in caught.value.errors] == ["outputs.0.screenshot.quality"]
    assert caught.value.request_id
    with pytest.raises(errors.NotFoundError):
        list(client.analyses.events("an_none"))


def test_a_picture_is_analysed(client: Client, tmp_path: Path) -> None:
    shot = tmp_path / "checkout.png"
    Image.new("RGB", (1200, 2000), "navy").save(shot)
    assert "checkout" in client.upload_image(shot, preset="rules").url.requested
    Image.new("RGB", (1200, 2000), "red").save(shot)
    assert client.upload_image(shot.read_bytes(), name="basket", preset="rules").url.requested == "upload:basket"


def test_usage_account_and_log(client: Client) -> None:
    client.analyze(PAGE, preset="rules")
    assert client.usage().total.accepted >= 1
    assert client.tenant().plan.max_batch >= 1
    assert "POST /v1/analyses" in [one.action for one in client.audit()]


@pytest.mark.anyio
async def test_the_same_with_asyncio(origin: str, tmp_path: Path) -> None:
    shot = tmp_path / "shot.png"
    await asyncio.to_thread(Image.new("RGB", (1200, 900), "navy").save, shot)
    async with AsyncClient("", origin) as client:
        one, other, picture = await asyncio.gather(
            client.analyze(f"{PAGE}a", preset="rules"),
            client.capture(f"{PAGE}b", outputs=[{"kind": "html"}]),
            client.upload_image(shot, preset="rules"),
        )
        assert (one.scores.overall, picture.scores.overall) == (80, 80)
        assert [event.status async for event in client.captures.events(other.id)] == ["succeeded"]
        assert await client.captures.content(other.id, "html")
        assert other.id in [found.id async for found in client.captures.list()]
        with pytest.raises(errors.UrlForbiddenError):
            await client.analyze("http://10.0.0.1/")


def test_keys(environment: dict[str, str], folder: Path) -> None:
    guarded = {**environment, "DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'keys.db'}", "API_KEY_PEPPER": PEPPER}
    made = subprocess.run(
        [sys.executable, "-m", "gateway", "admin", "bootstrap", "shop"],
        env={**os.environ, **guarded},
        capture_output=True,
        text=True,
        check=True,
    )
    key = re.findall(r"cro_live_\S+", made.stdout)[0]
    with programs.running("api", guarded) as api, Client(key, api.origin) as client:
        fresh = client.keys.create("n8n", ["usage:read"], expires_in_s=3_600)
        with Client(fresh.key, api.origin) as limited:
            assert limited.tenant().key_id == fresh.id
            with pytest.raises(errors.ForbiddenError):
                limited.analyses.create(PAGE)
        assert client.set_thresholds({"hero.density": {"warn": 150}}) == {"hero.density": {"warn": 150}}
        assert client.tenant().thresholds == {"hero.density": {"warn": 150}}
        with pytest.raises(errors.InvalidRequestError):
            client.set_thresholds({"hero.nothing": {"warn": 1}})
        assert client.set_thresholds({}) == {}
        turned = client.keys.rotate(fresh.id, grace_s=0)
        assert turned.replaces == fresh.id
        client.keys.revoke(turned.id)
        assert {one.id: one.active for one in client.keys.list()}[turned.id] is False
        assert client.keys.get(turned.id).revoked_at is not None
        with Client("", api.origin) as nobody, pytest.raises(errors.UnauthenticatedError):
            nobody.usage()


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_runs(example: str, origin: str, tmp_path: Path) -> None:
    if ("batch" in example) and not BATCHES_ARE_SERVED:
        pytest.skip("batches are not served yet")
    Image.new("RGB", (1200, 900), "navy").save(tmp_path / "shot.png")
    env = {**os.environ, "CRO_API_URL": origin, "NO_PROXY": "127.0.0.1"}
    (tmp_path / "example.py").write_text(example)
    command = [sys.executable, "-W", "error", "example.py"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_the_examples_are_typed(tmp_path: Path) -> None:
    for number, example in enumerate(EXAMPLES):
        (tmp_path / f"example_{number}.py").write_text(example)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull, str(tmp_path)]
    env = {**os.environ, "MYPYPATH": str(Path("sdk").absolute())}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stdout


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    return found or pytest.skip("uv, which `make setup` installs, builds the wheel")


def _closure(name: str) -> set[str]:
    """Return a distribution and all that it needs."""
    needed, open_ = set[str](), [name]
    while open_:
        one = open_.pop()
        if one in needed:
            continue
        needed.add(one)
        wanted = [line for line in metadata.requires(one) or [] if "extra ==" not in line]
        names = [re.split(r"[ ;<>=!~\[(]", line)[0] for line in wanted]
        open_ += [one for one in names if any(metadata.distributions(name=one))]
    return needed


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and its one dependency, and nothing of ours beside it."""
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run([_uv(), "build", "-q", "--offline", "--wheel", "sdk", "-o", str(folder)], check=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    for name in _closure("httpx2"):
        for file in metadata.files(name) or []:
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), packages / file)
    return folder / "venv" / "bin" / "python"


_ALONE = """
import importlib.util, sys
assert [name for name in ("pydantic", "typer", "contracts", "gateway") if importlib.util.find_spec(name)] == []
import cro_analyzer
assert "venv" in cro_analyzer.__file__, cro_analyzer.__file__
assert all(hasattr(cro_analyzer, name) for name in cro_analyzer.__all__)
with cro_analyzer.Client() as client:
    print(client.analyze("https://shop.test/alone", preset="rules").scores.overall)
"""


def test_the_wheel_works_alone(alone: Path, origin: str, tmp_path: Path) -> None:
    env = {"CRO_API_URL": origin, "NO_PROXY": "127.0.0.1", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [str(alone), "-W", "error", "-c", _ALONE], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "80\n"), done.stderr


def test_the_command_says_what_it_lacks(alone: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(alone), "-m", "cro_analyzer", "keys"], cwd=tmp_path, env={}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "cro-analyzer[cli]" in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr


def test_the_wheel_says_that_it_is_typed(alone: Path) -> None:
    assert list((alone.parents[1] / "lib").glob("python*/site-packages/cro_analyzer/py.typed"))
