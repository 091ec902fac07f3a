"""Pages and pictures that can be told apart: each has a word and a colour of its own."""

import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from tests.fixtures.site import Site, page, png

_STEP, _LEVELS = 17, 16
_HALF = _STEP // 2
_INSIDE = 6
_WORDS = "Fair prices, honest photographs and delivery within two working days. " * 6
_BODY = """<style>body {{ margin: 0; padding: 60px; background: rgb{colour}; color: {ink} }}</style>
<main><h1>Bags of the make {word}</h1><p>{words}</p><p><a href='/buy?{word}'>Buy {word} now</a></p>
<section><h2>Why {word}</h2><p>{words}</p></section></main>"""


@dataclass(frozen=True)
class Marked:
    """A page, or a picture, that no other one is taken for."""

    number: int
    url: str

    @property
    def word(self) -> str:
        return word_of(self.number)

    def picture(self) -> bytes:
        """Return a picture in its colour."""
        return png(800, 1200, colour_of(self.number))


def word_of(number: int) -> str:
    """Return what only this page says."""
    return f"quokka{number:06d}x"


def colour_of(number: int) -> tuple[int, int, int]:
    """Return a colour that is far enough from the others to survive JPEG."""
    red, green, blue = (number // _LEVELS**place % _LEVELS * _STEP for place in range(3))
    return red, green, blue


def looks_like(number: int, content: bytes, size: tuple[int, int] | None = None) -> str:
    """Return what is wrong with a picture of that page; nothing where it is right."""
    try:
        picture = Image.open(io.BytesIO(content))
        picture.load()
    except (OSError, ValueError) as error:
        return f"no picture: {error}"
    if size is not None and picture.size != size:
        return f"{picture.size} instead of {size}"
    seen = picture.convert("RGB").getpixel((_INSIDE, _INSIDE))
    assert isinstance(seen, tuple)
    wanted = colour_of(number)
    same = all(abs(one - other) <= _HALF for one, other in zip(seen, wanted, strict=True))
    return "" if same else f"colour {seen} instead of {wanted}"


class Pages:
    """Makes them, each once."""

    def __init__(self, site: Site, first: int = 1) -> None:
        """Number them from `first`."""
        self._site = site
        self._numbers: Iterator[int] = itertools.count(first)

    def new(self) -> Marked:
        """Serve one more page."""
        number = next(self._numbers)
        colour, word = colour_of(number), word_of(number)
        ink = "#000" if sum(colour) > 3 * 128 else "#fff"
        body = _BODY.format(colour=colour, ink=ink, word=word, words=_WORDS)
        self._site.pages[f"/{word}"] = page(f"Bags {word}", body)
        return Marked(number, self._site.url(f"/{word}"))
