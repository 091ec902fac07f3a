import pytest

from renderer import poison as poison_module
from renderer.poison import REMEMBERED, Poison, Verdict

URL = "http://shop.test/page"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_page_is_suspected_then_condemned_then_forgotten() -> None:
    clock = Clock()
    poison = Poison(600, clock)
    assert poison.verdict(URL) is Verdict.UNKNOWN
    poison.suspect(URL)
    assert poison.verdict(URL) is Verdict.SUSPECT
    clock.now = 599
    poison.condemn(URL)
    clock.now = 1_198
    assert poison.verdict(URL) is Verdict.CONDEMNED
    clock.now = 1_199
    assert poison.verdict(URL) is Verdict.UNKNOWN
    assert len(poison) == 0


def test_a_further_crash_of_the_condemned_does_not_make_it_a_suspect_again() -> None:
    poison = Poison(600, Clock())
    poison.condemn(URL)
    poison.suspect(URL)
    assert poison.verdict(URL) is Verdict.CONDEMNED


def test_a_fragment_makes_no_other_page() -> None:
    poison = Poison(600, Clock())
    poison.condemn(f"{URL}#a")
    assert poison.verdict(f"{URL}#b") is Verdict.CONDEMNED
    assert poison.verdict(f"{URL}?b") is Verdict.UNKNOWN


def test_a_page_that_did_no_harm_alone_is_cleared() -> None:
    poison = Poison(600, Clock())
    poison.suspect(URL)
    poison.clear(URL)
    poison.clear(URL)
    assert poison.verdict(URL) is Verdict.UNKNOWN


def test_memory_is_bounded_and_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poison_module, "_MOST", 3)
    poison = Poison(600, Clock())
    for number in range(10):
        poison.suspect(f"{URL}/{number}")
    assert len(poison) == 3
    assert REMEMBERED._value.get() == 3
    assert poison.verdict(f"{URL}/6") is Verdict.UNKNOWN
    assert poison.verdict(f"{URL}/7") is Verdict.SUSPECT


def test_what_is_over_makes_room_without_being_asked_for() -> None:
    clock = Clock()
    poison = Poison(600, clock)
    for number in range(10):
        poison.suspect(f"{URL}/{number}")
    clock.now = 601
    poison.suspect(URL)
    assert len(poison) == 1
