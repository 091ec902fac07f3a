"""What a caller gets wrong in a batch is named."""

import pytest

from tests.fixtures.gateway import Platform

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


async def test_a_table_without_a_column_of_urls_is_refused_as_that(platform: Platform) -> None:
    file = ("list.csv", b"name,link\nshoe,https://shop.test/\n", "text/csv")
    answer = await platform.http.post("/v1/batches", files={"file": file}, data={"kind": "capture"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "file")
    assert "no column `url`" in answer.json()["detail"]
    listed = ("list.csv", b"nonsense\nhttps://shop.test/,a shop\n", "text/csv")
    answer = await platform.http.post("/v1/batches", files={"file": listed}, data={"kind": "capture"})
    assert (answer.status_code, answer.json()["counts"]["total"]) == (202, 1), "one bad line stops nothing"


async def test_a_webhook_url_that_cannot_be_is_named(platform: Platform) -> None:
    body = {"kind": "capture", "urls": ["https://shop.test/"], "webhook_url": "https://127.0.0.1/"}
    problem = (await platform.http.post("/v1/batches", json=body)).json()
    assert (problem["code"], problem["errors"][0]["field"]) == ("url_forbidden", "webhook_url")
    assert problem["detail"].startswith("webhook_url: 127.0.0.1")


async def test_a_batch_of_nothing_names_what_is_missing(platform: Platform) -> None:
    problem = (await platform.http.post("/v1/batches", json={"kind": "capture"})).json()
    assert problem["detail"].startswith("name either `urls`")
