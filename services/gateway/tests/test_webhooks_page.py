"""docs/webhooks.md as it stands: its lines run, and its verifiers accept what we send and nothing else."""

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from gateway.deliveries.signing import new_secret, signed_headers
from gateway.outbox.events import AnalysisEvent, EventType
from tests.fixtures.gateway import Platform
from tests.fixtures.javascript import node

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text(encoding="utf-8")
BODY = '{"type":"analysis.succeeded","title":"Größe"}'.encode()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@dataclass(frozen=True)
class Sent:
    """A request as a receiver sees it."""

    secret: str
    headers: dict[str, str]
    body: bytes = BODY


def variants() -> dict[str, tuple[Sent, bool]]:
    secret, old = new_secret(), new_secret()
    headers = signed_headers("evt_1", b"", [])
    ours = {**headers, "webhook-signature": _signature(secret, headers)}
    both = {**headers, "webhook-signature": f"{_signature(old, headers)} {_signature(secret, headers)}"}
    stale = {**headers, "webhook-timestamp": str(int((datetime.now(UTC) - timedelta(hours=1)).timestamp()))}
    stale["webhook-signature"] = _signature(secret, stale)
    return {
        "genuine": (Sent(secret, ours), True),
        "rotating": (Sent(secret, both), True),
        "old secret only": (Sent(secret, {**headers, "webhook-signature": _signature(old, headers)}), False),
        "changed body": (Sent(secret, ours, BODY.replace(b"succeeded", b"failed")), False),
        "changed id": (Sent(secret, {**ours, "webhook-id": "evt_2"}), False),
        "no signature": (Sent(secret, {**headers, "webhook-signature": ""}), False),
        "stale": (Sent(secret, stale), False),
    }


def _signature(secret: str, headers: dict[str, str]) -> str:
    from_reference = [sys.executable, "-c", _REFERENCE, secret, headers["webhook-id"], headers["webhook-timestamp"]]
    return subprocess.run(from_reference, input=BODY, capture_output=True, check=True).stdout.decode()


# The library that customers are told to use, in a process of its own: nothing here is shared with our sender.
_REFERENCE = """
import sys
from datetime import datetime, timezone
from standardwebhooks import Webhook
_, secret, event_id, timestamp = sys.argv
moment = datetime.fromtimestamp(int(timestamp), timezone.utc)
print(Webhook(secret).sign(event_id, moment, sys.stdin.buffer.read().decode()), end="")
"""


def test_the_python_verifier() -> None:
    (snippet,) = blocks("python")
    names: dict[str, Any] = {}
    exec(snippet, names)  # what customers copy
    for name, (sent, genuine) in variants().items():
        assert names["verified"](sent.secret, sent.headers, sent.body) is genuine, name


def test_the_javascript_verifier() -> None:
    (snippet,) = blocks("javascript")
    call = """
const [secret, headers, body] = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(String(verified(secret, headers, Buffer.from(body, "utf8"))));
"""
    for name, (sent, genuine) in variants().items():
        given = json.dumps([sent.secret, sent.headers, sent.body.decode()])
        assert node(snippet + call, given) == str(genuine).lower(), name


@pytest.mark.skipif(shutil.which("openssl") is None, reason="OPENSSL SKIPPED: it is not here")
def test_the_shell_verifier(tmp_path: Path) -> None:
    (snippet,) = blocks("bash")
    for name, (sent, genuine) in variants().items():
        if name == "stale":  # somebody looks at a saved request: it may be old
            continue
        (tmp_path / "body.json").write_bytes(sent.body)
        headers = sent.headers
        environment = {
            "PATH": os.environ["PATH"],
            "SECRET": sent.secret,
            "ID": headers["webhook-id"],
            "TIMESTAMP": headers["webhook-timestamp"],
            "SIGNATURE": headers["webhook-signature"],
        }
        run = subprocess.run(
            ["sh", "-c", snippet], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert run.stdout.strip() == ("verified" if genuine else "forged"), (name, run.stderr)


def test_the_example_is_an_event_with_every_key() -> None:
    (example,) = blocks("json")
    shown = json.loads(example)
    assert set(shown) == set(AnalysisEvent.model_fields)
    AnalysisEvent.model_validate(shown)


def test_every_event_is_listed() -> None:
    assert all(f"`{event_type.value}`" in PAGE for event_type in EventType)


@pytest.fixture
async def origin(platform: Platform) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(platform.app, log_config=None, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve([listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task


async def shell(script: str, origin: str, **variables: str) -> str:
    local = script.replace("http://127.0.0.1:8000", origin)
    environment = {"PATH": os.environ["PATH"], "NO_PROXY": "*", **variables}
    process = await asyncio.create_subprocess_exec(
        "sh", "-ec", local, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, (script, out, err)
    return out.decode()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
async def test_every_line_works(origin: str, platform: Platform) -> None:
    create, use, submit, request = blocks("sh")
    made = json.loads(await shell(create, origin))
    assert made["secret"].startswith("whsec_")
    answers = await shell(use, origin, WEBHOOK=made["id"])
    assert '"event_type":"webhook.test"' in answers
    assert '"description":"moved"' in answers
    assert json.loads(await shell(submit, origin))["status"] == "queued"
    assert '"secret":"whsec_' in await shell(request, origin)
