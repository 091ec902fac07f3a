"""A local stand-in for the Messages API: for tests and for work without a key. Never part of the product."""
