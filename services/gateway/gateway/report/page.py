"""The report as one HTML page that needs nothing but itself."""

import base64
import hashlib
from datetime import datetime
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from contracts.result import Analysis
from gateway.report import arithmetic, marks
from gateway.report.untrusted import plain, short
from gateway.report.view import ReportView, report_view


def render(analysis: Analysis, pictures: dict[str, bytes], *, generated_at: datetime) -> str:
    """Return the page. `pictures` has the encoded pictures by `Asset.key`; any may be missing.

    Takes most of a second of processor time and up to 100 MB for a long page, both in the caller's thread.
    """
    view = report_view(analysis, pictures, generated_at)
    style, places, script = _asset("report.css"), _places(view), _asset("report.js")
    return _ENVIRONMENT.get_template("report.html").render(
        r=view,
        style=Markup(style),  # noqa: S704  # our own file
        places=Markup(places),  # noqa: S704  # numbers that we formatted
        script=Markup(script),  # noqa: S704  # our own file
        policy=_policy([style, places], script),
    )


def _policy(styles: list[str], script: str) -> str:
    """Allow exactly the style and script that this page carries: what slipped through escaping still cannot run."""
    return "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            f"style-src {' '.join(_digest(style) for style in styles)}",
            f"script-src {_digest(script)}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


def _places(view: ReportView) -> str:
    return "".join(marks.style(mark) for page in view.pages for mark in page.marks)


def _asset(name: str) -> str:
    return resources.files("gateway.report").joinpath("templates", name).read_text("utf-8")


def _visible(value: object) -> object:
    """Run on whatever a template prints, before escaping, so that no template can forget it."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else plain(value)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("gateway.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["short"] = short
    environment.filters["signed"] = arithmetic.signed
    return environment


_ENVIRONMENT = _environment()
