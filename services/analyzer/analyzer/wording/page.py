"""Findings about pictures, speed, head and layout."""

from analyzer.wording.problem import Problem, Wording, Words, clean, count, percent, quoted


def _broken(problem: Problem) -> Words:
    number = problem.verdict.total
    return Words(
        title=f"{count(number, 'image does', 'images do')} not load {problem.where}",
        description=f"{problem.names()} {'stays' if problem.sole else 'stay'} empty. A hole where a picture should be "
        "makes the whole page look neglected.",
        summary="Correct the address, upload the file again, or remove the image.",
        current=f"{problem.names(1)}: {problem.proof.value}",
        proposed="an image that loads",
    )


def _alt(problem: Problem) -> Words:
    number = problem.verdict.total
    return Words(
        title=f"{count(number, 'image has', 'images have')} no alternative text",
        description=f"{problem.names()} ({percent(problem.number)} of the images that carry meaning). Screen readers "
        "read out the file name instead, search engines cannot index the picture, and nothing is shown when it fails "
        "to load.",
        summary='Describe each picture in a few words; use alt="" where it is decoration only.',
        current="no alt attribute",
        proposed='alt="what the picture shows, in 3 to 12 words"',
    )


def _oversized(problem: Problem) -> Words:
    number = problem.verdict.total
    shown = [proof for proof in problem.verdict.proofs if proof.element is not None]
    first = shown[0]
    box, picture = problem.element.box, problem.element.picture
    density = problem.view.facts.viewport.device_scale_factor
    current = f"{picture.natural_width} × {picture.natural_height} px, {first.value} kB" if picture else ""
    largest = f"{problem.names()} weighs" if number == 1 else f"{problem.names()}: the largest weighs"
    wasted = f" About {problem.number:,.0f} kB are downloaded for nothing." if problem.number >= 1 else ""
    return Words(
        title=f"{count(number, 'image is', 'images are')} heavier than needed {problem.where}",
        description=f"{largest} {first.value} kB and is shown at {box.width:.0f} × {box.height:.0f} px."
        f"{wasted} Heavy pictures are what visitors wait for, most of all on phones.",
        summary="Export the pictures at the size shown, as WebP or AVIF, and offer smaller ones through srcset.",
        current=current,
        proposed=f"{box.width * density:.0f} × {box.height * density:.0f} px, WebP, below 100 kB",
        hypothesis="If the pictures arrive sooner, then fewer visitors leave, because they see the offer before "
        "their patience ends.",
    )


_FIGURES = {
    "perf.lcp": ("The largest element appeared after {:.1f} s", 0.001, "2.5 s", "Load the main picture or text first."),
    "perf.cls": ("The layout shifted by {:.2f} while loading", 1, "0.10", "Reserve space for images, ads and banners."),
    "perf.tbt": ("Scripts blocked the page for {:.0f} ms", 1, "200 ms", "Load scripts later and split long ones."),
    "perf.page_weight": ("The page weighs {:.1f} MB", 0.000001, "2.6 MB", "Compress pictures and drop unused scripts."),
}


_LAB = {
    "": "Measured once, in a lab, on a shared machine: take it as a hint and check it with field data. It does not "
    "count towards the score.",
    "reserved": "The median of several runs in a lab, alone on the machine, with fixed emulation.",
}


def _performance(problem: Problem) -> Words:
    headline, scale, wanted, advice = _FIGURES[problem.rule.id]
    title = headline.format(problem.number * scale)
    return Words(
        title=f"{title} {problem.where}",
        description=f"{_LAB[problem.variant]} Up to {wanted} is good.",
        summary=advice,
        current=title.split(" after ")[-1],
        proposed=f"at most {wanted}",
        effort="medium",
    )


def _title_description(problem: Problem) -> Words:
    size, text = int(problem.number), clean(problem.proof.text)
    if problem.variant == "no_title":
        return Words(
            title="The page has no title",
            description="Search results, browser tabs and shared links show the title. Without one they show the bare "
            "address, and few people click that.",
            summary="Write a title of 30 to 60 characters: what the page offers, then the brand.",
            current="no title",
            proposed="Offer in plain words, then the brand (30 to 60 characters)",
        )
    if problem.variant == "long_title":
        return Words(
            title=f"The page title is cut off in search results: {size} characters",
            description=f"{quoted(text, 90)} has {size} characters; about 60 are shown. What comes last is lost.",
            summary="Put the promise first and stay within 60 characters.",
            current=f"{quoted(text, 120)} ({size} characters)",
            proposed=f"{quoted(shortened(text, 60), 60)} ({len(shortened(text, 60))} characters)",
        )
    if problem.variant == "no_description":
        return Words(
            title="Search results will show a random excerpt of the page",
            description="The page has no description. Search engines and messengers then pick any sentence, often the "
            "cookie notice or the menu.",
            summary="Write a description of 70 to 160 characters: what visitors get and why from you.",
            current="no description",
            proposed="70 to 160 characters ending in a reason to click",
        )
    return Words(
        title=f"The description is cut off in search results: {size} characters",
        description=f"About 160 characters are shown; yours has {size}, so its end is lost.",
        summary="Say what matters in the first 160 characters.",
        current=f"{size} characters",
        proposed=f"{quoted(shortened(text, 160), 160)} ({len(shortened(text, 160))} characters)",
    )


