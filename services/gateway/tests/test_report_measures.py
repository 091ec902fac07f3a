import math

import pytest

from contracts.geometry import ViewportName
from contracts.result import Evidence, Reliability
from gateway.report.measures import measures, number, quantity, swatch


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.5, ":1", "1.5:1"),
        (4.5, "ratio", "4.5:1"),
        (44.0, "px", "44 px"),
        (850, "ms", "850 ms"),
        (3100, "ms", "3.1 s"),
        (3_412_880, "bytes", "3.4 MB"),
        (2_600, "kb", "2.6 MB"),
        (512, "bytes", "512 bytes"),
        (0.234, "share", "23.4%"),
        (23.4, "%", "23.4%"),
        (1234567, "", "1,234,567"),
        (0.1234, "", "0.12"),
        (12, "words", "12 words"),
        (1, "links", "1 link"),
        (1, "px", "1 px"),
        ("submit", "px", "submit"),
        (math.inf, "px", "unknown px"),
    ],
)
def test_quantities_read_naturally(value: float | str, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_numbers_keep_their_zeros() -> None:
    assert number(100) == "100"
    assert number(1.10) == "1.1"


def evidence(value: float | str | None, threshold: float | str | None, viewport: ViewportName) -> Evidence:
    return Evidence(kind="measurement", viewport=viewport, metric="contrast_ratio", value=value, threshold=threshold)


def test_equal_measurements_become_one_line() -> None:
    lines = measures([evidence(2.0, 4.5, v) for v in (ViewportName.MOBILE, ViewportName.DESKTOP, ViewportName.MOBILE)])
    assert [(m.label, m.value, m.relation, m.threshold, m.where) for m in lines] == [
        ("Contrast ratio", "2", "at least", "4.5", "desktop and phone")
    ]


def test_different_measurements_stay_apart() -> None:
    lines = measures([evidence(2.0, 4.5, ViewportName.DESKTOP), evidence(3.0, 4.5, ViewportName.MOBILE)])
    assert [(m.value, m.where) for m in lines] == [("2", "desktop"), ("3", "phone")]


@pytest.mark.parametrize(
    ("value", "threshold", "relation"),
    [
        (9.0, 5.0, "at most"),
        (1.0, 5.0, "at least"),
        (5.0, 5.0, "limit"),
        ("#!", "a page", "expected"),
        (3.0, None, "expected"),
    ],
)
def test_the_relation_follows_from_the_values(value: float | str, threshold: float | str | None, relation: str) -> None:
    assert measures([evidence(value, threshold, ViewportName.DESKTOP)])[0].relation == relation


def test_the_scale_holds_value_and_threshold() -> None:
    scale = measures([evidence(9.0, 4.5, ViewportName.DESKTOP)])[0].scale
    assert scale
    assert (scale.value, scale.threshold) == (80.0, 40.0)


@pytest.mark.parametrize("pair", [(math.inf, 1.0), (math.nan, 1.0), (-1.0, 3.0), (0.0, 0.0), ("x", 1.0), (1.0, None)])
def test_what_has_no_scale_gets_none(pair: tuple[float | str, float | str | None]) -> None:
    assert measures([evidence(*pair, ViewportName.DESKTOP)])[0].scale is None


def test_nothing_measured_gives_no_line_and_reliability_is_said() -> None:
    assert measures([evidence(None, 4.5, ViewportName.DESKTOP)]) == []
    rough = evidence(1.0, 2.0, ViewportName.DESKTOP).model_copy(update={"reliability": Reliability.ESTIMATED})
    assert measures([rough])[0].note == "estimated from pixels"


def test_swatches_know_their_contrast() -> None:
    black, grey = swatch("#000000 on #ffffff"), swatch("change to #777 on #FFF please")
    assert black
    assert grey
    assert (black.ratio, grey.text, grey.background, grey.ratio) == (21.0, "#777777", "#ffffff", 4.47)


@pytest.mark.parametrize("text", ["", "red on white", "#12345 on #ffffff", "#zzz on #fff", '#fff"><x> on #000'])
def test_other_texts_are_no_swatch(text: str) -> None:
    found = swatch(text)
    assert found is None or {*found.text, *found.background} <= set("#0123456789abcdef")
