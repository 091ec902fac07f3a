"""Two analyses of one address beside each other."""

import pytest

from contracts.comparison import Comparison
from tests.fixtures.gateway import Platform

pytestmark = pytest.mark.anyio

URL = "https://shop.test/"
NO_SUCH_ID = "an_" + "0" * 32


async def analysed(platform: Platform, url: str = URL) -> str:
    answer = await platform.http.post("/v1/analyses", json={"url": url, "wait": 60})
    assert answer.json()["status"] == "succeeded", answer.text
    return str(answer.json()["id"])


async def test_the_earlier_analysis_is_before_whichever_is_asked(working: Platform) -> None:
    first, second = await analysed(working), await analysed(working)
    for one, other in ((first, second), (second, first)):
        answer = await working.http.get(f"/v1/analyses/{one}/compare", params={"with": other})
        assert answer.status_code == 200, answer.text
        found = Comparison.model_validate_json(answer.content)
        assert (found.before_id, found.after_id) == (first, second)
        assert (found.fixed, found.new, found.notes) == ([], [], [])


async def test_analyses_of_other_addresses_are_not_compared(working: Platform) -> None:
    first, second = await analysed(working), await analysed(working, "https://shop.test/other")
    answer = await working.http.get(f"/v1/analyses/{first}/compare", params={"with": second})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["field"] == "with"


async def test_what_is_not_finished_is_a_conflict(platform: Platform) -> None:
    ids = [(await platform.http.post("/v1/analyses", json={"url": URL})).json()["id"] for _ in range(2)]
    answer = await platform.http.get(f"/v1/analyses/{ids[0]}/compare", params={"with": ids[1]})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_what_is_not_there_or_somebody_elses_is_not_found(working: Platform) -> None:
    own = await analysed(working)
    for one, other in ((own, NO_SUCH_ID), (NO_SUCH_ID, own)):
        answer = await working.http.get(f"/v1/analyses/{one}/compare", params={"with": other})
        assert answer.status_code == 404


async def test_another_analysis_must_be_named(working: Platform) -> None:
    answer = await working.http.get(f"/v1/analyses/{NO_SUCH_ID}/compare")
    assert answer.status_code == 422
