"""What is done to a page between its load and its first picture: wait, click, style, hide, pause.

Waits are measured from outside: a page's own timers may be frozen. One that fails costs a warning, never the result.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable

import structlog

from contracts.errors import ErrorCode, FieldError
from contracts.render import Warning  # noqa: A004  # the contract's word
from contracts.visit import Prepare, WaitFor
from renderer import selectors
from renderer.page import Page
from runtime.errors import ServiceError

log = structlog.get_logger(__name__)

_POLL_S = 0.05
_SHARE = 0.6
"""How much of the time that is left preparing may take: settling and pictures need the rest."""

_FUNCTION = "prepare.wait_for.function"
_STATE = """
(() => {
  %(shown)s
  const found = [...document.querySelectorAll(%(selector)s)];
  return found.some(shown) ? 'visible' : found.length ? 'attached' : 'missing';
})()
"""
_MET = {"visible": {"visible"}, "attached": {"visible", "attached"}, "hidden": {"attached", "missing"}}
# A caller writes an expression or a function; what either returns may be a promise. The line breaks end its comments.
_TRUE = """
(async () => {
  const wanted = (
%s
  );
  return Boolean(await (typeof wanted === 'function' ? wanted() : wanted));
})()
"""
# The middle of the first line box: a link that wraps has nothing at the middle of its bounding box.
_POINT = """
(() => {
  %(shown)s
  const node = [...document.querySelectorAll(%(selector)s)].find(shown);
  if (!node) return 'null';
  const before = [scrollX, scrollY];
  node.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
  const box = node.getClientRects()[0];
  const within = (value, most) => Math.min(Math.max(value, 1), most - 1);
  return JSON.stringify({
    x: within(box.left + box.width / 2, innerWidth),
    y: within(box.top + box.height / 2, innerHeight),
    before, after: [scrollX, scrollY],
  });
})()
"""
# Only if nothing else has scrolled since: a click on a link to a part of the page is meant to.
_RETURN = """
(() => {
  const after = %(after)s, before = %(before)s;
  if (scrollX === after[0] && scrollY === after[1]) {
    scrollTo({left: before[0], top: before[1], behavior: 'instant'});
  }
  return '';
})()
"""
# Adopted sheets are out of reach of the page's content security policy.
_STYLE = """
(() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(%s);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  return '';
})()
"""
_MISSING = "JSON.stringify(%s.filter((selector) => !document.querySelector(selector)))"


async def prepare(page: Page, wanted: Prepare, end: float) -> list[Warning]:
    """Do it all within a share of the time until `end` (event loop's clock); return what could not be done.

    Raises `ServiceError` (invalid_request) for a selector or a function that the browser cannot read.
    """
    if wanted == Prepare():
        return []
    clock = asyncio.get_running_loop().time
    until = clock() + _SHARE * max(0.0, end - clock())
    try:
        async with asyncio.timeout_at(until):
            await selectors.check(page, _selectors(wanted))
    except TimeoutError:
        return [Warning.WAIT_FAILED]
    warnings = []
    for step in (_wait, _click, _style, _pause):
        warnings += await step(page, wanted, until)
    return list(dict.fromkeys(warnings))


async def _wait(page: Page, wanted: Prepare, until: float) -> list[Warning]:
    rule = wanted.wait_for
    until = min(until, asyncio.get_running_loop().time() + rule.max_ms / 1000)
    met = True
    if rule.selector:
        met = await _becomes_true(lambda: _in_state(page, rule), until)
    if rule.function and met:
        log.info("caller_script_run", characters=len(rule.function))
        met = await _becomes_true(lambda: _true(page, rule.function, until), until)
    return [] if met else [Warning.WAIT_FAILED]


async def _click(page: Page, wanted: Prepare, until: float) -> list[Warning]:
    warnings = []
    for selector in wanted.click:
        try:
            async with asyncio.timeout_at(until):
                if not await _click_one(page, selector):
                    warnings.append(Warning.SELECTOR_MISSING)
        except TimeoutError:
            return [*warnings, Warning.WAIT_FAILED]
    return warnings


async def _style(page: Page, wanted: Prepare, until: float) -> list[Warning]:
    hidden = [f"{selector}, :is({selector}) * {{ visibility: hidden !important }}" for selector in wanted.hide]
    sheets = [sheet for sheet in (wanted.css, "\n".join(hidden)) if sheet.strip()]
    try:
        async with asyncio.timeout_at(until):
            for sheet in sheets:
                await page.evaluate(_STYLE % json.dumps(sheet))
            missing = json.loads(await page.evaluate(_MISSING % json.dumps(wanted.hide))) if wanted.hide else []
    except TimeoutError:
        return [Warning.WAIT_FAILED]
    return [Warning.SELECTOR_MISSING] if missing else []


async def _pause(_page: Page, wanted: Prepare, until: float) -> list[Warning]:
    asked = wanted.wait_for.delay_ms / 1000
    granted = min(asked, max(0.0, until - asyncio.get_running_loop().time()))
    await asyncio.sleep(granted)
    return [] if granted == asked else [Warning.WAIT_FAILED]


async def _click_one(page: Page, selector: str) -> bool:
    place = json.loads(await page.evaluate(_POINT % _filled(selector)))
    if not place:
        return False
    await page.press(place["x"], place["y"])
    # A handler's navigation is announced by the time that the page has answered once more.
    await page.evaluate(_RETURN % {"after": place["after"], "before": place["before"]})
    await page.followed()
    return True


async def _becomes_true(met: Callable[[], Awaitable[bool]], until: float) -> bool:
    try:
        async with asyncio.timeout_at(until):
            while not await met():  # noqa: ASYNC110  # a page sends no event when a condition is met
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        return False
    return True


async def _in_state(page: Page, rule: WaitFor) -> bool:
    return await page.evaluate(_STATE % _filled(rule.selector)) in _MET[rule.state]


async def _true(page: Page, function: str, until: float) -> bool:
    left = until - asyncio.get_running_loop().time()
    answer = await page.run_script(_TRUE % function.strip().rstrip(";"), left)
    if "exceptionDetails" not in answer:
        return bool(answer["result"].get("value"))
    error = answer["exceptionDetails"].get("exception", {})
    if error.get("className") == "SyntaxError":
        message = f"This is not JavaScript: {error.get('description', '')[:200]}"
        fields = [FieldError(field=_FUNCTION, message=message)]
        raise ServiceError(ErrorCode.INVALID_REQUEST, f"{_FUNCTION}: {message}", errors=fields)
    return False  # what it speaks of may not be there yet


def _filled(selector: str) -> dict[str, str]:
    return {"shown": selectors.SHOWN, "selector": json.dumps(selector)}


def _selectors(wanted: Prepare) -> dict[str, str]:
    fields = {f"prepare.{part}.{n}": text for part in ("click", "hide") for n, text in enumerate(getattr(wanted, part))}
    rule = wanted.wait_for
    return {"prepare.wait_for.selector": rule.selector, **fields} if rule.selector else fields
