"""The banner-free pass: consent is declined, other layers are dismissed, and what remains is hidden. Never accepted."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Final

from contracts.geometry import Viewport
from contracts.render import BannerAction
from renderer import raw, scripts
from renderer.look import frame
from renderer.page import Page

KINDS: Final = frozenset({"consent", "dialog", "newsletter", "chat", "other"})
_PARTS: Final = (scripts.LEXICON, "reading/dom.js", "reading/colour.js", "reading/cover.js", "acting/layers.js")
_CALL: Final = "__CALL__"
_SCRIPT: Final = scripts.joined(*_PARTS, "acting/banners.js", answer=_CALL)
_ROUNDS, _LAYERS = 3, 8
_GONE_S, _POLL_S = 0.9, 0.06
_ESCAPE: Final = {"key": "Escape", "code": "Escape", "windowsVirtualKeyCode": 27}


@dataclass(frozen=True)
class Layer:
    """Something over the first screen; `number` is its place in the script's own list."""

    number: int
    kind: str
    selector: str
    coverage: float


@dataclass
class Pass:
    """What was done, and whether a consent layer withstood it."""

    actions: list[BannerAction] = field(default_factory=list)
    consent_left: bool = False


async def find(page: Page) -> list[Layer]:
    """Look for layers; changes nothing."""
    rows = raw.load(await _call(page, "find()")).get("layers")
    found = [
        Layer(
            number,
            kind if (kind := raw.token(row.get("kind"))) in KINDS else "other",
            raw.text(row.get("selector"), 300),
            round(raw.number(row.get("coverage"), 0, 1), 3),
        )
        for number, row in enumerate(raw.rows(rows, _LAYERS))
    ]
    # What a sheet dims belongs to the layer over it, and consent comes first: the others often wait for it.
    return sorted(found, key=lambda layer: layer.kind != "consent")


async def clear(page: Page, viewport: Viewport, layers: list[Layer]) -> Pass:
    """Remove `layers` and what appears in their place. The page stays where it is, whatever a button wants."""
    done = Pass()
    for _ in range(_ROUNDS):
        if not layers:
            break
        for layer in layers:
            done.actions += await _remove(page, viewport, layer)
        await frame(page)
        layers = await find(page)
    done.consent_left = any(layer.kind == "consent" for layer in layers)
    return done


async def _remove(page: Page, viewport: Viewport, layer: Layer) -> list[BannerAction]:
    def did(action: str) -> BannerAction:
        values = {"kind": layer.kind, "selector": layer.selector, "coverage": layer.coverage}
        return BannerAction.model_validate({"viewport": viewport, "action": action, **values})

    if await _is_gone(page, layer):
        return []  # the button of another layer has taken it along
    tried = await _press(page, layer)
    if tried == "gone":
        return [did("declined" if layer.kind == "consent" else "dismissed")]
    if layer.kind != "consent" and await _escape(page, layer):
        return [did("dismissed")]
    failed = [did("failed")] if tried == "stuck" else []
    hidden = json.loads(await _call(page, f"hide({layer.number})")) is True
    return [*failed, did("hidden" if hidden else "failed")]


async def _press(page: Page, layer: Layer) -> str:
    """Press its button: `none` when it has none, `gone`, or `stuck` when nothing came of it or it led elsewhere."""
    before = page.navigations
    await _call(page, "guard()")
    target = json.loads(await _call(page, f"aim({layer.number})"))
    if target["way"] == "none":
        await _call(page, "unguard()")
        return "none"
    if target["way"] == "mouse":
        await _click(page, target["x"], target["y"])
    gone = await _goes(page, layer)
    led_away = json.loads(await _call(page, "unguard()"))
    if page.navigations != before:
        await page.go_back()
        return "stuck"
    # A page that wants to be loaded again has understood; it need not do so to be photographed.
    return "gone" if gone and led_away in ([], ["reload"]) else "stuck"


async def _click(page: Page, x: float, y: float) -> None:
    press = {"x": x, "y": y, "button": "left", "clickCount": 1}
    call = page.session.call
    await asyncio.gather(
        call("Input.dispatchMouseEvent", type="mousePressed", **press),
        call("Input.dispatchMouseEvent", type="mouseReleased", **press),
    )
    # A pointer that rests on the page opens menus.
    await call("Input.dispatchMouseEvent", type="mouseMoved", x=-1, y=-1)


async def _escape(page: Page, layer: Layer) -> bool:
    call = page.session.call
    await asyncio.gather(
        call("Input.dispatchKeyEvent", type="keyDown", **_ESCAPE),
        call("Input.dispatchKeyEvent", type="keyUp", **_ESCAPE),
    )
    await frame(page)
    return await _is_gone(page, layer)


async def _goes(page: Page, layer: Layer) -> bool:
    loop = asyncio.get_running_loop()
    end = loop.time() + _GONE_S
    while not await _is_gone(page, layer):
        if loop.time() > end:
            return False
        await asyncio.sleep(_POLL_S)
    return True


async def _is_gone(page: Page, layer: Layer) -> bool:
    return json.loads(await _call(page, f"isGone({layer.number})")) is True


async def _call(page: Page, call: str) -> str:
    return await page.evaluate(_SCRIPT.replace(_CALL, call))
