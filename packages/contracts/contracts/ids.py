"""Names for the identifiers that travel in messages."""

from typing import NewType

JobId = NewType("JobId", str)
TenantId = NewType("TenantId", str)
ElementId = NewType("ElementId", str)
SectionId = NewType("SectionId", str)
