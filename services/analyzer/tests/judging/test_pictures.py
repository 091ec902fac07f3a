import io
from collections.abc import Callable

import pytest
from PIL import Image

from analyzer.judging import prices
from analyzer.judging.pictures import fitted, prepare, tokens

HIGH = prices.find("claude-haiku-5-5")
STANDARD = prices.find("claude-haiku-4-5")


@pytest.mark.parametrize("size", [(1440, 900), (1440, 2576), (780, 1688), (390, 844)])
def test_sizes_are_kept_where_they_fit(size: tuple[int, int]) -> None:
    assert fitted(*size, HIGH) == size


@pytest.mark.parametrize("size", [(1440, 900), (1440, 1900), (10, 9000), (9000, 10), (1, 1), (3000, 3000)])
def test_no_size_exceeds_the_limits_or_could_be_larger(size: tuple[int, int]) -> None:
    width, height = fitted(*size, STANDARD)
    assert tokens(width, height) <= STANDARD.max_image_tokens
    assert max(width, height) <= STANDARD.max_edge_px
    larger = max(width, height) + 1
    scale = larger / max(size)
    next_size = round(size[0] * scale), round(size[1] * scale)
    fits = larger <= STANDARD.max_edge_px and tokens(*next_size) <= STANDARD.max_image_tokens
    assert (width, height) == size or not fits


def test_a_fitting_picture_is_sent_as_it_is(picture_of: Callable[..., bytes]) -> None:
    data = picture_of(1440, 900, "WEBP")
    sent = prepare({"s1": data}, HIGH)["s1"]
    assert (sent.data, sent.media_type, sent.width, sent.height) == (data, "image/webp", 1440, 900)


def test_a_large_picture_is_scaled(picture_of: Callable[..., bytes]) -> None:
    sent = prepare({"s1": picture_of(1440, 900, "PNG")}, STANDARD)["s1"]
    assert sent.media_type == "image/jpeg"
    with Image.open(io.BytesIO(sent.data)) as image:
        assert image.size == (sent.width, sent.height)
    assert sent.width < 1440


def test_a_broken_picture_is_left_out(picture_of: Callable[..., bytes]) -> None:
    whole = picture_of(2880, 1800)
    assert list(prepare({"s1": b"no picture", "s2": whole[: len(whole) // 2], "s3": whole}, HIGH)) == ["s3"]


def test_at_most_twenty_pictures(picture_of: Callable[..., bytes]) -> None:
    small = picture_of(40, 40)
    assert len(prepare({f"s{number}": small for number in range(30)}, HIGH)) == 20


def test_a_phones_picture_is_sent_in_css_pixels(picture_of: Callable[..., bytes]) -> None:
    images = {"phone": picture_of(780, 1688), "desktop": picture_of(1440, 900), "other": picture_of(780, 1688)}
    ready = prepare(images, HIGH, {"phone": 390, "desktop": 1440})
    assert {key: (one.width, one.height) for key, one in ready.items()} == {
        "phone": (390, 844),
        "desktop": (1440, 900),
        "other": (780, 1688),
    }
