"""Fixtures that every suite may use."""

pytest_plugins = [
    "tests.fixtures.hanging",
    "tests.fixtures.logs",
    "tests.fixtures.site",
    "tests.fixtures.pages",
    "tests.fixtures.shop",
    "tests.fixtures.postgres",
    "tests.fixtures.redis",
    "tests.fixtures.s3",
]
