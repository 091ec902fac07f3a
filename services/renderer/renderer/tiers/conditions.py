"""What the request said must not be, looked for in a page that no browser has opened."""

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from contracts.errors import ErrorCode, FieldError
from contracts.visit import FailIf
from renderer.tiers.page import Page
from renderer.tiers.seen import Seen
from runtime.errors import ServiceError

_NOTHING = FailIf()


def check(fail_if: FailIf, page: Page, seen: Seen) -> None:
    """Raise `ServiceError` CAPTURE_REFUSED for the first condition that holds; its detail says which."""
    if fail_if == _NOTHING:
        return
    if page.status in fail_if.statuses:
        raise _refused(f"the site answered {page.status}")
    for text in fail_if.text_present:
        if text in seen.text:
            raise _refused(f"the page shows “{text[:100]}”")
    for text in fail_if.text_absent:
        if text not in seen.text:
            raise _refused(f"the page does not show “{text[:100]}”")
    _check_selectors(fail_if.selector_absent, page)


def _check_selectors(selectors: list[str], page: Page) -> None:
    tree = LexborHTMLParser(page.markup) if selectors else None
    for index, selector in enumerate(selectors):
        try:
            found = tree and tree.css_first(selector)
        except (SelectolaxError, ValueError) as exc:
            raise _invalid(f"fail_if.selector_absent.{index}") from exc
        if not found:
            raise _refused(f"the page has nothing for “{selector[:100]}”")


def _refused(what: str) -> ServiceError:
    return ServiceError(ErrorCode.CAPTURE_REFUSED, f"Refused as fail_if asks: {what}.")


def _invalid(name: str) -> ServiceError:
    message = "This is not a CSS selector."
    return ServiceError(
        ErrorCode.INVALID_REQUEST, f"{name}: {message}", errors=[FieldError(field=name, message=message)]
    )
