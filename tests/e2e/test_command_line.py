"""`cro analyze` and the servers as scripts rely on them: exit codes, files, one clear line."""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest

from contracts.result import Analysis
from tests.e2e.conftest import CRO, environment, start, stop
from tests.fixtures.site import Site


def cro(*arguments: str, env: dict[str, str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CRO, *arguments], env=env, cwd=cwd, capture_output=True, text=True, timeout=170, check=False)


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A temporary folder that an unprivileged browser can reach: pytest's own are closed to other users."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_one_page(site: Site, tmp_path: Path) -> None:
    files = {"--json": tmp_path / "report.json", "--html": tmp_path / "deep" / "report.html"}
    options = [part for name, path in files.items() for part in (name, str(path))]
    done = cro("analyze", site.url("/static"), *options, env=environment(site.host), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Sparrow Goods" in done.stdout
    analysis = Analysis.model_validate_json(files["--json"].read_text())
    assert analysis.url.requested == site.url("/static")
    assert files["--html"].read_text().startswith("<!doctype html>")
    assert "\x1b" not in done.stdout, "no colour codes in a pipe"


def test_html_has_a_default_place(site: Site, tmp_path: Path) -> None:
    done = cro("analyze", site.url("/static"), env=environment(site.host), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "reports").glob("*.html"))) == 1


