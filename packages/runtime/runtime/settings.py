"""How settings are read: environment first, then files mounted under SECRETS_DIR (one file per setting)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime import wording

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class UnusableError(ValueError):
    """A setting that cannot work; the text names it and may be shown to the operator."""


def _secrets_dir() -> str | None:
    folder = os.environ.get("SECRETS_DIR", "")
    return folder if folder and Path(folder).is_dir() else None


class Settings(BaseSettings):
    """Base of every service's settings: frozen, unknown variables ignored, no default for a secret."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    def __init__(self, **values: Any) -> None:  # noqa: ANN401  # pydantic's own signature
        """Read the environment and, where SECRETS_DIR names a folder, the files in it."""
        super().__init__(_secrets_dir=_secrets_dir(), **values)

    @field_validator("log_level", check_fields=False)
    @classmethod
    def _known(cls, value: str) -> str:
        if value.upper() not in _LEVELS:
            raise ValueError(f"must be one of {', '.join(_LEVELS)}")
        return value.upper()


@contextmanager
def named(setting: str) -> Iterator[None]:
    """Begin the text of a `ValueError` with the setting that it is about."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{setting}: {error}") from error


def unusable(error: ValidationError) -> str:
    """Return what is wrong with which settings, for whoever made them; their values may be secrets and stay out."""
    wrong = [
        f"{'.'.join(map(str, one['loc'])).upper()}: {wording.said(one)}".removeprefix(": ") for one in error.errors()
    ]
    return f"{'; '.join(wrong)} (docs/settings.md lists every setting)"
