"""`cro batch run`: no line lost, none twice, wherever it is stopped."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from fastapi.responses import JSONResponse
from typer.testing import CliRunner, Result

from cro_analyzer.command import runs
from cro_analyzer.command.app import build
from tests.fixtures.batches import Batches

MANY = 1_100


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "urls.txt"
    listed = [f"https://shop.test/{number}{'/fail' if number % 50 == 0 else ''}" for number in range(MANY)]
    file.write_text("# our pages\n" + "\n".join([listed[1], "nonsense", "", *listed]) + "\n")
    return file


def cro(*arguments: str | Path) -> Result:
    return CliRunner().invoke(build(lambda: None), [str(one) for one in arguments])


def lines(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.read_text().splitlines()]


def whole(out: Path) -> None:
    found = lines(out)
    assert Counter(line["status"] for line in found) == {"succeeded": MANY - 22, "failed": 22, "rejected": 2}
    taken = [line["url"] for line in found if line["status"] != "rejected"]
    assert len(set(taken)) == len(taken) == MANY
    assert not runs.folder_of(out).exists()


def test_every_url_has_its_line(source: Path, tmp_path: Path, batch_server: str, batches: Batches) -> None:
    batches.each_look = 300
    out = tmp_path / "deep" / "results.ndjson"
    done = cro("batch", "run", source, "--out", out, "--kind", "capture", "--tier", "static", "--server", batch_server)
    assert done.exit_code == 0, done.output
    whole(out)
    assert "1,078 had" in done.output
    assert "22 failed" in done.output
    assert "target_dns 22" in done.output
    assert "\x1b" not in done.output
    assert batches.made["bat_0"].asked["options"] == {"tier": "static", "outputs": [{"kind": "html"}]}


def test_a_file_in_which_no_url_can_be_used_ends_as_any_other(tmp_path: Path, batch_server: str) -> None:
    (tmp_path / "urls.txt").write_text("nonsense\nftp://a.test/\n")
    done = cro("batch", "run", tmp_path / "urls.txt", "--out", tmp_path / "out.ndjson", "--server", batch_server)
    assert done.exit_code == 0, done.stderr
    assert [one["status"] for one in lines(tmp_path / "out.ndjson")] == ["rejected", "rejected"]


@pytest.mark.parametrize("after", [1, 2, 3, 4, 6, 9])
def test_it_goes_on_where_the_service_failed(
    source: Path, tmp_path: Path, batch_server: str, batches: Batches, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches.each_look, out = 200, tmp_path / "results.ndjson"
    batches.max_batch = 500
    command = ("batch", "run", source, "--out", out, "--kind", "capture", "--server", batch_server)
    forbidden = {"title": "No", "status": 403, "code": "forbidden", "detail": "Not with this key."}
    monkeypatch.setattr(batches, "refuse", _Later(after, JSONResponse(forbidden, 403)))
    stopped = cro(*command)
    assert (stopped.exit_code, "Not with this key." in stopped.output) == (2, True), stopped.output
    before = len(lines(out)) if out.exists() else 0
    done = cro(*command)
    assert done.exit_code == 0, done.output
    assert (before == 0) or f"{before:,} of" in done.output
    whole(out)
    assert len(batches.made) == 3


class _Later(list[JSONResponse]):
    """Refuses one request, after some."""

    def __init__(self, after: int, answer: JSONResponse) -> None:
        super().__init__([answer])
        self._after = after

    def __bool__(self) -> bool:
        self._after -= 1
        return self._after == -1


def test_a_line_that_was_half_written_is_written_anew(
    source: Path, tmp_path: Path, batch_server: str, batches: Batches
) -> None:
    batches.each_look, out = 200, tmp_path / "results.ndjson"
    command = ("batch", "run", source, "--out", out, "--kind", "capture", "--server", batch_server)
    forbidden = {"title": "No", "status": 403, "code": "forbidden"}
    batches.refuse = _Later(6, JSONResponse(forbidden, 403))
    assert cro(*command).exit_code == 2
    with out.open("a") as file:
        file.write('{"url": "https://shop.test/half')
    batches.refuse = []
    assert cro(*command).exit_code == 0
    whole(out)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_can_be_stopped_and_goes_on(
    source: Path, tmp_path: Path, batch_server: str, batches: Batches, sign: signal.Signals
) -> None:
    out = tmp_path / "results.ndjson"
    batches.each_look = 50
    command = [sys.executable, "-m", "cro_analyzer", "batch", "run", str(source), "-o", str(out), "--kind", "capture"]
    env = {**os.environ, "CRO_API_URL": batch_server, "NO_COLOR": "1"}
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if " of " in line:
            break
    process.send_signal(sign)
    rest = process.stderr.read()
    status = process.wait(30)
    process.stderr.close()
    assert "Traceback" not in rest
    if sign is signal.SIGKILL:
        assert status == -signal.SIGKILL
    else:
        assert (status, "the same command goes on" in rest) == (130, True), rest
    assert batches.made["bat_0"].left, "it was stopped in the middle"
    batches.each_look = 500
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    whole(out)
    assert len(batches.made) == 1


def test_contents_are_saved_beside(tmp_path: Path, batch_server: str, batches: Batches) -> None:
    batches.each_look, out, pages = 2_000, tmp_path / "results.ndjson", tmp_path / "pages"
    source = tmp_path / "urls.txt"
    source.write_text("\n".join(f"https://shop.test/{number}" for number in range(60)) + "\nhttps://shop.test/fail")
    done = cro("batch", "run", source, "-o", out, "--kind", "capture", "--save", pages, "--server", batch_server)
    assert done.exit_code == 0, done.output
    saved = [line for line in lines(out) if "files" in line]
    assert len(lines(out)) == 61
    assert len(saved) == len(list(pages.iterdir())) == 60
    files = saved[0]["files"]
    assert isinstance(files, dict)
    assert Path(files["html"]).read_text() == f"<p>{saved[0]['id']}"


def test_reports_are_saved_with_their_data(tmp_path: Path, batch_server: str, batches: Batches) -> None:
    batches.each_look, out, pages = 9, tmp_path / "results.ndjson", tmp_path / "pages"
    source = tmp_path / "urls.csv"
    source.write_text("name,URL\nshop,https://shop.test/\n")
    done = cro("batch", "run", source, "-o", out, "--preset", "rules", "--save", pages, "--server", batch_server)
    assert done.exit_code == 0, done.output
    assert sorted(path.suffix for path in pages.iterdir()) == [".html", ".json"]
    assert batches.made["bat_0"].asked["options"] == {"preset": "rules"}


def test_a_run_is_only_continued_by_its_own_command(
    source: Path, tmp_path: Path, batch_server: str, batches: Batches
) -> None:
    out = tmp_path / "results.ndjson"
    batches.refuse = _Later(4, JSONResponse({"title": "No", "status": 403, "code": "forbidden"}, 403))
    command = ["batch", "run", str(source), "--out", str(out), "--kind", "capture", "--server", batch_server]
    assert cro(*command).exit_code == 2
    other = cro(*command, "--tier", "browser")
    assert (other.exit_code, "other options" in other.output) == (2, True), other.output
    status = cro("batch", "status", out)
    assert "of 1,102" in status.output
    assert "bat_0" in status.output
    with runs.held(out, runs.known(out) or pytest.fail("no run")):
        busy = cro(*command)
    assert (busy.exit_code, "another command" in busy.output) == (2, True), busy.output


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        ("", "a.txt", "holds no URL"),
        ("# nothing\n\n", "a.txt", "holds no URL"),
        ("url\n", "a.csv", "holds no URL"),
        ("{}\n", "a.ndjson", "line 1 has no `url`"),
        ("{\n", "a.jsonl", "line 1 is no JSON"),
        ("\xff", "a.txt", "UTF-8"),
        (None, "a.txt", "No such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_said(tmp_path: Path, content: str | None, name: str, says: str) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content.encode("latin-1"))
    done = cro("batch", "run", file, "-o", tmp_path / "out", "--server", "http://127.0.0.1:9")
    assert (done.exit_code, says in done.output) == (2, True), done.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--tier", "static"], "--kind capture"),
        (["--kind", "capture", "--preset", "fast"], "--kind analysis"),
        (["--options", "{"], "no JSON"),
        (["--options", "[]"], "JSON object"),
    ],
)
def test_options_that_do_not_go_together_are_said(source: Path, tmp_path: Path, options: list[str], says: str) -> None:
    done = cro("batch", "run", source, "-o", tmp_path / "out", "--server", "http://127.0.0.1:9", *options)
    assert (done.exit_code, says in done.output) == (2, True), done.output


def test_results_that_are_there_are_not_overwritten(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    done = cro("batch", "run", source, "-o", tmp_path / "out", "--server", "http://127.0.0.1:9")
    assert (done.exit_code, "is there already" in done.output) == (2, True), done.output
    assert (tmp_path / "out").read_text() == "mine"


def test_without_platform_or_service_it_says_what_to_do(source: Path, tmp_path: Path) -> None:
    done = cro("batch", "run", source, "-o", tmp_path / "out")
    assert (done.exit_code, "CRO_API_URL" in done.output) == (2, True), done.output
