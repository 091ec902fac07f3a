"""What makes a job fail on purpose, so that nobody gets a picture of the wrong thing."""

import json
import re
from collections.abc import Iterable

from contracts.errors import ErrorCode
from contracts.visit import FailIf
from renderer import selectors
from renderer.page import Page
from runtime.errors import ServiceError

# What is written on the page for a visitor, open shadow roots and frames of the same origin included.
_TEXT = """
(() => {
  const missing = %s.filter((selector) => !document.querySelector(selector));
  const read = (root, host) => {
    let text = host ? host.innerText : [...root.children].map((node) => node.innerText || '').join(' ');
    for (const node of root.querySelectorAll('*')) {
      if (node.shadowRoot && node.checkVisibility()) text += ' ' + read(node.shadowRoot);
      if (node.localName === 'iframe' && node.checkVisibility()) {
        const inner = node.contentDocument;
        if (inner && inner.body) text += ' ' + read(inner, inner.body);
      }
    }
    return text;
  };
  return JSON.stringify({missing, text: document.body ? read(document, document.body).slice(0, 2e6) : ''});
})()
"""


def check_status(page: Page, rules: FailIf) -> None:
    """Raise `ServiceError` (capture_refused) for a status that must not be; nothing is asked of the browser."""
    if page.network.main.status in rules.statuses:
        raise _refusal(f"The page answered with status {page.network.main.status}.")


async def check(page: Page, rules: FailIf) -> None:
    """Raise `ServiceError`: capture_refused naming what matched, invalid_request for what is no selector."""
    if rules == FailIf():
        return
    check_status(page, rules)
    _check_requests(page, rules.request_failed)
    if not (rules.text_present or rules.text_absent or rules.selector_absent):
        return
    await selectors.check(page, {f"fail_if.selector_absent.{n}": s for n, s in enumerate(rules.selector_absent)})
    seen = json.loads(await page.evaluate(_TEXT % json.dumps(rules.selector_absent)))
    for selector in seen["missing"]:
        raise _refusal(f"Nothing on the page matches the selector “{selector}”.")
    text = _plain(seen["text"])
    for wanted in rules.text_absent:
        if _plain(wanted) not in text:
            raise _refusal(f"The page does not show the text “{wanted}”.")
    for unwanted in rules.text_present:
        if _plain(unwanted) in text:
            raise _refusal(f"The page shows the text “{unwanted}”.")


def _check_requests(page: Page, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        matches = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL).fullmatch
        for url in page.network.failures():
            if matches(url):
                raise _refusal(f"A request that must not fail has failed ({pattern}): {url[:300]}")


def _plain(text: str) -> str:
    # A style sheet may write in capitals and break lines where it likes.
    return " ".join(text.split()).casefold()


def _refusal(detail: str) -> ServiceError:
    return ServiceError(ErrorCode.CAPTURE_REFUSED, detail)
