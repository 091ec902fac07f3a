"""Rules about what lies over the page."""

from analyzer import geometry
from analyzer.rules.rule import Limits, Proof, Rule, Verdict, above, crossed, passed, skip
from analyzer.view import View
from contracts.facts import Element, Overlay, OverlayKind
from contracts.result import Grade, LiftFactor, Outcome


def _element(view: View, overlay: Overlay) -> Element | None:
    return next((element for element in view.facts.elements if element.id == overlay.element_id), None)


def _hides_main(view: View, overlay: Overlay) -> bool:
    main = view.main
    return (
        main is not None and main.covered and geometry.overlap(overlay.box, main.box) >= 0.5 * geometry.area(main.box)
    )


def _proof(view: View, overlay: Overlay, limit: float) -> Proof:
    return Proof("share_of_first_screen", round(overlay.coverage, 3), limit, "share", _element(view, overlay))


def _blocking(view: View, limits: Limits) -> list[Verdict]:
    layers = [o for o in view.facts.overlays if o.kind in {OverlayKind.DIALOG, OverlayKind.OTHER}]
    if not layers:
        return passed(0)
    hiding = [layer for layer in layers if _hides_main(view, layer)]
    if hiding:
        proof = _proof(view, hiding[0], limits["fail"])
        return [Verdict(Outcome.FAIL, round(hiding[0].coverage, 3), (proof,), "covers_action")]
    largest = max(layers, key=lambda layer: layer.coverage)
    # The limits are reached at 15 % and 30 %, not beyond.
    outcome = Outcome.PASS
    if largest.coverage >= limits["warn"]:
        outcome = Outcome.FAIL if largest.coverage >= limits["fail"] else Outcome.WARN
    return [Verdict(outcome, round(largest.coverage, 3), (_proof(view, largest, crossed(outcome, limits)),))]


def _consent(view: View, limits: Limits) -> list[Verdict]:
    layers = [overlay for overlay in view.facts.overlays if overlay.kind is OverlayKind.CONSENT]
    if not layers:
        return skip("No consent layer was shown")
    layer = max(layers, key=lambda overlay: overlay.coverage)
    proof = _proof(view, layer, limits["warn"])
    share = round(layer.coverage, 3)
    verdicts = []
    if _hides_main(view, layer):
        verdicts.append(Verdict(Outcome.WARN, share, (proof,), "covers_action"))
    elif view.mobile and above(layer.coverage, limits) is Outcome.WARN:
        verdicts.append(Verdict(Outcome.WARN, share, (proof,)))
    if not any(overlay.has_reject for overlay in layers):
        missing = Proof("reject_control", "none", "one", element=_element(view, layer))
        verdicts.append(Verdict(Outcome.WARN, share, (missing,), "no_reject"))
    return verdicts or passed(share, proof)


RULES = (
    Rule(
        id="overlay.blocking",
        definition="A dialog or fixed layer that is not about consent covers at least 15 % of the first screen: "
        "warn; at "
        "least 30 % or the main action: fail.",
        factor=LiftFactor.DISTRACTION,
        category="overlay",
        grade=Grade.C,
        sources=("Google guidance on intrusive interstitials (the principle; the shares are a convention)",),
        check=_blocking,
        unit="share",
        heuristics=("nielsen-3",),
    ),
    Rule(
        id="overlay.consent",
        definition="The consent layer covers more than 30 % of the phone's first screen or the main action: warn. No "
        "reject "
        "control on its first level: noted.",
        factor=LiftFactor.DISTRACTION,
        category="overlay",
        grade=Grade.C,
        sources=("European regulators' guidance on cookie banners: rejecting as easy as accepting",),
        check=_consent,
        unit="share",
    ),
)
