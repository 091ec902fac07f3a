"""Services as processes of their own, with a bucket between them: a real page, real pictures, real signatures."""

import hashlib
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from gateway.migrate import migrate
from tests.e2e.conftest import environment, start, stop
from tests.fixtures import programs
from tests.fixtures.s3 import S3Server
from tests.fixtures.site import Site


@contextmanager
def service(name: str, env: dict[str, str]) -> Iterator[str]:
    process, origin = start([sys.executable, "-m", name], env)
    try:
        yield origin
    finally:
        assert stop(process) == 0


@pytest.mark.timeout(170)
def test_artifacts_go_through_a_bucket(site: Site, versity_server: S3Server, tmp_path: Path) -> None:
    bucket = versity_server.new_bucket()
    url = f"sqlite+aiosqlite:///{tmp_path / 'cro.db'}"
    migrate(url)
    env = environment(site.host, PORT="0", RENDERER_SLOTS="1")
    env |= {"RENDERER_UPLOAD_ORIGINS": versity_server.origin, "ANALYZER_DOWNLOAD_ORIGINS": versity_server.origin}
    with ExitStack() as stack, ThreadPoolExecutor(2) as threads:
        renderer, analyzer = threads.map(lambda name: stack.enter_context(service(name, env)), ("renderer", "analyzer"))
        gateway = env | versity_server.environment(bucket)
        gateway |= {"DATABASE_URL": url, "RENDERER_URL": renderer, "ANALYZER_URL": analyzer, "AUTH": "loopback"}
        gateway |= {"SHUTDOWN_GRACE_SECONDS": "0"}
        api, _ = threads.map(
            lambda name: stack.enter_context(programs.running(name, gateway, tmp_path / "log")), ("api", "worker")
        )
        with httpx2.Client(base_url=api.origin, timeout=150, trust_env=False) as http:
            captured(http, site)
            analysed(http, site)
    assert "X-Amz-Signature" not in (tmp_path / "log").read_text()


def captured(http: httpx2.Client, site: Site) -> None:
    body = {"url": site.url("/static"), "outputs": [{"kind": "screenshot"}, {"kind": "html"}], "wait": 120}
    capture = http.post("/v1/captures", json=body).json()
    assert capture["status"] == "succeeded", capture["error"]
    for artifact in capture["result"]["artifacts"].values():
        signed = httpx2.get(artifact["links"]["signed"], trust_env=False)
        assert signed.status_code == 200, signed.text
        assert hashlib.sha256(signed.content).hexdigest() == artifact["sha256"]
        assert http.get(artifact["links"]["self"]).content == signed.content
    assert http.delete(capture["links"]["self"]).status_code == 204
    for artifact in capture["result"]["artifacts"].values():
        assert httpx2.get(artifact["links"]["signed"], trust_env=False).status_code == 404


def analysed(http: httpx2.Client, site: Site) -> None:
    body = {"url": site.url("/static"), "preset": "rules", "wait": 120}
    analysis = http.post("/v1/analyses", json=body).json()
    assert analysis["status"] == "succeeded", analysis["error"]
    report = http.get(analysis["links"]["report"])
    assert report.status_code == 200
    assert "data:image/jpeg" in report.text
