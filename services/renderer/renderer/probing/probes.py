"""The probes that were asked for, one after the other."""

from collections.abc import Set as AbstractSet
from datetime import timedelta

from contracts.facts import PageFacts
from contracts.outputs import Probe
from renderer.page import Page
from renderer.probing import axe, photographs, targets


async def run(page: Page, facts: PageFacts, wanted: AbstractSet[Probe], left_s: float) -> PageFacts:
    """Return the facts with what the probes added, within `left_s` seconds. Motion is none of them: see `motion`."""
    if Probe.CONTRAST in wanted:
        facts = await photographs.run(page, facts)
    if Probe.TARGETS in wanted:
        facts = await targets.run(page, facts, min(targets.LONGEST, timedelta(seconds=left_s / 4)))
    if Probe.AXE in wanted:
        opinion = await axe.run(page, facts.elements, min(axe.LONGEST, timedelta(seconds=left_s / 4)))
        facts = facts.model_copy(update={"axe": opinion})
    return facts
