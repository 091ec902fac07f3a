"""API keys of the caller's own account."""

from collections.abc import Sequence
from dataclasses import replace

from cro_analyzer.flows import calls
from cro_analyzer.flows.calls import given
from cro_analyzer.models.accounts import KeyMade, KeyRead, Scope
from cro_analyzer.steps import Flow, Stream, ask

_PATH = "/v1/keys"


def create(name: str, scopes: Sequence[Scope], *, expires_in_s: int | None = None) -> Flow[KeyMade]:
    """Make a key with some of the scopes that yours has. The answer alone shows it: keep it."""
    body = given(name=name, scopes=list(scopes), expires_in_s=expires_in_s)
    # Without idempotency: a lost answer would leave a key that nobody has seen, and a second one.
    return ask(replace(calls.act(_PATH, KeyMade, body), repeatable=False))


def listed() -> Stream[KeyRead]:
    """Give every key, newest first, those that have ended too."""
    return calls.pages(_PATH, calls.as_(KeyRead))


def get(key_id: str) -> Flow[KeyRead]:
    """Read what a key may do, when it ends and when it was last used."""
    return ask(calls.get(f"{_PATH}/{key_id}", KeyRead))


def rotate(key_id: str, *, grace_s: int | None = None) -> Flow[KeyMade]:
    """Make a key with the same name, scopes and lifetime; the old one goes on for `grace_s` seconds (a day)."""
    return ask(replace(calls.act(f"{_PATH}/{key_id}/rotate", KeyMade, given(grace_s=grace_s)), repeatable=False))


def revoke(key_id: str) -> Flow[None]:
    """End a key; every process of the service refuses it within seconds."""
    return calls.gone(f"{_PATH}/{key_id}")
