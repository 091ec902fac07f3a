"""The browser that reads small pages, for this folder."""

from tests.fixtures.reading import read, reader

__all__ = ["read", "reader"]
