"""CSS selectors that callers write: whether they are selectors, and what of the page they show."""

import json
from collections.abc import Mapping

from contracts.errors import ErrorCode, FieldError
from renderer.page import Page
from runtime.errors import ServiceError

SHOWN = """
const shown = (node) => {
  const box = node.getBoundingClientRect();
  return box.width > 0 && box.height > 0 && node.checkVisibility({visibilityProperty: true});
};
"""
"""Whether a visitor could see the element if it were scrolled to."""

_VALID = """
(() => {
  const nothing = document.createDocumentFragment();
  const valid = (selector) => { try { nothing.querySelector(selector); return true } catch { return false } };
  return JSON.stringify(%s.map(valid));
})()
"""


async def check(page: Page, fields: Mapping[str, str]) -> None:
    """Raise `ServiceError` (invalid_request) naming each field whose selector the browser cannot read."""
    if not fields:
        return
    valid = json.loads(await page.evaluate(_VALID % json.dumps(list(fields.values()))))
    message = "This is not a CSS selector."
    wrong = [FieldError(field=name, message=message) for name, good in zip(fields, valid, strict=True) if not good]
    if wrong:
        detail = "; ".join(f"{error.field}: {error.message}" for error in wrong[:3])
        raise ServiceError(ErrorCode.INVALID_REQUEST, detail, errors=wrong)
