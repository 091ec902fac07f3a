import pytest

from renderer.headers import MAX_HEADERS, MAX_VALUE, reported


@pytest.mark.parametrize(
    "name",
    [
        "Set-Cookie",
        "Set-Cookie2",
        "Authorization",
        "WWW-Authenticate",
        "X-Auth",
        "Proxy-Authenticate",
        "X-Api-Key",
        "x-csrf-token",
    ],
)
def test_what_lets_somebody_in_is_left_out(name: str) -> None:
    assert reported({name: "1"}) == {}


def test_what_our_own_way_out_adds_is_left_out() -> None:
    assert reported({"X-Egress-Refused": "url_forbidden", ":status": "200"}) == {}


def test_the_rest_is_shown_in_lower_case_and_on_one_line() -> None:
    assert reported({"Link": "</a>\n</b>", "X-Author": "A\x00B", "Age": 3}) == {
        "link": "</a>, </b>",
        "x-author": "A B",
        "age": "3",
    }


def test_there_is_an_end_to_it() -> None:
    many = {f"x-{n}": "a" * 10_000 for n in range(1_000)}
    shown = reported({**many, "n" * 1_000: "1"})
    assert len(shown) == MAX_HEADERS
    assert {len(value) for value in shown.values()} == {MAX_VALUE}
