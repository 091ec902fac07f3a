"""Stand-in until the report is merged."""

from datetime import datetime
from html import escape

from contracts.result import Analysis


def render(analysis: Analysis, pictures: dict[str, bytes], *, generated_at: datetime) -> str:
    """Return a page with the score only."""
    return (
        f"<!doctype html><title>{escape(analysis.page.title)}</title><h1>{analysis.scores.overall}</h1>"
        f"<p>{len(pictures)} pictures, {generated_at:%Y-%m-%d}</p>"
    )
