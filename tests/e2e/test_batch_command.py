"""`cro batch run` on this machine: stopped in the middle, it goes on; every page is fetched once."""

import importlib.util
import json
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.conftest import CRO, environment
from tests.fixtures.site import PAGES, Site

URLS = 240

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("gateway.batches") is None, reason="batches are not served yet"),
]


def test_a_stopped_batch_goes_on(site: Site, tmp_path: Path) -> None:
    listed = [site.url(f"/batch-{number}") for number in range(URLS)]
    site.pages.update({f"/batch-{number}": PAGES["/static"] for number in range(URLS)})
    (tmp_path / "urls.txt").write_text("\n".join([*listed, "nonsense"]))
    out = tmp_path / "results.ndjson"
    # Two at a time, so that the first signal finds it in the middle.
    options = ["--kind", "capture", "--tier", "static", "--concurrency", "2", "--save", str(tmp_path / "pages")]
    command = [CRO, "batch", "run", "urls.txt", "--out", out.name, *options]
    env = environment(site.host, RENDERER_SLOTS="1")
    process = subprocess.Popen(command, env=env, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if " of " in line:
            break
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(60) == 130, rest
    process.stderr.close()
    assert "the same command goes on" in rest
    assert "Traceback" not in rest
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=160, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert Counter(line["status"] for line in lines) == {"succeeded": URLS, "rejected": 1}
    assert {line["url"] for line in lines} == {*listed, "nonsense"}
    hits = Counter(hit for hit in site.hits if hit.startswith("/batch-"))
    assert len(hits) == URLS
    assert set(hits.values()) == {1}, "fetched twice"
    assert len(list((tmp_path / "pages").iterdir())) == URLS
    assert not (tmp_path / "results.ndjson.run").exists()
