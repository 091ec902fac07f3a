"""A page as a document: Markdown, text, links, metadata. Pure functions of HTML, for every tier."""

from renderer.documents.document import Document, read
from renderer.documents.links import Kind, Link
from renderer.documents.metadata import Metadata
from renderer.documents.pieces import piece, safeguards

__all__ = ["Document", "Kind", "Link", "Metadata", "piece", "read", "safeguards"]
