"""The catalogue and its document."""

from pathlib import Path

from analyzer import catalogue
from analyzer.rules.registry import RULES

DOCUMENT = Path(__file__).parents[3] / "docs" / "rules.md"


def test_document_is_current() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == catalogue.markdown(), (
        "run: python -m analyzer.catalogue > docs/rules.md"
    )


def test_catalogue_lists_every_rule() -> None:
    listed = catalogue.catalogue()
    assert [entry.id for entry in listed.rules] == [rule.id for rule in RULES]
    assert all(entry.sources and entry.definition and entry.page_types for entry in listed.rules)
