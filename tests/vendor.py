"""Fetch the vendored scripts from npm at their pinned versions and check them: `make vendor`."""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "services/renderer/renderer/vendor"


@dataclass(frozen=True)
class Package:
    """One npm package: `files` is path in the package → SHA-256."""

    name: str
    version: str
    licence: str
    files: dict[str, str]

    def place(self, path: str) -> Path:
        return FOLDER / self.name / Path(path).name


def packages() -> list[Package]:
    rows = tomllib.loads((FOLDER / "vendor.toml").read_text(encoding="utf-8"))
    return [Package(name, row["version"], row["licence"], row["files"]) for name, row in rows.items()]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def fetch(package: Package, folder: Path) -> dict[str, bytes]:
    """Return the wanted files of a package as npm has them."""
    npm = Path(sys.executable).with_name("npm")
    command = [str(npm), "pack", "--silent", "--pack-destination", str(folder), f"{package.name}@{package.version}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    found = {}
    with tarfile.open(folder / done.stdout.strip().splitlines()[-1]) as archive:
        for path in package.files:
            member = archive.extractfile(f"package/{path}")
            assert member is not None, path
            found[path] = member.read()
    return found


def main() -> None:
    """Write the files; one whose hash is not the recorded one stays out, and the command fails."""
    with tempfile.TemporaryDirectory() as folder:
        for package in packages():
            for path, data in fetch(package, Path(folder)).items():
                if digest(data) != package.files[path]:
                    sys.exit(f"{package.name} {package.version}: {path} is not the recorded file: {digest(data)}")
                package.place(path).parent.mkdir(parents=True, exist_ok=True)
                package.place(path).write_bytes(data)
            print(f"{package.name} {package.version} ({package.licence}): {len(package.files)} files")


if __name__ == "__main__":
    main()
