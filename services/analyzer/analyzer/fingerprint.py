"""What makes a problem the same problem in the next run: the rule, its variant and what it is about, never a number."""

import hashlib
import re

_NUMBERS = re.compile(r"\d+")
_DIGEST = 20


def _stable(text: str) -> str:
    return " ".join(_NUMBERS.sub("", text.casefold()).split())


def fingerprint(rule_id: str, variant: str, subject: str) -> str:
    """Return a hash that stays when counts, sizes, prices and positions change."""
    parts = "\n".join((rule_id, variant, _stable(subject)))
    return hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:_DIGEST]


def finding_id(analysis_id: str, mark: str) -> str:
    """Return the id of one finding in one analysis: `f_` and a hash of the analysis and the fingerprint."""
    return f"f_{hashlib.sha256(f'{analysis_id}/{mark}'.encode('utf-8', 'replace')).hexdigest()[:16]}"
