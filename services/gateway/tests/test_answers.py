"""Finished results, kept as bytes."""

import pytest

from gateway.analyses import service
from gateway.answers import Answers, Kept
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

MIB = 2**20
X = Kept(b"x", '"t"')


def test_an_answer_is_its_tenants_own_and_one_reader_looks_again() -> None:
    now = 0.0
    answers = Answers(lambda: now)
    answers.keep("a", "an_1", X)
    assert answers.get("a", "an_1") == X
    assert answers.get("b", "an_1") is None
    now = 5.1
    assert [answers.get("a", "an_1") for _ in range(3)] == [None, X, X]
    now = 6.2
    assert [answers.get("a", "an_1") for _ in range(3)] == [None, X, X]
    now = 10.1
    assert [answers.get("a", "an_1") for _ in range(3)] == [None, None, None]
    assert answers._bytes == 0


def test_the_oldest_make_room() -> None:
    answers = Answers()
    for number in range(10):
        answers.keep("a", str(number), Kept(bytes(10 * MIB), '"t"'))
        answers.keep("a", str(number), Kept(bytes(10 * MIB), '"t"'))
    assert [answers.get("a", str(number)) is not None for number in range(10)] == [False] * 4 + [True] * 6
    assert answers._bytes == 60 * MIB


async def test_a_finished_analysis_is_read_once(working: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await working.http.post("/v1/analyses", json={"url": "https://shop.test/"}, headers={"prefer": "wait=30"})
    path = f"/v1/analyses/{made.json()['id']}"
    first = await working.http.get(path)
    assert first.json() == made.json()
    assert first.headers["content-type"] == "application/json"
    with monkeypatch.context() as nobody_looks:
        nobody_looks.setattr(service, "waited_for", None)
        assert (await working.http.get(path)).content == first.content
    assert (await working.http.get(path + "x")).status_code == 404
    assert working.parts.answers.get("other", made.json()["id"]) is None
    kept = working.parts.answers.get("local", made.json()["id"])
    assert kept == Kept(first.content, first.headers["etag"])
    await working.http.delete(path)
    assert (await working.http.get(path)).status_code == 404
