"""Findings about trust, price, overlays and ways off the page."""

from analyzer.wording.problem import Problem, Wording, Words, count, percent


def _https(problem: Problem) -> Words:
    if problem.variant == "mixed":
        number = problem.verdict.total
        return Words(
            title=f"{count(number, 'script or style', 'scripts or styles')} loaded without encryption",
            description=f"The page is served over HTTPS but asks for {problem.proof.value} over plain HTTP. Browsers "
            "block "
            "such requests, so a part of the page is missing or does not work.",
            summary="Load everything over https.",
            current=str(problem.proof.value),
            proposed=str(problem.proof.value).replace("http://", "https://", 1),
        )
    if problem.variant == "form":
        return Words(
            title="A form sends its data without encryption",
            description=f"The form posts to {problem.proof.value}. Browsers warn before sending, and what visitors "
            "type can be "
            "read on the way.",
            summary="Let the form post to an https address.",
            current=str(problem.proof.value),
            proposed=str(problem.proof.value).replace("http://", "https://", 1),
        )
    return Words(
        title="The page is not served over HTTPS",
        description="Browsers write “Not secure” beside the address. Whatever visitors type can be read on the way, "
        "and most "
        "will not type anything below that warning.",
        summary="Serve the page over HTTPS and redirect every http address to it.",
        current="http://",
        proposed="https://",
        effort="medium",
        hypothesis="If the browser's warning is gone, then more visitors submit data, because nothing tells them not "
        "to.",
    )


def _privacy(problem: Problem) -> Words:
    asked = sorted({str(proof.value).replace("email", "e-mail") for proof in problem.verdict.proofs})
    return Words(
        title=f"The form asks for {' and '.join(asked)} without a privacy notice",
        description="No link on the page leads to a privacy notice. Visitors hesitate to leave their address where "
        "nobody says "
        "what happens to it, and in the EU the notice is required at that point (GDPR article 13; not legal advice).",
        summary="Link the privacy notice beside the submit button, with one sentence on what the data is used for.",
        current="no privacy link",
        proposed="“We use your address to answer you and nothing else. Privacy notice”",
        hypothesis="If one sentence says what happens to the data, then more visitors submit the form, because the "
        "worry "
        "is answered where it arises.",
    )


def _contact(_problem: Problem) -> Words:
    return Words(
        title="The page shows no way to get in touch",
        description="There is no phone number, mail address, contact link, chat or contact form. A visitor with one "
        "open "
        "question has no way to ask it, and a business that cannot be reached looks less real.",
        summary="Put a phone number or mail address and a contact link into the footer, better beside the main "
        "action too.",
        current="0 ways to get in touch",
        proposed="phone or mail plus a contact link",
        hypothesis="If visitors see how to reach a person, then more of them commit, because they know whom to turn "
        "to.",
    )


def _social_proof(_problem: Problem) -> Words:
    return Words(
        title="Nobody but you speaks for the offer",
        description="The page has no customer's words, no rating, no customer logos and no customer count. Visitors "
        "are left "
        "with your own promises, and they discount those.",
        summary="Place one concrete customer statement with name and company near the main action, or a row of logos "
        "beneath "
        "the first screen.",
        current="no social proof",
        proposed="one quotation with full name, role and a result, close to the main action",
        effort="medium",
        hypothesis="If a customer's statement stands beside the main action, then more visitors act, because someone "
        "like "
        "them has vouched for it.",
    )


def _returns(_problem: Problem) -> Words:
    return Words(
        title="Returns, delivery and guarantee are not mentioned",
        description="The product page has no word on delivery, returns or guarantee. Shoppers look for them before "
        "they "
        "commit; when they must open the cart to find out, many leave.",
        summary="Put delivery time, delivery cost and the return period right beneath the buy button.",
        current="not mentioned",
        proposed="“Delivery in 2–3 days · 30 days to return”",  # a range in prose
        hypothesis="If delivery and returns stand beneath the buy button, then more shoppers add to the cart, "
        "because the "
        "risk is clear.",
    )


