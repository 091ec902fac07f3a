import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from runtime import logging as service_logging
from runtime.logging import redact


@pytest.mark.parametrize(
    "field",
    ["authorization", "Cookie", "db_password", "client_secret", "access_token", "api_key", "apikey", "signature"],
)
def test_secret_fields_are_replaced(field: str) -> None:
    assert redact(None, "info", {field: "hunter2"}) == {field: "[redacted]"}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("key cro_live_abc123 used", "key [redacted] used"),
        ("cro_test_x and cro_adm_y", "[redacted] and [redacted]"),
        ("sk-ant-api03-a_b-c", "[redacted]"),
        ("https://s3/x?X-Amz-Signature=0a1b&y=1", "https://s3/x?X-Amz-Signature=[redacted]&y=1"),
        ("https://blobs/x?sig=a%2Bb-c&exp=1", "https://blobs/x?sig=[redacted]&exp=1"),
        ("design=nice", "design=nice"),
    ],
)
def test_secrets_inside_texts_are_replaced(text: str, left: str) -> None:
    assert redact(None, "info", {"event": text}) == {"event": left}


def test_other_values_stay() -> None:
    assert redact(None, "info", {"count": 3, "host": "a.test", "items": [1]}) == {
        "count": 3,
        "host": "a.test",
        "items": [1],
    }


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield capsys
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_both_kinds_of_loggers_write_scrubbed_json_lines(stderr: pytest.CaptureFixture[str]) -> None:
    service_logging.configure("renderer")
    structlog.get_logger("ours").info("job_done", job_id="job_1", token="t")
    logging.getLogger("theirs").warning("sent %s", "cro_live_abc")
    ours, theirs = (json.loads(line) for line in stderr.readouterr().err.splitlines())
    assert (ours["event"], ours["job_id"], ours["token"], ours["service"]) == (
        "job_done",
        "job_1",
        "[redacted]",
        "renderer",
    )
    assert (theirs["event"], theirs["level"]) == ("sent [redacted]", "warning")
    assert ours["timestamp"].endswith("Z")


def test_chatty_libraries_are_quiet(stderr: pytest.CaptureFixture[str]) -> None:
    service_logging.configure("renderer", "DEBUG")
    logging.getLogger("httpx2").info("HTTP Request: GET https://x/?sig=abc")
    assert stderr.readouterr().err == ""
