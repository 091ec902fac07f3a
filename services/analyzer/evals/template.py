"""A small clean landing page that passes every rule, in parts that a defect replaces."""

from dataclasses import dataclass, replace

STYLE = """
body{margin:0;font:16px/1.5 sans-serif;color:#222;background:#fff}
header,main,footer{padding:16px 24px} h1{font-size:40px;margin:40px 0 16px} h2{font-size:26px}
p{max-width:600px} .hero{min-height:420px} nav a,footer a{color:#0b4f8a;display:inline-block;padding:14px 10px}
.cta{display:inline-block;background:#0b4f8a;color:#fff;padding:14px 26px;font-size:18px;text-decoration:none;border:0;
border-radius:6px;line-height:1.4} label{display:block;margin-top:12px} input,select{font-size:16px;padding:12px;width:240px}
img{display:block}
"""
META = (
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="description" content="Send invoices and get paid in two days, without chasing anybody.">'
    '<meta property="og:title" content="Sparrow"><meta property="og:image" content="">'
    '<meta property="og:description" content="Invoices that pay themselves">'
)
TITLE = "<title>Invoices that pay themselves | Sparrow</title>"
NAV = '<a href="/there.html">Product</a> <a href="/there.html?help">Help</a>'
HEADLINE = "<h1>Get paid in two days, not two months</h1>"
LEAD = "<p>We send your invoices and chase the late ones, so that you can do your work.</p>"
CTA = '<a class="cta" href="/there.html?start">Start free trial</a>'
PROOF = (
    "<h2>What our customers say</h2><blockquote>“We get our money weeks sooner than we ever did before.”</blockquote>"
)
FORM = ""
FOOTER = '<a href="/there.html?privacy">Privacy</a> <a href="/there.html?contact">Contact us</a>'


@dataclass(frozen=True)
class Template:
    """A page in parts. Every part is HTML."""

    title: str = TITLE
    meta: str = META.replace('content=""', 'content="/picture.png"')
    style: str = ""
    nav: str = NAV
    headline: str = HEADLINE
    lead: str = LEAD
    cta: str = CTA
    body: str = ""
    proof: str = PROOF
    form: str = FORM
    footer: str = FOOTER
    scripts: str = ""
    language: str = "en"
    direction: str = "ltr"

    def html(self) -> str:
        """Put the parts together."""
        return (
            f'<!doctype html><html lang="{self.language}" dir="{self.direction}"><head><meta charset="utf-8">{self.title}'
            f"{self.meta}<style>{STYLE}{self.style}</style></head><body><header><nav>{self.nav}</nav></header>"
            f'<main><div class="hero">{self.headline}{self.lead}{self.cta}</div>{self.body}{self.form}{self.proof}</main>'
            f"<footer>{self.footer}</footer>{self.scripts}</body></html>"
        )


CLEAN = Template()


def shadowed(part: str) -> str:
    """Put a part into an open shadow root of its own, with the page's style."""
    return f'<x-part><template shadowrootmode="open"><style>{STYLE}</style>{part}</template></x-part>'


def framed(part: str, width: int = 800, height: int = 400) -> str:
    """Put a part into a frame of the same origin."""
    page = f"<style>{STYLE}</style>{part}".replace("&", "&amp;").replace('"', "&quot;")
    return f'<iframe title="part" width="{width}" height="{height}" style="border:0;max-width:100%" srcdoc="{page}"></iframe>'


def rtl(template: Template) -> Template:
    """Lay the page out from right to left."""
    return replace(template, direction="rtl")
