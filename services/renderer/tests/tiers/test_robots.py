import asyncio

import pytest

from contracts.errors import ErrorCode
from renderer.tiers.robots import File, Robots
from runtime.errors import ServiceError
from runtime.netguard import parse

RULES = """
User-agent: *
Disallow: /private
Allow: /private/open
Disallow: /*.pdf$

User-agent: croanalyzer
Disallow: /not-for-us
"""


class Web:
    """Answers with one file and counts how often it was asked for."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.asked: list[str] = []
        self.now = 0.0
        self.gate: asyncio.Event | None = None

    async def fetch(self, url: str) -> File:
        self.asked.append(url)
        if self.gate:
            await self.gate.wait()
        return self.file

    def robots(self, agent: str = "Other") -> Robots:
        return Robots(self.fetch, agent, lambda: self.now)


def allowed(robots: Robots, url: str) -> bool:
    try:
        asyncio.run(robots.check(parse(url)))
    except ServiceError as exc:
        return exc.code is not ErrorCode.ROBOTS_DISALLOWED
    return True


@pytest.mark.parametrize(
    ("agent", "path", "expected"),
    [
        ("Other", "/", True),
        ("Other", "/private/x", False),
        ("Other", "/private/open/x", True),
        ("Other", "/a/b.pdf", False),
        ("Other", "/a/b.pdf?x", True),
        ("Other", "/not-for-us", True),
        ("CroAnalyzer", "/not-for-us", False),
        ("CroAnalyzer", "/private/x", True),
    ],
)
def test_rules_are_kept(agent: str, path: str, expected: bool) -> None:  # noqa: FBT001  # a row of a table
    assert allowed(Web(File(200, RULES)).robots(agent), f"http://shop.test{path}") is expected


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (File(404), True),
        (File(401), True),
        (File(403), True),
        (File(429), True),
        (File(500), False),
        (File(503), False),
        (File(0), False),
        (File(200, ""), True),
        (File(200, "<html>No such page</html>"), True),
        (File(200, "\x00\ufffd" * 10_000), True),
        (File(200, "User-agent: *\nDisallow: /" + "*a" * 5_000), True),
    ],
)
def test_absent_allows_everything_and_unreachable_nothing(file: File, expected: bool) -> None:  # noqa: FBT001  # a row
    assert allowed(Web(file).robots(), "http://shop.test/" + "a" * 4_000) is expected


def test_a_file_is_asked_for_once_a_day_and_per_origin() -> None:
    web = Web(File(200, RULES))
    robots = web.robots()
    for url in ("http://shop.test/a", "http://shop.test/b", "https://shop.test/", "http://shop.test:81/"):
        assert allowed(robots, url)
    assert web.asked == [
        f"{o}/robots.txt" for o in ("http://shop.test:80", "https://shop.test:443", "http://shop.test:81")
    ]
    web.now = 24 * 3_600
    assert allowed(robots, "http://shop.test/a")
    assert len(web.asked) == 4


def test_an_unreachable_file_is_asked_for_again_soon_and_known_rules_stand() -> None:
    web = Web(File(503))
    robots = web.robots()
    assert not allowed(robots, "http://shop.test/")
    web.file, web.now = File(200, RULES), 299
    assert not allowed(robots, "http://shop.test/")
    web.now = 300
    assert allowed(robots, "http://shop.test/")
    web.file, web.now = File(0), 300 + 24 * 3_600
    assert allowed(robots, "http://shop.test/")
    assert not allowed(robots, "http://shop.test/private")


def test_many_who_wait_ask_once_and_one_who_leaves_takes_nobody_along() -> None:
    async def test() -> None:
        web = Web(File(404))
        web.gate = asyncio.Event()
        robots = web.robots()
        waiting = [asyncio.create_task(robots.check(parse("http://shop.test/"))) for _ in range(5)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        web.gate.set()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError] + [type(None)] * 4
        assert len(web.asked) == 1
        await robots.aclose()

    asyncio.run(test())
