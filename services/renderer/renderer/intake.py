"""What a request may ask for: refused by name before a browser is taken."""

import math
from collections.abc import Iterator
from typing import TypeVar

from contracts.errors import ErrorCode, FieldError
from contracts.outputs import MAX_CAPTURE_PX, DocumentOutput, Output, PdfOutput, ScreenshotOutput, gives_many
from contracts.render import RenderRequest
from renderer import visiting
from renderer.devices import DEVICES
from renderer.settings import RendererSettings
from runtime.errors import ServiceError

Request = TypeVar("Request", bound=RenderRequest)


def accept(request: Request, settings: RendererSettings) -> Request:
    """Return the request with devices in place of their names. Raises `ServiceError` (invalid_request)."""
    request = request.model_copy(update={"outputs": [_shown(n, each) for n, each in enumerate(request.outputs)]})
    _check_names(request)
    _check_caps(request, settings)
    visiting.check(request.visit)
    if request.prepare.wait_for.function and not settings.renderer_allow_scripts:
        raise _invalid("prepare.wait_for.function", "Scripts are not allowed here. Wait for a selector instead.")
    return request


def device_of(output: Output) -> str:
    """Return the name of the output's device; empty for those that have none."""
    return "" if isinstance(output, PdfOutput | DocumentOutput) else output.device


def _shown(index: int, output: Output) -> Output:
    name = device_of(output)
    if not name:
        return output
    if name not in DEVICES:
        raise _invalid(f"outputs.{index}.device", f"This device is not known. Known are: {', '.join(DEVICES)}.")
    return output.model_copy(update={"viewport": DEVICES[name].viewport})


def _check_names(request: RenderRequest) -> None:
    names: set[str] = set()
    for index, output in enumerate(request.outputs):
        if output.name in names:
            raise _invalid(f"outputs.{index}.name", "Another output has this name. Give each its own.")
        names.add(output.name)
    many = tuple(f"{output.name}." for output in request.outputs if gives_many(output))
    for name in request.uploads:
        if name not in names and not (many and name.startswith(many)):
            raise _invalid(f"uploads.{name}", "No output has this name.")


def _check_caps(request: RenderRequest, settings: RendererSettings) -> None:
    for name, value, most in _measures(request, settings):
        if value > most:
            raise _invalid(name, f"At most {most:g} here, not {value:g}.")
    views = {(output.viewport, device_of(output)) for output in request.outputs}
    if len(views) > settings.renderer_max_views:
        remedy = f"At most {settings.renderer_max_views} different viewports in one request. Send several."
        raise _invalid("outputs", remedy)
    for index, output in enumerate(request.outputs):
        _check_pixels(f"outputs.{index}", output, settings)


def _measures(request: RenderRequest, settings: RendererSettings) -> Iterator[tuple[str, float, float]]:
    longest = settings.renderer_max_wait_s * 1000
    rule = request.prepare.wait_for
    yield "budget_ms", request.budget_ms, settings.renderer_max_budget_s * 1000
    yield "outputs", len(request.outputs), settings.renderer_max_outputs
    yield "prepare.wait_for.delay_ms", rule.delay_ms, longest
    if rule.selector or rule.function:
        yield "prepare.wait_for.max_ms", rule.max_ms, longest


def _check_pixels(name: str, output: Output, settings: RendererSettings) -> None:
    viewport = output.viewport
    most = settings.renderer_max_megapixels * 1e6
    if viewport.width * viewport.height * viewport.device_scale_factor**2 > most:
        remedy = f"The screen has more than {most / 1e6:g} million pixels. Lower device_scale_factor or its size."
        raise _invalid(f"{name}.viewport", remedy)
    if not isinstance(output, ScreenshotOutput) or not output.clip:
        return
    box, density = output.clip, viewport.device_scale_factor
    if not all(math.isfinite(length) for length in (box.x, box.y, box.width, box.height)):
        raise _invalid(f"{name}.clip", "Every length must be a finite number.")
    if min(box.x, box.y) < 0 or min(box.width, box.height) < 1:
        raise _invalid(f"{name}.clip", "x and y begin at 0; width and height are at least 1.")
    if max(box.x + box.width, box.y + box.height) > MAX_CAPTURE_PX:
        raise _invalid(f"{name}.clip", f"Nothing beyond {MAX_CAPTURE_PX:,} pixels can be photographed.")
    if box.width * box.height * density**2 > most:
        remedy = f"It has more than {most / 1e6:g} million pixels. Ask for less, or for `tiles`."
        raise _invalid(f"{name}.clip", remedy)


def _invalid(name: str, message: str) -> ServiceError:
    fields = [FieldError(field=name, message=message)]
    return ServiceError(ErrorCode.INVALID_REQUEST, f"{name}: {message}", errors=fields)
