"""The settings of keys and tenants; a part of the gateway's."""

from enum import StrEnum
from ipaddress import ip_address

from pydantic import Field, SecretStr, field_validator, model_validator

from runtime.settings import Settings

_SHORTEST_PEPPER = 32
_FEWEST_CHARACTERS = 10


class Auth(StrEnum):
    """Whether callers need a key."""

    REQUIRED = "required"
    LOOPBACK = "loopback"


class AccessSettings(Settings):
    """Who may call."""

    auth: Auth | None = Field(
        None,
        description="required: every call needs an API key; loopback: none does, and all callers are one tenant. "
        "Not set: required where there is a pepper, else loopback, and then only a loopback HOST is listened on",
    )
    api_key_pepper: SecretStr = Field(
        SecretStr(""), description="keys the digests of API keys: 32 random characters or more; never in the database"
    )
    api_key_pepper_previous: SecretStr = Field(
        SecretStr(""), description="the pepper before: its keys stay valid, and move to the new one when they are used"
    )
    plans_file: str = Field("", description="your own plans in TOML; empty: those that come with the gateway")
    key_cache_seconds: float = Field(
        5, ge=0, le=60, description="how long a good key is trusted, so how late another process sees its revocation"
    )
    bad_keys_per_minute: int = Field(
        20, ge=1, description="wrong keys from one address before it is refused unlooked-at"
    )
    batch_patience_seconds: float = Field(
        600, ge=1, description="time after which batch work that is due is let before interactive work, a job at a time"
    )

    @field_validator("api_key_pepper", "api_key_pepper_previous")
    @classmethod
    def _strong(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value().strip()
        if text and (len(text) < _SHORTEST_PEPPER or len(set(text)) < _FEWEST_CHARACTERS):
            raise ValueError("too weak: use 32 random characters or more, like those of `openssl rand -hex 32`")
        return SecretStr(text)

    @model_validator(mode="after")
    def _keys_can_be_checked(self) -> "AccessSettings":
        if self.auth is Auth.REQUIRED and not self.peppers:
            raise ValueError("AUTH=required needs API_KEY_PEPPER")
        return self

    @property
    def peppers(self) -> tuple[str, ...]:
        """The peppers that are set, the present one first."""
        both = (self.api_key_pepper.get_secret_value(), self.api_key_pepper_previous.get_secret_value())
        return tuple(pepper for pepper in both if pepper) if both[0] else ()

    @property
    def auth_mode(self) -> Auth:
        """What was decided."""
        return self.auth or (Auth.REQUIRED if self.peppers else Auth.LOOPBACK)

    def open_to(self, host: str) -> bool:
        """Tell whether listening on `host` would let strangers in without a key and without the operator's word."""
        return self.auth is None and self.auth_mode is Auth.LOOPBACK and not _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