def shortened(text: str, most: int) -> str:
    """Return the whole words of a text that fit in `most` characters."""
    if len(text) <= most:
        return text
    return text[: most + 1].rsplit(" ", 1)[0][:most].rstrip(" ,;:|–-")  # dashes that end a title's part


def _social_preview(problem: Problem) -> Words:
    missing = str(problem.verdict.value)
    if problem.variant == "broken":
        return Words(
            title="The preview picture of shared links does not load",
            description=f"og:image points to {quoted(problem.proof.text, 100)}, which brings no picture. Shared links "
            "show an empty card instead.",
            summary="Correct the address, or upload the picture (1,200 × 630 px) again.",
            current=clean(problem.proof.text) or "og:image",
            proposed="an address that brings a picture",
        )
    return Words(
        title="Shared links to this page come without a proper preview",
        description=f"{missing} {'is' if ',' not in missing else 'are'} missing. When someone shares the page in a "
        "messenger or network, it shows a bare or random card, and a recommendation loses its pull.",
        summary="Add og:title, og:description and an og:image of 1,200 × 630 px.",
        current=f"missing: {missing}",
        proposed='<meta property="og:image" content="https://…/preview.jpg"> and the like',
    )


def _viewport(problem: Problem) -> Words:
    if problem.variant == "missing":
        return Words(
            title="Phones show the page as a shrunken desktop",
            description="The viewport tag is missing, so phones lay the page out about 980 px wide and shrink it. "
            "Text becomes unreadable and buttons too small to tap.",
            summary="Add the viewport tag and check the layout at 390 px.",
            current="no viewport meta tag",
            proposed='<meta name="viewport" content="width=device-width, initial-scale=1">',
            effort="medium",
            hypothesis="If the page fits the phone, then more phone visitors act, because they can read and tap "
            "without zooming.",
        )
    return Words(
        title="Phone visitors are not allowed to zoom in",
        description=f"The viewport tag says {quoted(str(problem.verdict.value), 100)}. Who cannot read small print "
        "has no way to enlarge it.",
        summary="Remove user-scalable and maximum-scale from the tag.",
        current=clean(str(problem.verdict.value)),
        proposed="width=device-width, initial-scale=1",
    )


_MOVES = {
    "video": "a video",
    "animation": "an animation",
    "carousel": "a carousel",
    "marquee": "a marquee",
    "image": "an animated picture",
    "canvas": "a canvas",
    "script": "something that a script moves",
}


def _autoplay(problem: Problem) -> Words:
    if problem.variant == "sound":
        number = problem.verdict.total
        return Words(
            title=f"{count(number, 'element starts', 'elements start')} to sound without being asked",
            description=f"{clean(problem.proof.text)} {'plays' if number == 1 else 'play'} as soon as the page opens. "
            "Visitors in offices and trains close the tab before they look for the switch.",
            summary="Start media muted, or when the visitor presses play.",
            current="autoplay with sound",
            proposed="muted, or no autoplay",
            hypothesis="If the page stays silent, then fewer visitors leave at once, because nothing startles them.",
        )
    what = " and ".join(_MOVES.get(one, one) for one in problem.verdict.detail.split(", ")[:2])
    return Words(
        title=f"Something in the first screen never stops moving {problem.where}",
        description=f"Six seconds apart, {problem.number * 100:.1f} % of the first screen had changed: {what}. "
        "Movement draws the eye away from headline and action, and nothing pauses it.",
        summary="Let it end within five seconds, or add a control that pauses it.",
        current=f"{what}, without a pause control",
        proposed="movement of at most 5 s, or a pause button",
        hypothesis="If the movement ends, then more visitors read the headline, because nothing beside it asks for "
        "their eyes.",
    )


def _h_scroll(problem: Problem) -> Words:
    total = problem.verdict.total
    widest = f" The one that reaches furthest: {quoted(problem.element.selector)}." if total else ""
    return Words(
        title=f"The page is {problem.number:g} px wider than the phone's screen",
        description="Visitors can push the page sideways, text and buttons slide out of view, and the layout looks "
        f"broken.{widest}",
        summary="Let the wide element shrink (max-width: 100%), wrap or scroll inside its own box.",
        current=f"{problem.proof.value} px wide",
        proposed=f"{problem.proof.threshold} px wide",
        hypothesis="If the page stays put while scrolling, then more phone visitors read on, because nothing slips "
        "out of view.",
    )


WORDINGS: dict[str, Wording] = {
    "media.broken": _broken,
    "media.alt": _alt,
    "media.oversized": _oversized,
    **dict.fromkeys(_FIGURES, _performance),
    "meta.title_description": _title_description,
    "meta.social_preview": _social_preview,
    "layout.viewport": _viewport,
    "layout.h_scroll": _h_scroll,
    "motion.autoplay": _autoplay,
}