def test_json_to_standard_output_is_json_alone(site: Site, tmp_path: Path) -> None:
    done = cro("analyze", site.url("/static"), "--json", "-", env=environment(site.host), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["schema_version"] == "1.0"


@pytest.mark.parametrize(
    "url", ["", "nonsense", "example.com", "ftp://example.com", "http://10.0.0.5/", "http://no-such-host.invalid/"]
)
def test_bad_addresses_end_with_2_and_one_line(url: str, tmp_path: Path) -> None:
    done = cro("analyze", url, env=environment(), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert lines, "nothing was said"
    assert len([line for line in lines if line.startswith("cro: ")]) == 1, done.stderr
    assert "Traceback" not in done.stderr


def test_a_page_that_answers_404_ends_with_2(site: Site, tmp_path: Path) -> None:
    done = cro("analyze", site.url("/404"), env=environment(site.host), cwd=tmp_path)
    assert (done.returncode, "404" in done.stderr) == (2, True), done.stderr


def test_no_browser_ends_with_1_and_says_what_to_install(site: Site, tmp_path: Path) -> None:
    env = environment(site.host, CHROMIUM_PATH=str(tmp_path / "nothing"))
    done = cro("analyze", site.url("/static"), env=env, cwd=tmp_path)
    assert done.returncode == 1
    assert "CHROMIUM_PATH" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unwritable_file_is_said_before_the_work(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = cro("analyze", site.url("/static"), "--html", str(tmp_path / "file" / "x.html"), env=environment(site.host))
    assert done.returncode == 2
    assert "--html" in done.stderr


def test_serve_refuses_to_listen_elsewhere_without_keys() -> None:
    done = cro("serve", "--host", "0.0.0.0", "--port", "0", env=environment())
    assert done.returncode == 2
    assert "key" in done.stderr


def test_serve_asks_for_keys_where_there_is_a_pepper(tmp_path: Path) -> None:
    env = environment(CRO_DATA=str(tmp_path), API_KEY_PEPPER="0123456789abcdef" * 4, RENDERER_SLOTS="1")
    process, base = start([CRO, "serve", "--port", "0"], env)
    try:
        refused = httpx2.get(f"{base}/v1/tenant", trust_env=False)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
        admin = [sys.executable, "-m", "gateway", "admin", "bootstrap", "My shop"]
        database = {**env, "DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'cro.db'}"}
        made = subprocess.run(admin, env=database, capture_output=True, text=True, timeout=60, check=True)
        bearer = {"authorization": f"Bearer {made.stdout.split()[-1]}"}
        assert httpx2.get(f"{base}/v1/tenant", headers=bearer, trust_env=False).json()["name"] == "My shop"
    finally:
        assert stop(process) == 0


@pytest.mark.parametrize(
    ("arguments", "changes", "status", "said"),
    [
        (["serve", "--port", "70000"], {}, 2, "--port"),
        (["serve"], {"PORT": "seventy"}, 2, "cro: PORT: Input should be a valid integer"),
        (["serve", "--port", "0"], {"CRO_DATA": "/proc/nothing"}, 2, "cro: CRO_DATA: cannot write to /proc/nothing"),
        (["serve", "--port", "0"], {"EGRESS_ALLOW_PRIVATE": "http://a.test"}, 2, "cro: EGRESS_ALLOW_PRIVATE: “http"),
        (["doctor"], {"PORT": "-1"}, 2, "cro: PORT: Input should be greater"),
        (["batch", "run", "urls.txt", "--out", "/proc/out.ndjson"], {}, 1, "cro: No such file or directory: /proc/"),
    ],
)
def test_what_cannot_be_is_named_without_a_trace(
    arguments: list[str], changes: dict[str, str], status: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / "urls.txt").write_text("https://shop.test/\n")
    done = cro(*arguments, env={**environment(), **changes}, cwd=tmp_path)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(("module", "name"), [("gateway", "PORT"), ("analyzer", "PORT"), ("renderer", "PORT")])
def test_services_name_settings_that_cannot_be(module: str, name: str) -> None:
    command = [sys.executable, "-m", module, *(["api"] if module == "gateway" else [])]
    env = {**environment(), name: "seventy"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"{name}: Input should be a valid integer" in line


def test_serve_refuses_a_port_in_use(site: Site, tmp_path: Path) -> None:
    port = site.host.split(":")[1]
    done = cro("serve", "--port", port, env=environment(CRO_DATA=str(tmp_path)))
    assert done.returncode == 1
    assert port in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_serve_stops_cleanly(sign: signal.Signals, tmp_path: Path, scratch: Path) -> None:
    env = environment(CRO_DATA=str(tmp_path / "data"), TMPDIR=str(scratch), RENDERER_SLOTS="1")
    process, base = start([CRO, "serve", "--port", "0"], env)
    assert httpx2.get(f"{base}/readyz", trust_env=False).status_code == 200
    assert httpx2.get(f"{base}/docs", trust_env=False).status_code == 200
    children = psutil.Process(process.pid).children(recursive=True)
    assert stop(process, sign) == 0
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
    assert list(scratch.iterdir()) == []


def test_renderer_answers_with_the_bytes(site: Site) -> None:
    env = environment(site.host, PORT="0", RENDERER_SLOTS="1")
    process, base = start([sys.executable, "-m", "renderer"], env)
    viewport = {"width": 1920, "height": 1080}
    output = {"kind": "screenshot", "format": "jpeg", "quality": 80, "viewport": viewport}
    body = {"url": site.url("/static"), "outputs": [output]}
    answer = httpx2.post(f"{base}/render", json=body, timeout=60, trust_env=False)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content.startswith(b"\xff\xd8")
    assert stop(process) == 0


def test_analyze_leaves_nothing_behind(site: Site, tmp_path: Path, scratch: Path) -> None:
    before = {process.pid for process in psutil.process_iter()}
    done = cro("analyze", site.url("/static"), env=environment(site.host, TMPDIR=str(scratch)), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(scratch.iterdir()) == []
    left = [p for p in psutil.process_iter(["cmdline"]) if p.pid not in before and str(scratch) in str(p.info)]
    assert left == []


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_analyze_can_be_interrupted(site: Site, tmp_path: Path, scratch: Path, sign: signal.Signals) -> None:
    env = environment(site.host, TMPDIR=str(scratch))
    # As a shell without job control starts what it is told to run in the background.
    command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", CRO, "analyze", site.url("/spin")]
    process = subprocess.Popen(command, env=env, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "photographing" in line:
            break
    children = psutil.Process(process.pid).children(recursive=True)
    assert children, "the browser runs"
    process.send_signal(sign)
    rest = process.stderr.read()
    assert process.wait(40) == 130
    process.stderr.close()
    assert "cro: stopped" in rest
    assert "Traceback" not in rest
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
    assert list(scratch.iterdir()) == []
