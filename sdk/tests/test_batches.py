"""Batches through both clients: every URL once, whatever the order in which they end."""

import json
from collections import Counter
from collections.abc import Iterator

import httpx2
import pytest
from fastapi.responses import JSONResponse

from cro_analyzer import AsyncClient, Bookmark, Client, errors
from cro_analyzer.flows import batches as flows
from tests.fixtures.batches import Batches
from tests.fixtures.clients import AT_ONCE

OPTIONS = {"tier": "static", "outputs": [{"kind": "html"}]}


def urls(count: int) -> list[str]:
    return [f"https://shop.test/{number}" for number in range(count)]


@pytest.fixture
def api(batch_server: str) -> Iterator[Client]:
    with Client("", batch_server, retries=AT_ONCE) as client:
        yield client


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "_LOOK_S", (0.0, 0.0))


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("count", [1, 499, 500, 501, 1_203])
def test_every_url_is_told_once(api: Client, batches: Batches, count: int, *, backwards: bool) -> None:
    batches.each_look, batches.backwards = 117, backwards
    found = list(api.fetch_batch(iter(urls(count)), static_xhr_concurrency=50))
    assert sorted(one.url for one in found) == sorted(urls(count))
    assert {one.status for one in found} == {"succeeded"}
    asked = batches.made["bat_0"].asked
    assert (asked["concurrency"], asked["kind"], asked["options"]) == (50, "capture", OPTIONS)


def test_results_come_while_the_batch_runs(api: Client, batches: Batches) -> None:
    batches.each_look = 5
    results = api.fetch_batch(urls(20))
    next(results)
    assert batches.made["bat_0"].status == "running"
    assert len(list(results)) == 19


def test_what_is_set_aside_is_told_too(api: Client) -> None:
    wanted = ["https://a.test/", "nonsense", "https://a.test/", "https://b.test/fail"]
    found = {(one.url, one.status): one for one in api.fetch_batch(wanted)}
    assert Counter(status for _, status in found) == {"succeeded": 1, "rejected": 2, "failed": 1}
    failed = found["https://b.test/fail", "failed"]
    assert failed.error is not None
    assert (failed.error.code, failed.ok, failed.ended) == ("target_dns", False, True)
    refused = found["https://a.test/", "rejected"]
    assert refused.error is not None
    assert refused.error.code == "duplicate"


def test_urls_of_which_none_can_be_used_are_told_too(
    api: Client, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows, "MAX_URLS", 2)
    found = [(one.url, one.status) for one in api.fetch_batch(["nonsense", "ftp://a.test/", "https://a.test/"])]
    assert found == [("nonsense", "rejected"), ("ftp://a.test/", "rejected"), ("https://a.test/", "succeeded")]
    batches.refuse.append(JSONResponse({"title": "No", "status": 422, "code": "invalid_request", "detail": "x"}, 422))
    with pytest.raises(errors.InvalidRequestError, match="x"):
        list(api.fetch_batch(["https://a.test/"]))


def test_one_string_is_no_list_of_urls(api: Client, batches: Batches) -> None:
    for call in (lambda: api.batches.create("https://a.test/"), lambda: list(api.fetch_batch("https://a.test/"))):
        with pytest.raises(errors.CroError, match="has to be a list"):
            call()
    assert batches.requests == []


def test_more_than_a_batch_holds_go_as_several(api: Client, batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "MAX_URLS", 10)
    drawn: list[str] = []

    def source() -> object:
        for url in urls(25):
            drawn.append(url)
            yield url

    results = api.fetch_batch(source())  # type: ignore[arg-type]  # an iterator of strings
    next(results)
    assert len(drawn) == 10, "the rest is not drawn before it is needed"
    assert len(list(results)) == 24
    assert [len(batch.lines) for batch in batches.made.values()] == [10, 10, 5]


def test_a_lost_answer_makes_no_second_batch(api: Client, batches: Batches) -> None:
    problem = {"title": "No", "status": 500, "code": "internal"}
    batches.refuse = [JSONResponse(problem, 500)]
    api.batches.create(urls(3), kind="capture")
    api.batches.create(urls(3), kind="capture", idempotency_key="k")
    again = api.batches.create(urls(3), kind="capture", idempotency_key="k")
    assert (len(batches.made), again.id) == (2, "bat_1")


def test_large_lists_go_as_a_file(api: Client, batches: Batches) -> None:
    long = [f"https://shop.test/{number}?{'x' * 200}" for number in range(9_000)]
    made = api.batches.create(long, kind="capture", options={"tier": "static"}, concurrency=500)
    batch = batches.made[made.id]
    assert (made.counts.total, batch.asked["concurrency"]) == (9_000, "500")
    assert json.loads(batch.asked["options"]) == {"tier": "static"}


def test_a_look_tells_only_what_is_new_in_another_process_too(api: Client, batches: Batches) -> None:
    batches.each_look = 3
    made = api.batches.create(urls(10), kind="capture")
    mark, told = Bookmark(), list[str]()
    for _ in range(6):
        news = api.batches.look(made.id, mark, window=4)
        told += [one.url for one in news.results]
        mark = Bookmark(news.bookmark.cursor, frozenset(json.loads(json.dumps(sorted(news.bookmark.told)))))
        if news.complete:
            break
    while not news.complete:
        news = api.batches.look(made.id, news.bookmark, window=4)
        told += [one.url for one in news.results]
    assert sorted(told) == sorted(urls(10))


def test_results_pages_rejects_and_wait(api: Client, batches: Batches) -> None:
    made = api.batches.create([*urls(700), "x"], kind="capture")
    batches.each_look = 400
    assert api.batches.wait(made.id, timeout_s=60).status == "completed"
    assert [one.url for one in api.batches.results(made.id)] == urls(700)
    assert [one.reason for one in api.batches.rejected(made.id)] == ["url_invalid"]
    assert b"".join(api.batches.download(made.id)).count(b"\n") == 700


def test_a_batch_that_is_not_there_is_an_error(api: Client) -> None:
    with pytest.raises(errors.NotFoundError):
        list(api.batches.follow("bat_none"))


def test_a_wait_that_is_over_says_so_and_leaves_it_running(api: Client, batches: Batches) -> None:
    batches.each_look = 0
    made = api.batches.create(urls(1))
    with pytest.raises(errors.WaitedTooLongError) as caught:
        api.batches.wait(made.id, timeout_s=0)
    assert caught.value.job_id == made.id


@pytest.mark.anyio
async def test_the_same_with_asyncio(batches: Batches) -> None:
    batches.each_look = 40
    transport = httpx2.ASGITransport(app=batches.app())
    async with AsyncClient("", "http://api.test", transport=transport) as client:
        found = [one.url async for one in client.fetch_batch([*urls(120), "nonsense"])]
    assert sorted(found) == sorted([*urls(120), "nonsense"])
