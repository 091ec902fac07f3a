"""One defect on a clean page, in intensities on both sides of each threshold."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from contracts.geometry import ViewportName
from contracts.outputs import Probe
from contracts.result import Outcome
from evals.template import CLEAN, CTA, FOOTER, HEADLINE, META, PROOF, Template, framed, rtl, shadowed

FAIL, WARN, PASS, SKIP = Outcome.FAIL, Outcome.WARN, Outcome.PASS, Outcome.NOT_APPLICABLE
DESKTOP, PHONE = ViewportName.DESKTOP, ViewportName.MOBILE


@dataclass(frozen=True)
class Seed:
    """A page and what one rule must say of it. `also`: rules that the defect makes fail as well."""

    rule: str
    name: str
    expected: Outcome
    template: Template
    viewport: ViewportName = DESKTOP
    probes: tuple[Probe, ...] = ()
    also: tuple[str, ...] = ()
    file: str = "index.html"


def _words(number: int) -> str:
    return " ".join(["word"] * number)


def _cta(style: str, label: str = "Start free trial", href: str = "/there.html?start") -> str:
    return f'<a class="cta" style="{style}" href="{href}">{label}</a>'


def _with(**parts: str) -> Template:
    return replace(CLEAN, **parts)


def _field(kind: str = "email", name: str = "email", label: str = "E-mail", extra: str = 'autocomplete="email"') -> str:
    return f'<label for="f-{name}">{label}</label><input id="f-{name}" type="{kind}" name="{name}" {extra}>'


def _form(fields: str, attributes: str = 'action="/there.html"') -> str:
    return f'<form method="post" {attributes}>{fields}<p><button class="cta">Send my request</button></p></form>'


def _lead(number: int) -> Template:
    fields = "".join(_field("text", f"question{n}", f"Question {n}", "") for n in range(number))
    return _with(form=_form(fields))


def _checkout(number: int) -> Template:
    card = '<label for="cc">Card number</label><input id="cc" name="card" autocomplete="cc-number" inputmode="numeric">'
    fields = card + "".join(_field("text", f"detail{n}", f"Detail {n}", "") for n in range(number - 1))
    return _with(form=_form(fields))


def cta() -> Iterator[Seed]:
    """The main action: place and contrast."""
    for share, expected in ((60, PASS), (40, FAIL)):
        top = 900 - 50 * share // 100
        style = f"position:absolute;left:24px;top:{top}px;height:50px;padding:0 26px;line-height:50px"
        yield Seed(
            "cta.above_fold", f"{share} % of it", expected, _with(cta=_cta(style), style=".hero{min-height:900px}")
        )
    yield Seed("cta.above_fold", "none", FAIL, _with(cta=""))
    yield Seed("cta.above_fold", "rtl", PASS, rtl(CLEAN))
    yield Seed("cta.above_fold", "in a shadow root", PASS, _with(cta=shadowed(CTA)))
    yield Seed("cta.above_fold", "phone, below", FAIL, _with(cta=f"<div style='height:900px'></div>{CTA}"), PHONE)
    levels = (("#767676", PASS), ("#777777", FAIL), ("#999999", FAIL), ("#333333", PASS))
    for colour, expected in levels:
        button = _cta(f"background:{colour};font-size:16px")
        yield Seed("cta.text_contrast", colour, expected, _with(cta=button), probes=(Probe.AXE,))
        yield Seed("cta.text_contrast", f"{colour} shadow", expected, _with(cta=shadowed(button)))
        yield Seed("cta.text_contrast", f"{colour} rtl", expected, rtl(_with(cta=button)), PHONE)
    for colour, expected in (("#949494", PASS), ("#969696", FAIL)):
        button = _cta(f"background:{colour};font-size:24px")
        yield Seed("cta.text_contrast", f"large {colour}", expected, _with(cta=button))
    for colour, expected in (("#949494", PASS), ("#969696", WARN)):
        yield Seed("cta.shape_contrast", colour, expected, _with(cta=_cta(f"background:{colour};color:#000")))


def actions() -> Iterator[Seed]:
    """Actions: label, number, size, target."""
    labels = (("Start free trial", PASS), ("Submit", WARN), ("Learn more", WARN), ("Request a quote", PASS))
    for label, expected in labels:
        yield Seed("cta.generic_label", label, expected, _with(cta=_cta("", label)))
    nameless = f'{CTA}<button style="width:60px;height:60px;background:#0b4f8a"></button>'
    yield Seed("cta.generic_label", "nameless", FAIL, _with(cta=nameless), probes=(Probe.AXE,))
    yield Seed("cta.generic_label", "nameless shadow", FAIL, _with(cta=CTA + shadowed(nameless.removeprefix(CTA))))
    names = ("Start now", "Book a call", "Get a quote", "Download it", "Join us")
    for number, expected in ((2, PASS), (3, WARN), (4, WARN), (5, FAIL)):
        row = " ".join(_cta("margin:4px", label, f"/there.html?{label[:4]}") for label in names[:number])
        yield Seed("cta.competing", str(number), expected, _with(cta=row))
        yield Seed("cta.competing", f"{number} rtl", expected, rtl(_with(cta=row)))
    for size, expected in ((44, PASS), (43, WARN)):
        style = f"height:{size}px;line-height:{size}px;padding:0 26px"
        yield Seed("cta.target_size", str(size), expected, _with(cta=_cta(style)), PHONE)
    for size, gap, expected in ((24, 0, PASS), (23, 0, FAIL), (20, 30, PASS)):
        row = "".join(
            f'<button aria-label="Star {n}" style="width:{size}px;height:{size}px;padding:0;border:0;'
            f'margin:0 {gap}px 0 0;float:left"></button>'
            for n in range(4)
        )
        for kind, part in (("", row), (" shadow", shadowed(row))):
            yield Seed("cta.target_size", f"{size} gap {gap}{kind}", expected, _with(body=part), PHONE, (Probe.AXE,))
    targets = (
        ("/there.html?a", PASS),
        ("#", FAIL),
        ("", FAIL),
        ("#nowhere", FAIL),
        ("#proof", PASS),
        ("#/route", PASS),
    )
    for href, expected in targets:
        page = _with(cta=_cta("", href=href), proof=PROOF.replace("<h2>", '<h2 id="proof">'))
        yield Seed("cta.dead_target", href or "empty", expected, page)
    for href, expected in (("/there.html?b", PASS), ("/gone.html", FAIL)):
        yield Seed(
            "cta.dead_target", f"asked {href}", expected, _with(cta=_cta("", href=href)), probes=(Probe.TARGETS,)
        )


def headline() -> Iterator[Seed]:
    """Headline and first screen."""
    yield Seed("headline.present", "h1", PASS, CLEAN)
    yield Seed(
        "headline.present", "none", FAIL, _with(headline="<p>Get paid in two days</p>", proof=PROOF.replace("h2", "p"))
    )
    yield Seed(
        "headline.present", "untagged", FAIL, _with(headline='<div style="font-size:40px">Get paid sooner now</div>')
    )
    yield Seed(
        "headline.present", "hidden", FAIL, _with(headline='<h1 style="visibility:hidden">Get paid sooner now</h1>')
    )
    yield Seed("headline.present", "in a shadow root", PASS, _with(headline=shadowed(HEADLINE)))
    yield Seed("headline.present", "two", WARN, _with(lead=HEADLINE))
    small = "<h1 style='font-size:{}px'>Get paid in two days</h1>"
    for size, expected in ((24, PASS), (23, FAIL)):
        yield Seed(
            "headline.present",
            f"{size} px",
            expected,
            _with(headline=small.format(size), proof="", style="h2{font-size:20px}"),
        )
    for number, expected in ((2, PASS), (12, PASS), (13, WARN), (20, WARN), (21, FAIL), (1, WARN)):
        page = _with(headline=f"<h1>{_words(number)}</h1>")
        yield Seed("headline.length", str(number), expected, page)
        yield Seed("headline.length", f"{number} rtl", expected, rtl(page), PHONE)
    used = 13  # words of the template in the first screen
    for number, expected in ((120, PASS), (121, WARN), (200, WARN), (201, FAIL)):
        page = _with(
            lead=f"<p>{_words(number - used)}</p>", proof="", footer=f"<div style='height:900px'></div>{FOOTER}"
        )
        yield Seed("hero.density", str(number), expected, page)


EASY = "We do the work for you and you get the cash. It is fast and it is safe. You can stop at any time you like. "
HARD = (
    "Organisational interoperability considerations necessitate the comprehensive harmonisation of heterogeneous "
    "infrastructural configurations, and the administrative responsibilities that are associated with this. "
)
MIDDLE = (
    "Our accounting service collects every payment from your customers automatically, and it sends friendly reminders "
    "to the ones who have not answered within several days of the invoice. "
)


def copy() -> Iterator[Seed]:
    """Running text."""
    for name, text, expected in (("easy", EASY, PASS), ("middle", MIDDLE, FAIL), ("hard", HARD, FAIL)):
        yield Seed("copy.readability", name, expected, _below("".join(f"<p>{text * 2}</p>" for _ in range(8))))
    yield Seed("copy.readability", "too little", SKIP, CLEAN)
    for share, expected in ((36, PASS), (46, FAIL)):
        body = f"<p style='font-size:11px'>{'w' * 9 * share}</p><p>{'w' * 9 * (100 - share)}</p>"
        for kind, part in (("", body), (" shadow", shadowed(body)), (" frame", framed(body))):
            page = _with(body=part, lead="", proof="", style="p{overflow-wrap:anywhere}")
            page = replace(page, body=part.replace("<p ", "<p lang=en ").replace("overflow", "overflow"))
            yield Seed("copy.small_text", f"{share} %{kind}", expected, replace(page, body=_breakable(part)))
    for size, expected in ((16, PASS), (15, WARN)):
        body = f"<p style='font-size:{size}px'>{EASY * 3}</p>"
        yield Seed(
            "copy.small_text", f"phone {size} px", expected, _with(body=body, style="blockquote{font-size:16px}"), PHONE
        )
    for share, expected in ((3, PASS), (9, WARN), (22, FAIL)):
        faint, plain = "faint " * share, "plain " * (100 - share)
        body = f"<p style='color:#999'>{faint}</p><p>{plain}</p>"
        for kind, part in (("", body), (" shadow", shadowed(body)), (" frame", framed(body))):
            page = _with(body=part, lead="", proof="")
            yield Seed("copy.text_contrast", f"{share} %{kind}", expected, page, probes=(Probe.AXE,))
        yield Seed("copy.text_contrast", f"{share} % rtl", expected, rtl(_with(body=body, lead="", proof="")), PHONE)
    for colour, expected in (("#fff", PASS), ("#444", FAIL)):
        hero = f"<div style='background:url(/dark.png) center/cover;padding:60px;color:{colour}'>{'photo text ' * 30}</div>"
        yield Seed("copy.text_contrast", f"photo {colour}", expected, _with(body=hero), probes=(Probe.CONTRAST,))
    for width, expected in ((60, PASS), (86, PASS), (110, WARN)):
        body = f"<p style='max-width:none;width:{width}ch;font-family:monospace'>{EASY * 6}</p>"
        yield Seed("copy.line_length", str(width), expected, _below(body))
        yield Seed("copy.line_length", f"{width} rtl", expected, rtl(_below(body)))


def _below(part: str) -> Template:
    return _with(body=f"<div style='height:900px'></div>{part}")


def _breakable(part: str) -> str:
    return part.replace("wwwwwwwww", "wwwwwwww ")


def forms() -> Iterator[Seed]:
    """Filling in."""
    for number, expected in ((5, PASS), (6, WARN), (9, WARN), (10, FAIL)):
        yield Seed("form.field_count", f"lead {number}", expected, _lead(number))
        yield Seed("form.field_count", f"lead {number} rtl", expected, rtl(_lead(number)), PHONE)
        yield Seed(
            "form.field_count",
            f"lead {number} shadow",
            expected,
            replace(_lead(number), form=shadowed(_lead(number).form)),
        )
    for number, expected in ((8, PASS), (9, WARN), (12, WARN), (13, FAIL)):
        yield Seed("form.field_count", f"checkout {number}", expected, _checkout(number))
    unlabelled = '<input type="email" name="email" autocomplete="email">'
    placeholder = unlabelled.replace("name=", 'placeholder="E-mail" name=')
    aria = unlabelled.replace("name=", 'aria-label="E-mail" name=')
    for name, field, expected in (("none", unlabelled, FAIL), ("placeholder", placeholder, WARN), ("aria", aria, PASS)):
        form = _form(field)
        for kind, part in (("", form), (" shadow", shadowed(form)), (" frame", framed(form))):
            yield Seed("form.labels", f"{name}{kind}", expected, _with(form=part), probes=(Probe.AXE,))
    yield Seed("form.labels", "label", PASS, _with(form=_form(_field())), probes=(Probe.AXE,))
    bare = _field("text", "email", "E-mail", "")
    for name, field, expected in (("token", _field(), PASS), ("nothing", bare, WARN), ("type", _field(extra=""), PASS)):
        yield Seed("form.autofill", name, expected, _with(form=_form(field)))
        yield Seed("form.autofill", f"{name} frame", expected, _with(form=framed(_form(field))))
    card = '<label for="cc">Card number{}</label><input id="cc" name="card" autocomplete="cc-number" required>'
    rest = _field("text", "note", "Note", "") + _field("text", "gift", "Gift text", "")
    for mark, expected in ((" *", PASS), ("", WARN), (" (required)", PASS)):
        yield Seed("form.optional_marking", mark or "unmarked", expected, _with(form=_form(card.format(mark) + rest)))
    for size, expected in ((16, PASS), (15, WARN)):
        form = _form(_field(extra=f'autocomplete="email" style="font-size:{size}px"'))
        for kind, part in (("", form), (" shadow", shadowed(form))):
            yield Seed("form.mobile_zoom", f"{size} px{kind}", expected, _with(form=part), PHONE)


def trust() -> Iterator[Seed]:
    """What backs the offer."""
    form = _form(_field())
    yield Seed("trust.privacy", "link", PASS, _with(form=form))
    yield Seed("trust.privacy", "no link", FAIL, _with(form=form, footer='<a href="/there.html?c">Contact us</a>'))
    yield Seed("trust.privacy", "no form", SKIP, CLEAN)
    yield Seed("trust.contact", "link", PASS, CLEAN)
    yield Seed("trust.contact", "none", WARN, _with(nav="", footer='<a href="/there.html?privacy">Privacy</a>'))
    yield Seed(
        "trust.contact", "shadow", PASS, _with(nav="", footer=shadowed('<a href="mailto:a@b.test">a@b.test</a>'))
    )
    yield Seed("trust.social_proof", "quotation", PASS, CLEAN)
    yield Seed("trust.social_proof", "none", WARN, _with(proof=""))
    picture = '<img src="/picture.png" alt="{}" width="120" height="60" style="float:left;margin:9px">'
    row = "".join(picture.format(f"Company {n}") for n in range(3))
    yield Seed("trust.social_proof", "logos", PASS, _with(proof=f"<h2>Companies</h2>{row}"))
    product = '<script type="application/ld+json">{"@type":"Product"}</script>'
    shop = CLEAN.title + product
    price = "<p>€ 49.00</p>"
    yield Seed("trust.returns", "named", PASS, _with(title=shop, lead=price, body="<p>Free returns within 30 days</p>"))
    yield Seed("trust.returns", "not named", WARN, _with(title=shop, lead=price))
    yield Seed("price.visible", "product", PASS, _with(title=shop, lead=price))
    yield Seed(
        "price.visible", "product, below", WARN, _with(title=shop, body=f"<div style='height:900px'></div>{price}")
    )
    yield Seed("price.visible", "plans", PASS, _with(lead=price), file="pricing/index.html")
    yield Seed("price.visible", "plans without", FAIL, CLEAN, file="pricing/index.html")


def overlays() -> Iterator[Seed]:
    """What lies over the page."""
    for share, expected in ((14, PASS), (16, WARN), (29, WARN), (32, FAIL)):
        layer = f"<div role='dialog' style='position:fixed;left:0;right:0;bottom:0;height:{share}vh;background:#eee'>News</div>"
        yield Seed("overlay.blocking", f"{share} %", expected, _with(scripts=layer))
        yield Seed("overlay.blocking", f"{share} % phone rtl", expected, rtl(_with(scripts=layer)), PHONE)
    cover = (
        "<div role='dialog' style='position:fixed;left:0;top:150px;width:420px;height:300px;background:#eee'>News</div>"
    )
    yield Seed("overlay.blocking", "covers the action", FAIL, _with(scripts=cover))
    for share, expected in ((28, PASS), (33, WARN)):
        layer = (
            f"<div id='cookie-consent' style='position:fixed;left:0;right:0;bottom:0;height:{share}vh;background:#eee'>"
            "We use cookies. <button>Accept all</button><button>Reject all</button></div>"
        )
        yield Seed("overlay.consent", f"{share} %", expected, _with(scripts=layer), PHONE)
    bare = (
        "<div id='cookie-consent' style='position:fixed;left:0;right:0;bottom:0;height:90px;background:#eee'>"
        "We use cookies. <button>Accept all</button></div>"
    )
    yield Seed("overlay.consent", "no reject", WARN, _with(scripts=bare))
    yield Seed("overlay.consent", "none", SKIP, CLEAN)


def media() -> Iterator[Seed]:
    """Pictures, movement, sound."""
    picture = '<img src="{}" alt="A desk" width="400" height="300">'
    for name, src, expected in (("loads", "/picture.png", PASS), ("gone", "/gone.png", FAIL)):
        for kind, part in (("", picture.format(src)), (" shadow", shadowed(picture.format(src)))):
            yield Seed("media.broken", f"{name}{kind}", expected, _with(body=part))
    bare = '<img src="/picture.png" width="90" height="90">'
    named = '<img src="/picture.png" alt="Desk" width="90" height="90">'
    silent = '<img src="/picture.png" alt="" width="90" height="90">'
    for missing, whole, expected in ((0, 5, PASS), (1, 4, WARN), (2, 4, FAIL)):
        body = bare * missing + named * whole + silent * 3
        for kind, part in (("", body), (" shadow", shadowed(body)), (" frame", framed(body, height=1200))):
            yield Seed(
                "media.alt", f"{missing} of {missing + whole}{kind}", expected, _with(body=part), probes=(Probe.AXE,)
            )
    for name, width, expected in (("fits", 700, PASS), ("too large", 180, WARN)):
        body = f'<img src="/noise-450.png" alt="Noise" width="{width}" height="{width}">'
        yield Seed("media.oversized", name, expected, _with(body=body))
    yield Seed(
        "media.oversized", "waste", FAIL, _with(body='<img src="/noise-1400.png" alt="Noise" width="150" height="150">')
    )
    moves = ".m{width:400px;height:200px;background:#c00;animation:a 7s linear infinite}"
    moves += "@keyframes a{from{transform:none}to{transform:translateX(600px)}}"
    for name, extra, expected in (("endless", "", WARN), ("with pause", "<button class='cta'>Pause</button>", PASS)):
        page = _with(lead=f"<div class='m'></div>{extra}", style=moves)
        yield Seed("motion.autoplay", name, expected, page, probes=(Probe.MOTION,))
    short = _with(lead="<div class='m'></div>", style=moves.replace("7s linear infinite", "1s linear 2"))
    yield Seed("motion.autoplay", "ends", PASS, short, probes=(Probe.MOTION,))
    yield Seed(
        "motion.autoplay", "sound", FAIL, _with(body="<audio autoplay src='/song.mp3'></audio>"), probes=(Probe.MOTION,)
    )
    muted = "<video muted autoplay src='/song.mp4' width='40' height='40'></video>"
    yield Seed("motion.autoplay", "muted", PASS, _with(body=muted), probes=(Probe.MOTION,))


def performance() -> Iterator[Seed]:
    """Lab figures, made by scripts that block, shift or load."""
    busy = "<script>const until=performance.now()+{};while(performance.now()<until);</script>"
    for delay, expected in ((200, PASS), (2900, WARN), (4600, FAIL)):
        yield Seed("perf.lcp", f"{delay} ms", expected, _with(title=CLEAN.title + busy.format(delay)))
    shift = (
        "<script>requestAnimationFrame(()=>requestAnimationFrame(()=>setTimeout(()=>document.body.style.paddingTop='{}px',150)"
        "))</script>"
    )
    for height, expected in ((20, PASS), (250, WARN), (440, FAIL)):
        fill = "<div style='height:900px;background:#eee'>Fill</div>"
        yield Seed(
            "perf.cls",
            f"{height} px",
            expected,
            _with(scripts=shift.format(height), body=fill, style=".hero{background:#f4f4f4}"),
        )
    block = "<script>setTimeout(()=>{{const until=performance.now()+{};while(performance.now()<until);}},250)</script>"
    for length, expected in ((90, PASS), (400, WARN), (1000, FAIL)):
        yield Seed("perf.tbt", f"{length} ms", expected, _with(scripts=block.format(length)))
    load = "<script>fetch('/weight-{}.bin').then((answer)=>answer.arrayBuffer())</script>"
    for size, expected in ((2000, PASS), (3000, WARN), (5200, FAIL)):
        yield Seed("perf.page_weight", f"{size} kB", expected, _with(scripts=load.format(size)))


def head() -> Iterator[Seed]:
    """Head, layout, navigation."""
    titles = (("", FAIL), ("t" * 60, PASS), ("t" * 61, WARN))
    for title, expected in titles:
        yield Seed("meta.title_description", f"title {len(title)}", expected, _with(title=f"<title>{title}</title>"))
    text = "Send invoices and get paid in two days, without chasing anybody."
    for size, expected in ((160, PASS), (161, WARN), (0, WARN)):
        meta = CLEAN.meta.replace(text, "d" * size)
        yield Seed("meta.title_description", f"description {size}", expected, _with(meta=meta))
    yield Seed("meta.social_preview", "whole", PASS, CLEAN)
    yield Seed("meta.social_preview", "missing", WARN, _with(meta=META))
    gone = CLEAN.meta.replace('content="/picture.png"', 'content="http://127.0.0.1:9/gone.png"')
    yield Seed("meta.social_preview", "broken", WARN, _with(meta=gone), probes=(Probe.TARGETS,))
    wide = "width=device-width, initial-scale=1"
    for name, content, expected in (
        ("sound", wide, PASS),
        ("no zoom", f"{wide}, user-scalable=no", FAIL),
        ("scale 1.9", f"{wide}, maximum-scale=1.9", FAIL),
        ("scale 2", f"{wide}, maximum-scale=2", PASS),
    ):
        yield Seed("layout.viewport", name, expected, _with(meta=CLEAN.meta.replace(wide, content)))
    bare = CLEAN.meta.replace(f'<meta name="viewport" content="{wide}">', "")
    yield Seed("layout.viewport", "missing", FAIL, _with(meta=bare))
    for width, expected in ((390, PASS), (391, PASS), (392, FAIL), (600, FAIL)):
        body = f"<div style='position:absolute;left:0;height:20px;width:{width}px'></div>"
        yield Seed("layout.h_scroll", str(width), expected, _with(body=body), PHONE)
        if width != 391:  # from right to left, the browser rounds the last pixel away
            turned = rtl(_with(body=body.replace("left:0", "right:0")))
            yield Seed("layout.h_scroll", f"{width} rtl", expected, turned, PHONE)
    for number, expected in ((7, PASS), (8, WARN)):
        nav = "".join(f'<a href="/there.html?{n}">Page {n}</a>' for n in range(number))
        yield Seed("nav.link_density", str(number), expected, _with(nav=nav))
        yield Seed("nav.link_density", f"{number} rtl shadow", expected, rtl(_with(nav=shadowed(nav))))


def all_seeds() -> list[Seed]:
    """Every seeded page."""
    parts = (cta, actions, headline, copy, forms, trust, overlays, media, performance, head)
    return [seed for part in parts for seed in part()]
