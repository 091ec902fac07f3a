"""How settings are read: environment first, then files mounted under SECRETS_DIR (one file per setting)."""

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


def _secrets_dir() -> str | None:
    folder = os.environ.get("SECRETS_DIR", "")
    return folder if folder and Path(folder).is_dir() else None


class Settings(BaseSettings):
    """Base of every service's settings: frozen, unknown variables ignored, no default for a secret."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    def __init__(self, **values: Any) -> None:  # noqa: ANN401  # pydantic's own signature
        """Read the environment and, where SECRETS_DIR names a folder, the files in it."""
        super().__init__(_secrets_dir=_secrets_dir(), **values)


def unusable(error: ValidationError) -> str:
    """Return what is wrong with which settings, for whoever made them; their values may be secrets and stay out."""
    wrong = [f"{'.'.join(map(str, one['loc'])).upper()}: {one['msg']}".removeprefix(": ") for one in error.errors()]
    return f"{'; '.join(wrong)} (docs/settings.md lists every setting)"
