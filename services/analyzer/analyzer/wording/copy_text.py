"""Findings about headline and text."""

from analyzer.wording.cta import contrast_fix
from analyzer.wording.problem import Problem, Wording, Words, clean, count, percent, quoted


def _headline(problem: Problem) -> Words:
    if problem.variant == "missing":
        return Words(
            title=f"The first screen has no headline {problem.where}",
            description="There is no main heading (h1) and no text of 24 px or more before scrolling. Visitors decide "
            "within seconds whether they are in the right place; here nothing tells them.",
            summary="Open with one headline that says what you offer and for whom, marked as h1.",
            current="no headline",
            proposed="One h1 of 32 to 56 px: what it is, for whom, what they gain",
            effort="medium",
            hypothesis="If the first thing read says what is offered and for whom, then fewer visitors leave at once, "
            "because they know that they are in the right place.",
        )
    if problem.variant == "untagged":
        return Words(
            title=f"The headline {problem.name} is not marked as h1",
            description=f"{problem.name} looks like the headline, but the page has no visible h1. Search engines and "
            "screen readers take the h1 as the page's subject; here they find none.",
            summary=f"Mark {problem.name} as h1. It may keep its looks.",
            current=f"<{problem.element.tag}>",
            proposed="<h1>",
        )
    if problem.variant == "small":
        return Words(
            title=f"No text stands out as a headline in the first screen {problem.where}",
            description=f"Nothing before scrolling is set at 24 px or more. The main heading {problem.name} is "
            f"{_size(problem)} or comes later, so the eye finds no place to start.",
            summary="Bring the main heading into the first screen and set it clearly larger than the text.",
            current=_size(problem),
            proposed="32 px or more on the phone, 40 px or more on desktop, in the first screen",
            hypothesis="If the headline is seen first, then fewer visitors leave at once, because they know what the "
            "page offers.",
        )
    number = problem.verdict.total
    return Words(
        title=f"{number} main headings share the page",
        description=f"{problem.names()} are all marked as h1. A page has one subject; several leave search engines "
        "and screen readers to guess which.",
        summary="Keep the h1 that says what the page offers and make the others h2.",
        current=f"{number} × h1",
        proposed="1 × h1, the others h2",
    )


def _size(problem: Problem) -> str:
    style = problem.element.style
    return f"{style.font_px:g} px" if style else "small"


def _length(problem: Problem) -> Words:
    words, text = int(problem.number), clean(problem.element.text)
    if problem.variant == "single":
        return Words(
            title=f"The headline is one word: {problem.name}",
            description=f"{problem.name} names something but promises nothing. A visitor who does not know you yet "
            "learns neither what you offer nor why it should matter to them.",
            summary="Say in 4 to 12 words what visitors get and for whom; the name can stand in the logo.",
            current=f"{problem.name} (1 word)",
            proposed="4 to 12 words: what they get, for whom, what makes it different",
            hypothesis="If the headline says what visitors get, then more of them read on, because they see what is "
            "in it for them.",
        )
    characters = len(text)
    return Words(
        title=f"The headline takes {words} words ({characters} characters) to make its point",
        description=f"{problem.name} cannot be taken in at one glance. Up to 12 words and 70 characters are read as "
        "one unit; beyond that most people catch the beginning only.",
        summary="Keep the promise in the headline and move the rest to a line beneath it.",
        current=f"{quoted(text, 120)}: {words} words, {characters} characters",
        proposed=f"at most 12 words and 70 characters; start from {quoted(_first_words(text), 80)}",
        hypothesis="If the headline is read in one glance, then more visitors read on, because they get the promise "
        "before they decide to leave.",
    )


def _first_words(text: str) -> str:
    kept = ""
    for word in text.split()[:12]:
        if len(kept) + len(word) >= 70:  # noqa: PLR2004  # the limit that the text names
            break
        kept = f"{kept} {word}".strip()
    return kept


def _density(problem: Problem) -> Words:
    words = int(problem.number)
    return Words(
        title=f"The first screen asks for {words} words of reading {problem.where}",
        description=f"{words} words are visible before scrolling; up to 120 can be scanned. Headline and button drown "
        "in text, and visitors skim over both.",
        summary="Cut the first screen to headline, one supporting line and the main action; move the rest down.",
        current=f"{words} words",
        proposed="at most 120 words",
        effort="medium",
        hypothesis="If the first screen holds only promise, proof and action, then more visitors act, because nothing "
        "hides the next step.",
    )


