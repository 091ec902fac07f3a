"""The API's description held against the API: generated requests, good and bad ones, to every route.

Run by `make fuzz-api`, and for some seconds with a fixed seed by a test.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.migrate import migrate
from tests.fixtures.accounts import PEPPER
from tests.fixtures.fleet import Fleet, served
from tests.fixtures.programs import running


@dataclass(frozen=True)
class Platform:
    """A running API, and a key for all of it."""

    origin: str
    key: str
    folder: Path


@contextmanager
def platform(folder: Path) -> Iterator[Platform]:
    """Run an API and a worker on SQLite with a made-up fleet."""
    url = f"sqlite+aiosqlite:///{folder}/cro.db"
    migrate(url)
    fleet = Fleet()
    with ExitStack() as stack:
        environment = {
            "DATABASE_URL": url,
            "BLOBS_URL": f"file://{folder}/blobs",
            "BLOBS_SECRET": "0123456789abcdef0123456789abcdef",
            "RENDERER_URL": stack.enter_context(served(fleet.renderer())),
            "ANALYZER_URL": stack.enter_context(served(fleet.analyzer())),
            "API_KEY_PEPPER": PEPPER,
            # What is asked for is hundreds of requests a second from one address, many of them with wrong keys.
            **dict.fromkeys(("RATE_LIMIT_KEY", "RATE_LIMIT_TENANT", "RATE_LIMIT_ADDRESS"), "off"),
            "BAD_KEYS_PER_MINUTE": "1000000",
            "PORT": "0",
            "SHUTDOWN_GRACE_SECONDS": "0",
            "POLL_SECONDS": "0.2",
            # A port that nobody listens on: made-up webhooks go nowhere.
            "EGRESS_PROXY_URL": "http://127.0.0.1:9",
            "QUEUE_LIMIT": "1000000",
            "LOG_LEVEL": "WARNING",
        }
        api = stack.enter_context(running("api", environment, folder / "api.log"))
        worker = {**environment, "BLOBS_BASE_URL": api.origin}
        stack.enter_context(running("worker", worker, folder / "worker.log"))
        yield Platform(api.origin, _key(environment), folder)


def _key(environment: dict[str, str]) -> str:
    command = [sys.executable, "-m", "gateway", "admin", "bootstrap", "fuzz", "--plan", "local"]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def fuzz(platform: Platform, seconds: int, seed: int) -> subprocess.CompletedProcess[str]:
    """Send requests for `seconds`; the status is not 0 where an answer was not as described."""
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{platform.origin}/openapi.json"),
        *("--seed", str(seed), "--max-time", str(seconds), "--no-color", "--warnings", "off"),
        # Much of what a schema allows is refused for what no schema can say: whose cursor, which rule, what bytes.
        *("--exclude-checks", "positive_data_acceptance"),
        *("--generation-database", "none", "--header", f"Authorization: Bearer {platform.key}"),
    ]
    environment = {**os.environ, "NO_PROXY": "*"}
    return subprocess.run(command, env=environment, cwd=platform.folder, capture_output=True, text=True, check=False)


def main() -> None:
    """Fuzz, and show what was found."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("seconds", type=int)
    arguments.add_argument("--seed", type=int, default=0, help="0: another one each time")
    chosen = arguments.parse_args()
    seed = chosen.seed or int.from_bytes(os.urandom(4), "big")
    with tempfile.TemporaryDirectory(prefix="cro-fuzz-") as folder, platform(Path(folder)) as running_one:
        done = fuzz(running_one, chosen.seconds, seed)
        print(done.stdout, done.stderr, (Path(folder) / "api.log").read_text()[-4_000:], f"seed {seed}", sep="\n")
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
