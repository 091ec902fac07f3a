"""SIGKILL of a browser in the middle of a job, through the whole platform: nothing lost, nothing done twice."""

import time
from pathlib import Path

import httpx2
import psutil

from tests.e2e.conftest import CRO, environment, start, stop
from tests.fixtures.site import Site


def leaders(pid: int) -> list[psutil.Process]:
    """Return the leading processes of the browsers below `pid`."""
    children = psutil.Process(pid).children(recursive=True)
    lines = [(child, child.cmdline()) for child in children]
    return [
        child
        for child, line in lines
        if any(part.startswith("--remote-debugging-port") for part in line)
        and not any(part.startswith("--type=") for part in line)
    ]


def wait_for(client: httpx2.Client, job_id: str, status: str) -> None:
    give_up = time.monotonic() + 60
    while client.get(f"/v1/analyses/{job_id}").json()["status"] != status:
        assert time.monotonic() < give_up, f"never {status}"
        time.sleep(0.05)


def test_a_job_whose_browser_is_killed_is_done_once_more_at_once(site: Site, tmp_path: Path) -> None:
    env = environment(site.host, CRO_DATA=str(tmp_path / "data"), RENDERER_SLOTS="1")
    process, base = start([CRO, "serve", "--port", "0"], env)
    try:
        with httpx2.Client(base_url=base, timeout=150, trust_env=False) as client:
            body = {"url": site.url("/never-quiet"), "preset": "rules"}
            job_id = client.post("/v1/analyses", json=body).json()["id"]
            wait_for(client, job_id, "rendering")
            (victim,) = leaders(process.pid)
            victim.kill()
            job = client.get(f"/v1/analyses/{job_id}", params={"wait": 120}).json()
            listed = client.get("/v1/analyses").json()["data"]
    finally:
        assert stop(process) == 0
    assert job["status"] == "succeeded", job["error"]
    assert job["attempt"] == 1, "the renderer gives the page its second chance itself: nothing went back to the queue"
    assert job["result"]["job_id"] == job_id
    assert [one["id"] for one in listed] == [job_id]