def _price(problem: Problem) -> Words:
    if problem.variant == "none":
        kind = "pricing page" if problem.fails else "product page"
        return Words(
            title=f"The {kind} shows no price {problem.where}",
            description="No amount with a currency appears anywhere. Buyers who cannot see what it costs assume the "
            "worst, or "
            "look it up at a competitor.",
            summary="Show the price, or a starting price if it depends.",
            current="no amount",
            proposed="“from €49 a month”",
            effort="medium",
            hypothesis="If the price is visible, then more qualified visitors go on, because they can decide.",
        )
    top = round(problem.element.box.y)
    return Words(
        title=f"The price is out of sight {problem.where}",
        description=f"The first price, {problem.name}, starts {top:,} px down the page. It is among the first things a "
        "shopper looks for; having to search for it reads as hiding it.",
        summary="Move the price next to the product's name and the buy button.",
        current=f"top edge at {top:,} px",
        proposed=f"within the first {problem.view.facts.viewport.height:,} px",
        hypothesis="If price and buy button are seen together, then more shoppers add to the cart, because the "
        "decision "
        "needs no search.",
    )


def _blocking(problem: Problem) -> Words:
    share = percent(problem.number)
    if problem.variant == "covers_action":
        title = f"A layer hides the main action {problem.where}"
        trouble = f"A layer over {share} of the first screen lies on top of the main action."
    else:
        title = f"A layer covers {share} of the first screen {problem.where}"
        trouble = f"Before the visitor has read a line, a layer takes {share} of the screen."
    return Words(
        title=title,
        description=f"{trouble} Most people close such layers unread, some close the page, and search engines rank "
        "pages "
        "lower for it.",
        summary="Show it after interest is proven (scrolled halfway, about to leave), or as a slim bar.",
        current=f"{share} of the first screen on arrival",
        proposed="less than 15 %, or later",
        hypothesis="If nothing lies over the page on arrival, then more visitors read the offer, because they do not "
        "have "
        "to clear the way first.",
    )


def _consent(problem: Problem) -> Words:
    share = percent(problem.number)
    if problem.variant == "no_reject":
        return Words(
            title="The consent layer offers no way to refuse",
            description="The first level shows no reject control. European regulators ask that refusing be as easy as "
            "accepting; some visitors leave rather than search for it.",
            summary="Put a reject button of equal weight beside the accept button.",
            current="accept only",
            proposed="accept and reject side by side",
        )
    hides = problem.variant == "covers_action"
    return Words(
        title=f"The consent layer hides the main action {problem.where}"
        if hides
        else f"The consent layer takes {share} of the phone's first screen",
        description=f"It covers {share} of the first screen"
        + (" and lies on the main action." if hides else ", so little is left of the offer itself.")
        + " The first impression is a legal text.",
        summary="Make it a slim bar at the bottom edge with two buttons and one sentence.",
        current=f"{share} of the first screen",
        proposed="below 30 %, main action free",
        hypothesis="If the offer can be seen behind the consent layer, then fewer visitors leave at once, because the "
        "first impression is the offer.",
    )


def _link_density(problem: Problem) -> Words:
    if problem.variant == "share":
        share = percent(problem.number)
        return Words(
            title=f"{share} of the words on the page are links",
            description=f"{share} of all words lead somewhere else. The page reads as a directory, and each link is "
            "a way past "
            "the main action.",
            summary="Keep the links that help to decide and drop or group the others in the footer.",
            current=f"{share} of the words",
            proposed="less than 50 %",
            effort="medium",
        )
    number = int(problem.number)
    return Words(
        title=f"{number} navigation links pull attention from the offer {problem.where}",
        description=f"The first screen offers {number} ways to leave ({problem.names(4)}) and one to convert. On a "
        "page with one "
        "goal each link is a distraction.",
        summary="Keep at most seven, or none but the logo on campaign pages.",
        current=count(number, "link"),
        proposed="at most 7 links",
        effort="medium",
        hypothesis="If the navigation is reduced, then more visitors take the main action, because fewer things "
        "compete "
        "with it.",
    )


WORDINGS: dict[str, Wording] = {
    "trust.https": _https,
    "trust.privacy": _privacy,
    "trust.contact": _contact,
    "trust.social_proof": _social_proof,
    "trust.returns": _returns,
    "price.visible": _price,
    "overlay.blocking": _blocking,
    "overlay.consent": _consent,
    "nav.link_density": _link_density,
}
