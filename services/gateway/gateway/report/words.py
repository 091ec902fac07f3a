"""What the codes of a result document are called in front of a reader."""

from contracts.geometry import ViewportName
from contracts.result import DegradedReason, Grade, LiftFactor, Outcome, PageType, Reach, Reliability, Severity

SEVERITIES = {
    Severity.CRITICAL: "Critical",
    Severity.HIGH: "High",
    Severity.MEDIUM: "Medium",
    Severity.LOW: "Low",
    Severity.INFO: "Note",
}
SEVERITY_MEANINGS = {
    Severity.CRITICAL: "Stops visitors from converting",
    Severity.HIGH: "Costs conversions with many visitors",
    Severity.MEDIUM: "Makes the way harder than it has to be",
    Severity.LOW: "A detail worth cleaning up",
    Severity.INFO: "Good to know; costs no points",
}
VIEWPORTS = {ViewportName.DESKTOP: "Desktop", ViewportName.MOBILE: "Phone"}
REACHES = {Reach.DESKTOP: "Desktop", Reach.MOBILE: "Phone", Reach.BOTH: "Desktop and phone"}
GRADES = {
    Grade.A: ("Standard or plain fact", "A published standard asks for it, or it simply is so."),
    Grade.B: ("Published study", "Research or a benchmark supports it; your visitors may differ."),
    Grade.C: ("Practitioner convention", "Common practice with little research behind it; it counts half."),
}
FACTORS = {
    LiftFactor.VALUE_PROPOSITION: ("Value proposition", "Is it clear why to choose this?"),
    LiftFactor.RELEVANCE: ("Relevance", "Does it match what visitors came for?"),
    LiftFactor.CLARITY: ("Clarity", "Is it understood at a glance?"),
    LiftFactor.URGENCY: ("Urgency", "Is there a reason to act now?"),
    LiftFactor.ANXIETY: ("Low anxiety", "Does nothing make visitors hesitate?"),
    LiftFactor.DISTRACTION: ("Low distraction", "Does nothing lead away from the goal?"),
}
PAGE_TYPES = {
    PageType.LANDING: "Landing page",
    PageType.PRODUCT: "Product page",
    PageType.CHECKOUT: "Checkout or form",
    PageType.PRICING: "Pricing page",
    PageType.OTHER: "Page",
}
OUTCOMES = {
    Outcome.FAIL: "Failed",
    Outcome.WARN: "Warning",
    Outcome.PASS: "Passed",
    Outcome.NOT_APPLICABLE: "Does not apply",
    Outcome.ERROR: "Could not be checked",
}
OUTCOME_COUNTS = {
    Outcome.FAIL: "failed",
    Outcome.WARN: "with a warning",
    Outcome.PASS: "passed",
    Outcome.NOT_APPLICABLE: "not applicable",
    Outcome.ERROR: "could not be checked",
}
FACTS = {"cta_count": "calls to action", "cta": "calls to action"}
RELIABILITIES = {
    Reliability.MEASURED: "",
    Reliability.ESTIMATED: "estimated from pixels",
    Reliability.INDICATIVE: "indicative: measured on a shared machine, never scored",
}
EFFORTS = {"small": "Small effort", "medium": "Medium effort", "large": "Large effort"}
CONFIDENCES = {"high": "", "medium": "Medium confidence", "low": "Low confidence"}
SOURCES = {"rule": "Measured by rule", "ai": "Seen by the AI reviewer", "both": "Measured, and seen by the AI reviewer"}
STATUSES = {"open": "", "dismissed": "Dismissed", "fixed": "Fixed"}
CONSENT = {
    "declined": "A consent banner was declined, as a careful visitor would.",
    "none": "No consent banner was operated.",
    "failed": "There was a consent banner that could not be declined; it may cover parts of the pictures.",
}
SETTLED = {
    "quiet": "Photographed when the page had come to rest.",
    "cap": "The page never came to rest; photographed after the longest wait.",
    "load": "Photographed right after loading.",
    "none": "Photographed before the page had finished.",
}
WARNINGS = {
    "truncated": "The page is longer than what can be photographed; its end is missing.",
    "not_settled": "The page kept changing while it was photographed.",
    "load_timeout": "The page did not finish loading in time.",
    "images_pending": "Some images had not arrived when the pictures were taken.",
    "fonts_pending": "Some fonts had not arrived when the pictures were taken.",
    "layout_moved": "The layout moved between measuring and photographing; boxes may be slightly off.",
    "facts_missing": "In one view the page could not be measured.",
    "pictures_missing": "Some pictures could not be taken.",
    "page_empty": "The page shows next to nothing.",
    "requests_blocked": "Some of the page's requests were blocked, so that parts may look different.",
    "possible_prompt_injection": "The page contains text that tries to instruct an AI reviewer. It was not followed.",
}
_ALONE = "so measurable rules alone judged the page."
DEGRADED = {
    DegradedReason.NO_KEY: f"No AI key is configured, {_ALONE}",
    DegradedReason.BUDGET: f"The AI budget was used up, {_ALONE}",
    DegradedReason.UNAVAILABLE: f"The AI reviewer was not available, {_ALONE}",
    DegradedReason.ACCOUNT: f"The AI provider did not accept the account's key or its spending limit, {_ALONE}",
    DegradedReason.MISCONFIGURED: f"The AI provider did not accept the configured model, {_ALONE}",
    DegradedReason.TIMEOUT: f"The AI reviewer did not answer in time, {_ALONE}",
    DegradedReason.REFUSED: f"The AI reviewer declined to judge this page, {_ALONE}",
    DegradedReason.UNUSABLE: f"The AI reviewer's answer could not be used, {_ALONE}",
    DegradedReason.NOTHING_TO_JUDGE: f"There was nothing that an AI reviewer could look at, {_ALONE}",
    DegradedReason.SMALLER_MODEL: "A smaller model than usual judged the page.",
}
PENDING = "The AI reviewer's findings are still to come, and will be added here."
CATEGORIES = {
    "cta": "Call to action",
    "headline": "Headline",
    "hero": "First screen",
    "copy": "Text",
    "form": "Forms",
    "trust": "Trust",
    "price": "Price",
    "overlay": "Overlays",
    "media": "Pictures",
    "perf": "Speed",
    "meta": "Search and sharing",
    "layout": "Layout",
    "nav": "Navigation",
    "motion": "Motion",
}
RULES = {
    "cta.above_fold": "Main action on the first screen",
    "cta.text_contrast": "Main action: contrast of the label",
    "cta.shape_contrast": "Main action: contrast of the shape",
    "cta.generic_label": "Main action: label that says something",
    "cta.competing": "Few competing actions",
    "cta.target_size": "Targets large enough to hit",
    "cta.dead_target": "Links and buttons lead somewhere",
    "headline.present": "Headline present and unique",
    "headline.length": "Headline of a readable length",
    "hero.density": "First screen not crowded with words",
    "copy.readability": "Reading level",
    "copy.small_text": "Text large enough",
    "copy.text_contrast": "Contrast of the text",
    "copy.line_length": "Length of lines",
    "form.field_count": "Number of form fields",
    "form.labels": "Every field has a label",
    "form.autofill": "Fields can be filled in by the browser",
    "form.optional_marking": "Optional and required fields marked",
    "form.mobile_zoom": "No zooming in when a field is touched",
    "trust.https": "Secure connection",
    "trust.privacy": "Privacy policy where data is asked for",
    "trust.contact": "A way to get in touch",
    "trust.social_proof": "Proof from other customers",
    "trust.returns": "Returns, shipping or guarantee",
    "price.visible": "Price visible",
    "overlay.blocking": "Nothing blocks the first screen",
    "overlay.consent": "Consent banner leaves room",
    "media.broken": "No broken images",
    "media.alt": "Images described",
    "media.oversized": "Images no larger than needed",
    "perf.lcp": "Main content appears quickly",
    "perf.cls": "Layout stays in place",
    "perf.tbt": "Page reacts while loading",
    "perf.page_weight": "Weight of the page",
    "meta.title_description": "Title and description",
    "meta.social_preview": "Preview when shared",
    "layout.viewport": "Made for phones",
    "layout.h_scroll": "No sideways scrolling",
    "nav.link_density": "Few ways out",
    "motion.autoplay": "No motion that cannot be stopped",
}
_VERDICTS = (
    (90, "In very good shape. What is left are details."),
    (75, "A solid page with clear things to improve."),
    (60, "It works, but several things stand in the way."),
    (40, "Visitors meet serious obstacles here."),
    (0, "Most visitors are likely to be lost here."),
)


def verdict(score: int) -> str:
    """Say in plain words what an overall score of 0 to 100 means."""
    return next(text for floor, text in _VERDICTS if score >= floor)


def humanized(code: str) -> str:
    """Turn an unknown code such as `first_screen.words` into words; leave a sentence as it is."""
    words = code.strip() if " " in code.strip() else code.replace("_", " ").replace(".", ": ").strip()
    return words[:1].upper() + words[1:]


def rule(rule_id: str) -> str:
    """Name a rule."""
    return RULES.get(rule_id) or humanized(rule_id)


def category(name: str) -> str:
    """Name a category of findings or rules."""
    return CATEGORIES.get(name) or humanized(name)


def warning(code: str) -> str:
    """Say what a warning of the capture or the analysis means for the reader."""
    return WARNINGS.get(code) or humanized(code)


def degraded(reason: DegradedReason) -> str:
    """Say what the analysis had to do without."""
    return DEGRADED.get(reason, "Parts of the analysis had to be left out.")
