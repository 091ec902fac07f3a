"""Answers that are used again: the same page, asked in the same way by the same tenant, costs nothing a second time.

The pictures count by their exact bytes. A perceptual hash would forgive a blinking cursor, and also a changed picture
in the same layout: a miss costs a few cents, a false hit is a false report.
"""

import hashlib
import json
from dataclasses import dataclass

from analyzer.judging.exchange import Prompt, Reply
from contracts.result import Memo

_MOST_CHARACTERS = 400_000


@dataclass(frozen=True)
class Asking:
    """What makes an answer belong to a page and is not in the prompt: whose page, which rules, which model, how."""

    tenant_id: str
    rules_version: str
    prompt_version: str
    model: str
    effort: str


def key(prompt: Prompt, asking: Asking) -> str:
    """Return the hash of all that decides an answer, except chance. The marker is left out: it is new every time.

    The tenant is part of it, so that nobody can see by cost or speed whether somebody else had a page judged.
    """
    pictures = [[label, one.sha256] for label, one in prompt.pictures]
    asked = [asking.tenant_id, asking.rules_version, asking.prompt_version, asking.model, asking.effort]
    said = [prompt.rubric, prompt.task, prompt.document, prompt.closing, prompt.answer.__name__]
    written = json.dumps([asked, said, pictures], ensure_ascii=False)
    return hashlib.sha256(written.encode("utf-8", "replace")).hexdigest()


def memo(reply: Reply, page_key: str, marker: str) -> Memo | None:
    """Return what to keep of a good reply; None for one that leaked the marker: that page is asked about anew."""
    if marker in reply.text or len(reply.text) > _MOST_CHARACTERS:
        return None
    return Memo(key=page_key, answer=reply.text, model=reply.model, api_version=reply.api_version)
