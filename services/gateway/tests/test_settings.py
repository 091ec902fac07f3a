"""What an operator mistypes is told in one line that names the setting, and not its value."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.settings import GatewaySettings
from runtime.settings import unusable


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("database_url", "geheim", "must be postgresql+asyncpg://user:password@host/name or sqlite+aiosqlite:///file"),
        ("database_url", "postgresql://u:geheim@host/db", "must be postgresql+asyncpg://"),
        ("database_url", "postgresql+asyncpg://u:geheim@host:port/db", "must be postgresql+asyncpg://"),
        ("redis_url", "redis://:geheim@host:port/0", "must be redis://host:6379/0"),
        ("renderer_url", "http://renderer:port", "must be http://host:port or https://host"),
        ("renderer_url", "http://renderer-1:9000, renderer-2", "must be http://host:port or https://host"),
        ("redis_url", "geheim:6379", "must be redis://host:6379/0"),
        ("log_level", "LOUD", "must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("trusted_proxies", "10.0.0.0/8,lan", "'lan' does not appear to be an IPv4 or IPv6 network"),
        ("public_url", "cro.example.com", "must be http://host:port or https://host"),
        ("renderer_url", "renderer:9000", "must be http://host:port or https://host"),
        ("egress_allow_private", "http://shop.test/", "“http://shop.test/” is not a host or host:port"),
        ("rate_limit_key", "fast", "write it as requests/seconds/burst"),
    ],
)
def test_a_setting_that_cannot_be_is_named(name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name.upper(), value)
    with pytest.raises(ValidationError) as caught:
        GatewaySettings()
    line = unusable(caught.value)
    assert line.startswith(f"{name.upper()}: {said}")
    assert "geheim" not in line


@pytest.mark.parametrize(
    ("command", "changes", "said"),
    [
        ("api", {"BLOBS_URL": "nonsense"}, "gateway api: BLOBS_URL must be file:folder"),
        ("api", {"PLANS_FILE": "/nowhere.toml"}, "gateway api: The file of plans /nowhere.toml cannot be used"),
        ("worker", {"BLOBS_URL": "s3://shots"}, "gateway worker: BLOBS_URL"),
        (
            "migrate",
            {"DATABASE_URL": "postgresql+asyncpg://u:geheim@127.0.0.1:1/db"},
            "gateway migrate: The database cannot be reached. Is DATABASE_URL right?",
        ),
    ],
)
def test_a_start_that_cannot_be_ends_with_one_line(
    command: str, changes: dict[str, str], said: str, tmp_path: Path
) -> None:
    env = {"PATH": "/usr/bin:/bin", "PORT": "0", "LOG_LEVEL": "CRITICAL", "AWS_EC2_METADATA_DISABLED": "true"}
    env |= {"DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'cro.db'}", **changes}
    done = subprocess.run(
        [sys.executable, "-m", "gateway", command],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(said)
    assert "geheim" not in line
