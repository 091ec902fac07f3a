from itertools import combinations

import pytest

from contracts.geometry import Box, ViewportName
from gateway.report.marks import SPACE, Place, marks, style

SHOWN = Box(x=0, y=0, width=1440, height=6000)
DESKTOP = ViewportName.DESKTOP


def test_a_box_is_placed_in_percent_of_the_picture() -> None:
    (mark,) = marks([Place(1, Box(x=144, y=600, width=288, height=60))], SHOWN, DESKTOP)
    assert (mark.left, mark.top, mark.width, mark.height) == pytest.approx((10, 10, 20, 1))
    assert (mark.pin_x, mark.pin_y) == pytest.approx((10, 10))


def test_a_picture_that_starts_lower_moves_the_box() -> None:
    shown = Box(x=0, y=3000, width=1440, height=1000)
    (mark,) = marks([Place(1, Box(x=0, y=3500, width=1440, height=100))], shown, DESKTOP)
    assert (mark.top, mark.height) == pytest.approx((50, 10))


def test_what_lies_outside_is_left_out_and_what_overhangs_is_cut() -> None:
    outside = [Box(x=0, y=6001, width=10, height=10), Box(x=-50, y=5, width=40, height=10)]
    overhanging = Box(x=-100, y=5900, width=2000, height=500)
    placed = marks([Place(n, box) for n, box in enumerate([*outside, overhanging], 1)], SHOWN, DESKTOP)
    assert [mark.number for mark in placed] == [3]
    assert (placed[0].left, placed[0].width) == (0, 100)
    assert placed[0].top + placed[0].height == pytest.approx(100)


def test_numbers_never_lie_on_each_other() -> None:
    same = Box(x=600, y=476, width=218, height=69)
    corner = Box(x=0, y=0, width=1440, height=900)
    places = [Place(n, same if n % 2 else corner) for n in range(1, 41)]
    placed = marks(places, SHOWN, DESKTOP)
    gap = SHOWN.width * SPACE[DESKTOP] * 0.98
    for one, other in combinations(placed, 2):
        apart = abs(one.pin_x - other.pin_x) * 14.4 >= gap or abs(one.pin_y - other.pin_y) * 60 >= gap
        assert apart, (one, other)


def test_numbers_stay_inside_the_picture() -> None:
    edges = [Box(x=0, y=0, width=5, height=5), Box(x=1438, y=5998, width=2, height=2)]
    for mark in marks([Place(n, box) for n, box in enumerate(edges, 1)], SHOWN, DESKTOP):
        assert 1 < mark.pin_x < 99
        assert 0 < mark.pin_y < 100


def test_ids_are_unique_and_the_style_names_them() -> None:
    box = Box(x=10, y=10, width=10, height=10)
    placed = marks([Place(1, box), Place(1, box), Place(2, box)], SHOWN, DESKTOP)
    assert [mark.id for mark in placed] == ["desktop-1-1", "desktop-1-2", "desktop-2-1"]
    assert style(placed[0]).startswith("#box-desktop-1-1{left:0.6944%;top:0.1667%;")


def test_a_crowd_beyond_hope_still_ends() -> None:
    box = Box(x=0, y=0, width=1440, height=6000)
    assert len(marks([Place(n, box) for n in range(1, 400)], SHOWN, DESKTOP)) == 399


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_boxes_that_are_no_numbers_do_no_harm(value: float) -> None:
    assert marks([Place(1, Box(x=value, y=0, width=10, height=10))], SHOWN, DESKTOP) == []