def _readability(problem: Problem) -> Words:
    value = problem.number
    if problem.variant == "ease":
        measured, wanted = f"a reading ease of {value:g} out of 100", "60 or more"
    else:
        measured, wanted = f"school grade {value:g}", "grade 9 or lower"
    return Words(
        title=f"The text is hard to read: {measured}",
        description=f"Sentence and word length put the running text at {measured}; {wanted} is what people read "
        "without effort on a screen. Long sentences are skipped, and with them your arguments.",
        summary="Split sentences above 20 words, prefer short everyday words, one thought for each sentence.",
        current=measured,
        proposed=wanted,
        effort="medium",
        hypothesis="If the text can be read without effort, then more visitors follow the argument to the action, "
        "because they stop skipping.",
    )


def _small_text(problem: Problem) -> Words:
    if problem.variant == "mobile_body":
        return Words(
            title=f"Running text is {problem.number:g} px on the phone",
            description=f"Half of the running text is set at {problem.number:g} px or smaller. On a phone held at "
            "arm's length 16 px is what reads without zooming.",
            summary="Set the body text to 16 px on phones.",
            current=f"{problem.number:g} px",
            proposed="16 px",
            hypothesis="If the text reads without zooming, then more phone visitors stay with it, because reading "
            "costs no effort.",
        )
    return Words(
        title=f"{percent(problem.number)} of the text is smaller than 12 px {problem.where}",
        description=f"{percent(problem.number)} of all visible characters are set below 12 px. Most people over forty "
        "cannot read that without effort, and nobody can on a moving train.",
        summary="Raise the smallest text to 12 px and running text to 16 px.",
        current=f"{percent(problem.number)} below 12 px",
        proposed="12 px at least, 16 px for running text",
    )


def _text_contrast(problem: Problem) -> Words:
    share, shown = problem.number, [proof for proof in problem.verdict.proofs if proof.element is not None]
    current, proposed, example, fix = f"{percent(share)} below 4.5:1", "4.5:1 or more (3:1 from 24 px)", "", ""
    if shown and problem.element.style is not None and not problem.element.style.contrast_estimated:
        current, proposed = contrast_fix(problem.element.style, float(shown[0].threshold or 0))
        number = problem.verdict.total
        example = f": {problem.name}" if number == 1 else f" in {number} places, the longest {problem.name}"
        fix = f" The longest passes with {proposed}." if proposed else ""
    if problem.variant == "near":
        return Words(
            title=f"{percent(share)} of the text misses the contrast standard by a little {problem.where}",
            description=f"{percent(share)} of the visible characters stay just below 4.5:1 (large text 3:1){example} "
            f"with {shown[0].value}:1. That is readable on a good screen and tiring on a phone in daylight.",
            summary=f"Use {proposed}: the eye hardly sees the change, the standard is met.",
            current=current,
            proposed=proposed,
        )
    return Words(
        title=f"{percent(share)} of the text is too faint to read comfortably {problem.where}",
        description=f"{percent(share)} of the visible characters stay below the contrast that the accessibility "
        f"standard asks for (4.5:1, large text 3:1){example}. Faint text is not read, whatever it says.",
        summary=f"Darken or lighten the text until it passes.{fix}",
        current=current,
        proposed=proposed,
        hypothesis="If all text can be read at a glance, then more visitors take in the arguments, because nothing is "
        "skipped for being faint.",
    )


def _line_length(problem: Problem) -> Words:
    value = int(problem.number)
    return Words(
        title=f"Lines of {value} characters tire the eye {problem.where}",
        description=f"Paragraphs run {value} characters a line ({count(problem.verdict.total, 'paragraph')} above "
        "90). Beyond about 80 the eye loses the start of the next line, and readers give up on the paragraph.",
        summary="Limit the width of text blocks.",
        current=f"{value} characters a line",
        proposed="max-width: 65ch",
    )


WORDINGS: dict[str, Wording] = {
    "headline.present": _headline,
    "headline.length": _length,
    "hero.density": _density,
    "copy.readability": _readability,
    "copy.small_text": _small_text,
    "copy.text_contrast": _text_contrast,
    "copy.line_length": _line_length,
}
