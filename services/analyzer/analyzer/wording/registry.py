"""Every rule's words."""

from collections.abc import Mapping
from types import MappingProxyType

from analyzer.wording import copy_text, cta, forms, page, trust
from analyzer.wording.problem import Wording

WORDINGS: Mapping[str, Wording] = MappingProxyType(
    {**cta.WORDINGS, **copy_text.WORDINGS, **forms.WORDINGS, **trust.WORDINGS, **page.WORDINGS}
)
