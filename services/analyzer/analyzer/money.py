"""Amounts of money in running text."""

import re

_SIGN = r"(?:[$€£¥₹₽₺₩]|R\$|US\$|(?<![A-Za-z])(?:USD|EUR|GBP|CHF|PLN|SEK|NOK|DKK|CAD|AUD|JPY|INR|BRL|Fr\.)(?![A-Za-z]))"
_AFTER = r"(?:[$€£¥₹₽₺₩]|(?:USD|EUR|GBP|CHF|PLN|SEK|NOK|DKK|CAD|AUD|JPY|INR|BRL|zł|kr|Kč|Ft|lei)(?![A-Za-z]))"
_NUMBER = r"\d{1,3}(?:[ .,'\u00a0\u202f]\d{3})*(?:[.,](?:\d{1,2}|[-–]{1,2}))?|\d+"
_AMOUNT = re.compile(rf"{_SIGN}[\s\u00a0]?(?:{_NUMBER})|(?:{_NUMBER})[\s\u00a0\u202f]?{_AFTER}")


def amounts(text: str) -> list[str]:
    """Return every number that has a currency beside it."""
    return _AMOUNT.findall(text)
