"""Whether a caller wants the one artifact itself or the capture as JSON, and what it gets when it names no outputs."""

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.errors import ErrorCode
from contracts.fetch import Tier
from contracts.outputs import (
    DocumentOutput,
    ImageFormat,
    Output,
    PdfOutput,
    ScreenshotOutput,
    content_type,
    gives_many,
)
from runtime.errors import ServiceError

_JSON = "application/json"
_ANYTHING = "*/*"
_DEFAULT = ScreenshotOutput()
_DEFAULT_STATIC = DocumentOutput(kind="html", name="html")
# In the order in which an equal wish for several of them is met.
_BARE_DEFAULTS: tuple[Output, ...] = (
    ScreenshotOutput(),
    ScreenshotOutput(format=ImageFormat.PNG),
    ScreenshotOutput(format=ImageFormat.WEBP),
    PdfOutput(),
    DocumentOutput(kind="html", name="html"),
    DocumentOutput(kind="markdown", name="markdown"),
    DocumentOutput(kind="text", name="text"),
)


@dataclass(frozen=True)
class Accept:
    """An Accept header: media range → quality, in the order in which they were written."""

    ranges: dict[str, float]

    def named(self, kind: str) -> float:
        """Return the quality of a content type by its own name or its family's: `*/*` names nothing."""
        family = f"{kind.partition('/')[0]}/*"
        return self.ranges.get(kind, self.ranges.get(family, 0.0))

    def wants_bare(self, kind: str) -> bool:
        """Whether bytes of this type are wanted rather than JSON about them. JSON artifacts never come bare."""
        return kind != _JSON and self.named(kind) > self.named(_JSON)

    @property
    def takes_json(self) -> bool:
        """Whether a capture as JSON is an answer that can be used."""
        return self.named(_JSON) > 0 or (self.ranges.get(_ANYTHING, 0.0) > 0 and _JSON not in self.ranges)


def read(header: str) -> Accept:
    """Read an Accept header (RFC 9110, section 12.5.1); what cannot be read is left out, and nothing means anything."""
    ranges: dict[str, float] = {}
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if "/" in name:
            ranges[name] = _quality(parameters)
    return Accept(ranges or {_ANYTHING: 1.0})


def _quality(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0


@dataclass(frozen=True)
class Choice:
    """What is made, and whether the only artifact is itself the answer."""

    outputs: list[Output]
    bare: bool


def choose(accept: Accept, outputs: list[Output] | None, tier: Tier) -> Choice:
    """Settle both questions. Raises `ServiceError` (not_acceptable) for a caller that could read no answer."""
    made = [_default(accept, tier)] if outputs is None else outputs
    if len(made) == 1:
        made = [_in_the_wanted_format(accept, made[0])]
        if not gives_many(made[0]) and accept.wants_bare(content_type(made[0])):
            return Choice(made, bare=True)
    if not accept.takes_json:
        raise ServiceError(ErrorCode.NOT_ACCEPTABLE, _refusal(made))
    return Choice(made, bare=False)


def _default(accept: Accept, tier: Tier) -> Output:
    """Return what a caller most likely wants that says nothing, or says it only by the type that it accepts."""
    wanted = [output for output in _BARE_DEFAULTS if accept.wants_bare(content_type(output))]
    # The first of the best: max keeps the order among equals.
    best = max(wanted, key=lambda output: accept.named(content_type(output)), default=None)
    return best or (_DEFAULT_STATIC if tier is Tier.STATIC else _DEFAULT)


def _in_the_wanted_format(accept: Accept, output: Output) -> Output:
    """Let `Accept: image/png` say the format of a screenshot where the request itself does not."""
    if not isinstance(output, ScreenshotOutput) or "format" in output.model_fields_set:
        return output
    formats = {image: accept.named(f"image/{image.value}") for image in ImageFormat}
    best = max(formats, key=lambda image: formats[image])
    return output.model_copy(update={"format": best}) if formats[best] > 0 else output


def _refusal(outputs: list[Output]) -> str:
    if len(outputs) > 1 or gives_many(outputs[0]):
        return "Only a request for one single artifact is answered with its bytes. Accept application/json."
    return f"The answer would be {content_type(outputs[0])}. Accept that, or application/json."
