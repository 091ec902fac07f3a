"""Keys as text, plans as a file, addresses that send wrong keys, and what settings decide: no database."""

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.errors import ErrorCode
from gateway.access import plans, token
from gateway.access.offenders import Offenders
from gateway.access.scopes import Scope, for_route, known
from gateway.auth import Auth
from gateway.settings import GatewaySettings
from runtime.errors import ServiceError
from runtime.logging import redact

ALPHABET = string.digits + string.ascii_letters
PEPPER = "0123456789abcdef0123456789abcdef"


def test_a_new_key_is_well_formed_and_never_the_same() -> None:
    made = {token.mint() for _ in range(200)}
    assert len(made) == 200
    assert all(token.well_formed(key) for key in made)


@given(st.integers(9, 38), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_seen_without_a_look_up(place: int, character: str) -> None:
    key = token.mint()
    wrong = key[:place] + character + key[place + 1 :]
    assert token.well_formed(wrong) == (wrong == key)


@pytest.mark.parametrize("text", ["", "cro_live_", "Bearer x", "cro_live_" + "é" * 37])
def test_what_is_no_key_is_refused(text: str) -> None:
    assert not token.well_formed(text)


def test_a_key_with_something_behind_it_is_refused() -> None:
    assert not any(token.well_formed(token.mint() + more) for more in ("a", "\n", " "))


def test_a_key_never_reaches_a_log() -> None:
    key = token.mint()
    assert key not in str(redact(None, "info", {"event": f"got {key}", "api_key": key}))
    assert key not in token.hint(key)


def test_digests_differ_by_pepper() -> None:
    key = token.mint()
    assert token.digest(PEPPER, key) != token.digest(PEPPER + "x", key)


def test_scopes_follow_noun_and_method() -> None:
    assert for_route("analyses", "GET") is Scope.ANALYSES_READ
    assert for_route("analyses", "DELETE") is Scope.ANALYSES_WRITE
    assert for_route("keys", "GET") is for_route("keys", "POST") is Scope.KEYS_ADMIN
    assert known(["usage:read", "of:tomorrow"]) == {Scope.USAGE_READ}


def test_our_plans_can_be_read_and_the_local_one_has_no_limits() -> None:
    found = plans.load()
    assert set(found) == {"local", "free", "standard", "enterprise"}
    assert found["local"].concurrency is None
    assert found["local"].daily == {}
    assert all(plan.name == name for name, plan in found.items())


@pytest.mark.parametrize(
    "text", ["", "[free]\nburst = 1", "[local]\nconcurrency = 0", "[local]\nunknown = 1", "[local"]
)
def test_an_unusable_file_of_plans_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "plans.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ServiceError) as caught:
        plans.load(str(file))
    assert caught.value.code is ErrorCode.INVALID_REQUEST


def test_an_address_is_refused_after_too_many_wrong_keys_and_not_for_ever() -> None:
    now = 0.0
    offenders = Offenders(3, clock=lambda: now)
    for _ in range(3):
        assert offenders.wait_s("192.0.2.1") == 0
        offenders.note("192.0.2.1")
    wait_s = offenders.wait_s("192.0.2.1")
    assert 0 < wait_s <= 60
    assert offenders.wait_s("192.0.2.2") == 0
    now = float(wait_s)
    assert offenders.wait_s("192.0.2.1") == 0


def test_a_home_of_ipv6_counts_as_one() -> None:
    offenders = Offenders(1)
    offenders.note("2001:db8:1:2::1")
    assert offenders.wait_s("2001:db8:1:2:ffff::9")
    assert not offenders.wait_s("2001:db8:1:3::1")


def test_auth_is_decided_by_settings() -> None:
    assert GatewaySettings().auth_mode is Auth.LOOPBACK
    assert GatewaySettings(api_key_pepper=PEPPER).auth_mode is Auth.REQUIRED  # type: ignore[arg-type]  # as the environment gives it
    assert GatewaySettings().open_to("0.0.0.0")
    assert not GatewaySettings().open_to("127.0.0.1")
    assert not GatewaySettings(auth=Auth.LOOPBACK).open_to("0.0.0.0")


@pytest.mark.parametrize("pepper", ["short", "a" * 40, "change-me"])
def test_a_weak_pepper_is_refused(pepper: str) -> None:
    with pytest.raises(ValidationError):
        GatewaySettings(api_key_pepper=pepper)  # type: ignore[arg-type]  # as the environment gives it


def test_keys_that_cannot_be_checked_are_refused() -> None:
    with pytest.raises(ValidationError):
        GatewaySettings(auth=Auth.REQUIRED)
