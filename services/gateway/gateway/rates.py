"""How a rate is written in a setting."""

import re
from typing import Any, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_FORM = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,5})/([1-9]\d{0,8})")
OFF = "off"


class Rate(str):  # noqa: SLOT000  # it has attributes
    """`quota/seconds/burst`: 1200/60/200 is 1,200 requests a minute, of which 200 may come at once. `off`: no limit."""

    quota: int
    window_s: int
    burst: int

    def __new__(cls, text: str) -> Self:
        """Parse `text`. Raises `ValueError`."""
        rate = super().__new__(cls, text.strip())
        found = _FORM.fullmatch(rate)
        if found is None and rate != OFF:
            raise ValueError("write it as requests/seconds/burst, none of them 0, like 1200/60/200; or `off`")
        rate.quota, rate.window_s, rate.burst = map(int, found.groups()) if found else (0, 0, 0)
        return rate

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401  # pydantic's own signature
        """Validate as text of that form."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())
