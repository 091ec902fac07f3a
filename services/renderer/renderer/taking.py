"""What is had of a loaded page besides pixels and facts: its DOM, and how it prints."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from contracts.errors import ErrorCode
from contracts.outputs import DocumentKind, DocumentOutput, Output, PdfOutput
from renderer import documents
from renderer.cdp import Message, ProtocolError
from renderer.page import Page
from runtime.errors import ServiceError

MAX_DOM: Final = 10_000_000
"""Characters of a DOM that are taken; the rest is left out, and the result says so."""

MAX_PDF_BYTES: Final = 50_000_000
"""Half a PDF is none: a larger one is given up."""

_CHUNK_BYTES: Final = 1_000_000
_PAPERS_IN: Final = {"a4": (8.27, 11.69), "letter": (8.5, 11.0)}
_UNMOVED: Final = frozenset({DocumentKind.HTML, DocumentKind.METADATA})
"""Of these, what loads lazily is no essential part: for them alone, no page is scrolled through."""

PDF_TYPE: Final = "application/pdf"
# Shadow roots are written as HTML itself declares them, so that the markup still is the page when it is parsed again.
_DOM: Final = """
(() => {
  const cap = %d, shadowRoots = [], queue = [document];
  while (queue.length && shadowRoots.length < 20000) {
    for (const node of queue.pop().querySelectorAll('*')) {
      if (node.shadowRoot) { shadowRoots.push(node.shadowRoot); queue.push(node.shadowRoot); }
    }
  }
  const root = document.documentElement, type = document.doctype;
  if (!root) return '0';
  let html = root.outerHTML;
  if (root instanceof HTMLHtmlElement) {
    const shell = root.cloneNode(false).outerHTML.replace(/<\\/html>$/, '');
    html = shell + root.getHTML({ shadowRoots }) + '</html>';
  }
  const ids = type && (type.publicId ? ` PUBLIC "${type.publicId}"` : type.systemId ? ' SYSTEM' : '');
  const system = type && type.systemId ? ` "${type.systemId}"` : '';
  html = (type ? `<!DOCTYPE ${type.name}${ids}${system}>\\n` : '') + html;
  return (html.length > cap ? '1' : '0') + html.slice(0, cap);
})()
"""


@dataclass(frozen=True)
class Source:
    """The DOM of a page as markup, and the address it was at."""

    html: str
    url: str
    truncated: bool


@dataclass
class Papers:
    """What was taken of one view, and by output what was made of it."""

    source: Source | None = None
    pdfs: dict[str, bytes] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return self.source is not None or bool(self.pdfs)


def wanted(outputs: Sequence[Output]) -> list[DocumentOutput]:
    """Return the outputs that are made of the DOM."""
    return [output for output in outputs if isinstance(output, DocumentOutput)]


def prints(outputs: Sequence[Output]) -> list[PdfOutput]:
    """Return the outputs that are printed."""
    return [output for output in outputs if isinstance(output, PdfOutput)]


def whole(outputs: Sequence[Output]) -> bool:
    """Whether any of them is poorer without what loads lazily."""
    return bool(prints(outputs)) or any(DocumentKind(output.kind) not in _UNMOVED for output in wanted(outputs))


def missing(outputs: Sequence[Output], papers: Papers) -> bool:
    """Whether something was asked for and is not there."""
    return bool(wanted(outputs) and papers.source is None) or any(
        output.name not in papers.pdfs for output in prints(outputs)
    )


async def source(page: Page) -> Source:
    """Read the DOM as it is now, with open shadow roots. Raises `ServiceError`."""
    answer = await page.evaluate(_DOM % MAX_DOM)
    return Source(answer[1:], page.url, answer.startswith("1"))


async def pdf(page: Page, output: PdfOutput) -> bytes:
    """Print the page. Raises `ServiceError`: target_too_large, or what Chromium says."""
    width, height = _PAPERS_IN[output.paper]
    answer = await page.session.call(
        "Page.printToPDF",
        landscape=output.landscape,
        printBackground=output.background,
        paperWidth=width,
        paperHeight=height,
        transferMode="ReturnAsStream",
    )
    try:
        return await _read(page, answer["stream"])
    finally:
        page.session.post("IO.close", handle=answer["stream"])


async def _read(page: Page, handle: str) -> bytes:
    data = bytearray()
    while True:
        chunk: Message = await page.session.call("IO.read", handle=handle, size=_CHUNK_BYTES)
        data += base64.b64decode(chunk["data"]) if chunk.get("base64Encoded") else chunk["data"].encode("latin-1")
        if len(data) > MAX_PDF_BYTES:
            raise ServiceError(ErrorCode.TARGET_TOO_LARGE, "The printed page is larger than the limit.")
        if chunk["eof"]:
            return bytes(data)


async def take_source(page: Page, outputs: Sequence[Output], papers: Papers) -> None:
    """Read the DOM if an output needs it. One that cannot be read is left out: `missing` tells."""
    if wanted(outputs):
        try:
            papers.source = await source(page)
        except ProtocolError:
            return


async def take_prints(page: Page, outputs: Sequence[Output], papers: Papers) -> None:
    """Print what is wanted. Raises `ServiceError` when a print is refused."""
    for output in prints(outputs):
        papers.pdfs[output.name] = await pdf(page, output)


def written(papers: Papers, outputs: Sequence[Output]) -> dict[str, tuple[str, bytes]]:
    """Return content type and bytes by the name of the output. Parses: seconds for the largest pages."""
    done = {name: (PDF_TYPE, data) for name, data in papers.pdfs.items()}
    if papers.source and (asked := wanted(outputs)):
        document = documents.read(papers.source.html, papers.source.url)
        done |= {output.name: documents.piece(document, DocumentKind(output.kind)) for output in asked}
    return done
