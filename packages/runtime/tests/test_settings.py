from pathlib import Path

import pytest
from pydantic import ValidationError

from runtime.settings import Settings


class Example(Settings):
    database_url: str
    slots: int = 2


def test_environment_comes_before_mounted_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "database_url").write_text("from-file")
    (tmp_path / "slots").write_text("7")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("SLOTS", "3")
    assert Example() == Example(database_url="from-file", slots=3)


def test_an_empty_variable_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    with pytest.raises(ValidationError, match="database_url"):
        Example()


def test_a_missing_secrets_folder_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRETS_DIR", "/nowhere/at/all")
    assert Example(database_url="x").slots == 2


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Example(database_url="x"), "slots", 4)  # noqa: B010  # mypy already refuses the plain assignment
