"""The repository's own rules: sizes, names, documents that must not go stale."""

import ast
import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.errors import ErrorCode
from runtime.settings import Settings
from tests.generate import PAGES, SETTINGS

ROOT = Path(__file__).parents[1]
MAX_MODULE_LINES = 500
MAX_FUNCTION_LINES = 50
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "lib", "manager", "misc"}


def tracked(*patterns: str) -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def product_modules() -> list[Path]:
    return [path for path in tracked("packages/*.py", "services/*.py", "sdk/*.py") if "tests" not in path.parts]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_modules_are_short() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in tracked("*.py")}
    assert lengths, "no Python files found: the check would check nothing"
    assert {path: lines for path, lines in lengths.items() if lines > MAX_MODULE_LINES} == {}


def test_functions_are_short() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in product_modules()
        if "migrations" not in path.parts  # a migration is a list of steps
        for node in functions(path)
        if (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    ]
    assert long == []


def _declared(tree: ast.Module) -> Iterator[str]:
    """Return the names of a module's metrics, and of the settings of its classes."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.targets[0], ast.Name):
            if ast.unparse(node.value.func) in {"Counter", "Gauge", "Histogram"}:
                yield node.targets[0].id
        elif isinstance(node, ast.ClassDef) and any("Settings" in ast.unparse(base) for base in node.bases):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield field.target.id


def test_every_metric_and_setting_is_used() -> None:
    texts = [path.read_text(encoding="utf-8") for path in product_modules()]
    words = Counter(word for text in texts for word in re.findall(r"\w+", text))
    declared = {name for text in texts for name in _declared(ast.parse(text))}
    assert len(declared) > 100, "the check would check nothing"
    assert {name for name in declared if words[name] < 2} == set()


def test_no_module_is_called_after_nothing() -> None:
    named = {part for path in tracked("*.py") for part in (path.stem, *path.relative_to(ROOT).parts[:-1])}
    assert named & BANNED_NAMES == set()


@pytest.mark.parametrize("code", ErrorCode)
def test_every_error_code_is_documented(code: ErrorCode) -> None:
    row = f'<a id="{code.value}"></a>`{code.value}` | {code.status} | {code.fault.value} |'
    assert row in (ROOT / "docs/errors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_current(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == PAGES[name](), "run `make generate`"


@pytest.mark.parametrize("model", SETTINGS.values(), ids=lambda model: model.__name__)
def test_every_setting_says_what_it_is_for(model: type[Settings]) -> None:
    assert [name for name, field in model.model_fields.items() if not field.description] == []


def test_decision_records_are_numbered_and_whole() -> None:
    records = sorted(path for path in (ROOT / "docs/adr").glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    headings = {"Context", "Decision", "Consequences", "Alternatives", "Enforced by"}
    for path in records:
        assert headings <= set(re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)), path.name


def test_locks_name_no_host() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", ".make/uv.txt"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "--hash=sha256:" in text
        assert "://" not in text


def test_changelog_leads_with_unreleased_or_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    first = re.search(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert first is not None
    assert first.group(1) == "Unreleased" or first.group(1).startswith(version)


def test_links_between_documents_lead_somewhere() -> None:
    for document in tracked("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.relative_to(ROOT)} → {target}"


def test_the_path_of_a_job_leads_through_modules_that_exist() -> None:
    path = re.findall(
        r"`((?:gateway|renderer|analyzer)/[\w/]+\.py)`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    )
    assert path, "the check would check nothing"
    assert [step for step in path if not (ROOT / "services" / step.partition("/")[0] / step).is_file()] == []


def test_make_targets_that_scripts_rely_on_are_listed() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("run", "serve", "renderer", "setup", "test", "lint", "type", "check", "bench"):
        assert f"make {target} " in listed


_LOCKS = {
    "requirements.txt": ["packages/*", "services/*", "sdk"],
    "requirements-dev.txt": ["packages/*", "services/*", "sdk"],
    "services/gateway/requirements.txt": ["services/gateway"],
    "services/renderer/requirements.txt": ["services/renderer"],
    "services/analyzer/requirements.txt": ["services/analyzer"],
}


@pytest.mark.parametrize("lock", _LOCKS)
def test_locks_hold_every_dependency(lock: str) -> None:
    locked = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE))
    projects = [path for part in _LOCKS[lock] for path in ROOT.glob(f"{part}/pyproject.toml")]
    assert projects
    for path in projects:
        wanted = tomllib.loads(path.read_text(encoding="utf-8"))["project"].get("dependencies", [])
        names = {re.split(r"[\[<>=!~; ]", one, maxsplit=1)[0].lower() for one in wanted}
        missing = {name for name in names if not name.startswith("cro-")} - locked
        assert missing == set(), "run `make lock`"
