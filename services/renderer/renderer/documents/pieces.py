"""The forms of a document as bytes and their content types."""

import json
from dataclasses import asdict
from typing import Final

from contracts.outputs import DocumentKind
from renderer.documents.document import Document

CONTENT_TYPES: Final = {
    DocumentKind.HTML: "text/html; charset=utf-8",
    DocumentKind.MARKDOWN: "text/markdown; charset=utf-8",
    DocumentKind.TEXT: "text/plain; charset=utf-8",
    DocumentKind.LINKS: "application/json",
    DocumentKind.METADATA: "application/json",
}


def piece(document: Document, kind: DocumentKind) -> tuple[str, bytes]:
    """Return content type and bytes of one form of a page. Never raises."""
    return CONTENT_TYPES[kind], _text(document, kind).encode("utf-8", "replace")


def _text(document: Document, kind: DocumentKind) -> str:
    match kind:
        case DocumentKind.HTML:
            return document.html
        case DocumentKind.MARKDOWN:
            return document.markdown()
        case DocumentKind.TEXT:
            return document.text()
        case DocumentKind.LINKS:
            return json.dumps([vars(link) for link in document.links()], ensure_ascii=False)
        case DocumentKind.METADATA:
            return json.dumps(asdict(document.metadata()), ensure_ascii=False)


_SAVED: Final = {"text/html": "page.html", "application/pdf": "page.pdf"}


def safeguards(content_type: str) -> dict[str, str]:
    """Return headers for handing out what a page wrote: opened in a browser, it must not run as part of our origin."""
    kind = content_type.partition(";")[0]
    headers = {"X-Content-Type-Options": "nosniff"}
    if kind in _SAVED:
        headers["Content-Disposition"] = f'attachment; filename="{_SAVED[kind]}"'
        headers["Content-Security-Policy"] = "sandbox"
    return headers
