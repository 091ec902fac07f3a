"""What each model costs and how large a picture it sees, from the dated table in models.toml."""

import tomllib
from decimal import Decimal
from importlib import resources

from contracts.result import TokenUsage
from contracts.wire import Wire

_MILLION = Decimal(1_000_000)
_MICRODOLLAR = Decimal("0.000001")


class Price(Wire):
    """USD per million tokens for prompts of at most `up_to_input` tokens."""

    up_to_input: int
    input: Decimal
    output: Decimal
    write_5m: Decimal
    write_1h: Decimal
    read: Decimal


class Model(Wire):
    """A row of the table. Pictures above `max_edge_px` or `max_image_tokens` would be scaled by the provider."""

    id: str
    max_edge_px: int
    max_image_tokens: int
    prices: tuple[Price, ...]


class _Table(Wire):
    dated: str
    batch_share: Decimal
    models: tuple[Model, ...]


def _load() -> _Table:
    text = resources.files("analyzer.judging").joinpath("models.toml").read_text("utf-8")
    return _Table.model_validate(tomllib.loads(text, parse_float=Decimal))


_TABLE = _load()
DATED = _TABLE.dated
"""The day on which the prices were read."""
_STRICTEST = Model(id="", max_edge_px=1_568, max_image_tokens=1_568, prices=())


def find(model: str) -> Model:
    """Return the row of a model or of its dated id; an unknown model has no price and gets the smallest pictures."""
    rows = (row for row in _TABLE.models if model == row.id or model.startswith(f"{row.id}-2"))
    return next(rows, _STRICTEST)


def cost(model: str, usage: TokenUsage, *, batch: bool = False) -> Decimal | None:
    """Return what one request cost in USD, to the microdollar; None for a model that the table does not know.

    A batch costs `batch_share` of the price.
    """
    prompt = usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h
    rows = find(model).prices
    if not rows:
        return None
    price = next((row for row in rows if prompt <= row.up_to_input), rows[-1])
    total = (
        price.input * usage.input
        + price.read * usage.cache_read
        + price.write_5m * usage.cache_write_5m
        + price.write_1h * usage.cache_write_1h
        + price.output * usage.output
    )
    return (total * (_TABLE.batch_share if batch else 1) / _MILLION).quantize(_MICRODOLLAR)
