"""Rules about what moves or sounds by itself."""

import re

from analyzer import primary
from analyzer.rules.rule import Limits, Proof, Rule, Verdict, passed, skip
from analyzer.view import View
from contracts.facts import Element
from contracts.result import Grade, LiftFactor, Outcome, Reliability

_PAUSE = re.compile(
    r"\b(pause|stop|stopp|pausieren|anhalten|arrêter|pausa|pausar|detener|ferma|stoppen|wstrzymaj|parar)\b",
    re.IGNORECASE,
)


def _pause_control(view: View) -> Element | None:
    controls = (e for e in view.seen if e.clickable and e.first_screen > 0)
    return next((e for e in controls if _PAUSE.search(f"{primary.label(e)} {e.name}")), None)


def _autoplay(view: View, limits: Limits) -> list[Verdict]:
    motion = view.facts.motion
    if motion is None:
        return skip("Not watched")
    verdicts = []
    if motion.sounding:
        what = ", ".join(motion.sounding_selectors) or "media"
        proof = Proof("sound_that_starts_by_itself", motion.sounding, 0, "elements", text=what)
        verdicts.append(Verdict(Outcome.FAIL, motion.sounding, (proof,), "sound", total=motion.sounding))
    if motion.suspected and motion.changed is None:
        return verdicts or skip("The time did not allow for two pictures", Reliability.ESTIMATED)
    share = motion.changed or 0.0
    if share <= limits["warn"] or motion.native_controls or _pause_control(view) is not None:
        return verdicts or passed(share)
    what = ", ".join(motion.suspected)
    proof = Proof("share_of_first_screen_that_changed", round(share, 4), limits["warn"], "share", text=what)
    verdicts.append(Verdict(Outcome.WARN, round(share, 4), (proof,), detail=what))
    return verdicts


RULES = (
    Rule(
        id="motion.autoplay",
        definition="More than 0.2 % of the first screen differs between two pictures 6 s apart and nothing pauses it: "
        "warn. Audio, or video with sound, that starts by itself: fail.",
        factor=LiftFactor.DISTRACTION,
        category="motion",
        grade=Grade.A,
        sources=("WCAG 2.2 SC 2.2.2 Pause, Stop, Hide", "WCAG 2.2 SC 1.4.2 Audio Control"),
        check=_autoplay,
        unit="share",
        heuristics=("nielsen-3",),
    ),
)
