"""What a ticket says: in which batch an answer comes, and what it is an answer to."""

import hashlib
import re

from pydantic import ValidationError

from analyzer.judging.batches import BatchRecord
from analyzer.judging.exchange import Prompt
from contracts.result import Ticket
from contracts.wire import Wire

_BATCH_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
"""It becomes part of an address."""


class Claim(Wire):
    """One prompt in one batch. Any analyzer with the batch's API key can redeem it.

    `record` names this prompt alone, and the key by its fingerprint. `told` is the hash of what the page looked like to
    the model: an answer is of use only for a page that looks the same. `degraded`: why it is not the preset's model.
    """

    record: BatchRecord
    marker: str
    told: str
    memo_key: str
    degraded: str = ""

    @property
    def custom_id(self) -> str:
        """Return this prompt's name in its batch."""
        return self.record.custom_ids[0]


def told(prompt: Prompt) -> str:
    """Return the hash of all that ids and quotes in an answer refer to."""
    said = f"{prompt.document}\n{prompt.closing}\n{prompt.answer.__name__}"
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()


def opened(ticket: Ticket) -> Claim | None:
    """Read a ticket; None for one that this release cannot read."""
    try:
        claim = Claim.model_validate_json(ticket.claim)
    except ValidationError:
        return None
    return claim if _BATCH_ID.fullmatch(claim.record.batch_id) and len(claim.record.custom_ids) == 1 else None
