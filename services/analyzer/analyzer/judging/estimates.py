"""What a request will take, by our own arithmetic, before it is sent: tokens, and what they cost at most."""

import math
from decimal import Decimal

from analyzer.judging import pictures, prices
from analyzer.judging.body import CAPTURE_TOOL, Order, written
from analyzer.judging.exchange import Prompt
from contracts.result import TokenUsage

BYTES_PER_TOKEN = 3.3
"""UTF-8 bytes: about 3.3 characters of English a token, and about one token for a Chinese character."""


def text_tokens(text: str) -> int:
    """Return the tokens of a text."""
    return math.ceil(len(text.encode()) / BYTES_PER_TOKEN)


def _cached_tokens(prompt: Prompt) -> int:
    """Return the tokens before the cache mark, which cost a little more where they are written."""
    return text_tokens(prompt.rubric) + text_tokens(written(CAPTURE_TOOL).decode())


def input_tokens(prompt: Prompt, order: Order) -> int:
    """Return the input tokens of a request."""
    labels = "".join(label for label, _ in prompt.pictures)
    own = prompt.marker + prompt.task + labels + prompt.document + prompt.closing
    seen = sum(pictures.tokens(picture.width, picture.height) for _, picture in prompt.pictures)
    return _cached_tokens(prompt) + text_tokens(own) + text_tokens(written(dict(order.schema)).decode()) + seen


def most_usd(prompt: Prompt, order: Order, *, batch: bool = False) -> Decimal | None:
    """Return what a request costs at most: nothing in the cache yet, every output token used. None: unknown price."""
    cached = _cached_tokens(prompt)
    rest = input_tokens(prompt, order) - cached
    usage = TokenUsage(input=rest, cache_write_5m=cached, output=order.max_tokens)
    return prices.cost(order.model, usage, batch=batch)
