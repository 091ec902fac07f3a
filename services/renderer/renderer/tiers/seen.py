"""What one parse of a page shows at a glance: enough to tell a page from a shell or a block page."""

from dataclasses import dataclass, replace

from selectolax.lexbor import LexborHTMLParser, LexborNode

_CONTENT = "p,h1,h2,h3,h4,li,td,dd,a[href],img,picture,video,article,label,button,pre,blockquote"
_FIELDS = (
    'input:not([type]),input[type="text"],input[type="email"],input[type="password"],input[type="tel"],'
    'input[type="search"],textarea,select'
)
_ROOTS = (
    "#root,#app,#__next,#__nuxt,#___gatsby,#svelte,#react-root,#react-app,#vue-app,#ember-app,#main-app,#app-root,"
    "#application,#mount,#spa,#app-mount,app-root,my-app,[ng-app],[data-ng-app],[ng-version],[data-reactroot]"
)
_WIDGETS = ".g-recaptcha,.h-captcha,.cf-turnstile,.frc-captcha,#px-captcha,#captcha,[data-sitekey]"
_INVISIBLE = ["script", "style", "noscript", "template", "svg", "head"]
_LOADING_CHARS = 60

PLENTY = 3_000
"""Characters of visible text above which a page is no interstitial and no shell; the longest seen has about 1,500."""


@dataclass(frozen=True)
class Seen:
    """The page without its layout. Lengths are in characters."""

    html: str = ""
    title: str = ""
    text: str = ""
    headline: str = ""
    noscript: str = ""
    scripts: int = 0
    inline_script: int = 0
    content: int = 0
    fields: int = 0
    frames: int = 0
    frameset: bool = False
    root: bool = False
    """An element that applications are mounted in is there, and shows nothing yet."""

    refresh: bool = False
    widget: bool = False
    """A captcha's own element is there."""


def look(html: str) -> Seen:
    """Parse `html` once and return what it shows. A page with plenty of text is not looked at any closer."""
    tree = LexborHTMLParser(html)
    top = tree.root
    if top is None:
        return Seen(html=html)
    seen = _head(html, tree)
    tree.strip_tags(_INVISIBLE)
    seen = replace(seen, text=_text(top))
    return seen if len(seen.text) > PLENTY else _body(seen, tree)


def _head(html: str, tree: LexborHTMLParser) -> Seen:
    """Return what is there before everything invisible is taken out."""
    title = tree.css_first("title")
    scripts = tree.css("script")
    return Seen(
        html=html,
        title=title.text().strip() if title else "",
        noscript=" ".join(node.text() for node in tree.css("noscript"))[:2_000],
        scripts=len(scripts),
        inline_script=sum(len(node.text()) for node in scripts if "src" not in node.attrs),
        frameset=tree.css_first("frameset") is not None,
        refresh=_refreshes(tree),
    )


def _body(seen: Seen, tree: LexborHTMLParser) -> Seen:
    headline = tree.css_first("h1")
    return replace(
        seen,
        headline=headline.text().strip()[:200] if headline else "",
        content=len(tree.css(_CONTENT)),
        fields=len(tree.css(_FIELDS)),
        frames=len(tree.css("iframe")),
        root=any(_is_empty(node) for node in tree.css(_ROOTS)),
        widget=tree.css_first(_WIDGETS) is not None,
    )


def _text(node: LexborNode) -> str:
    return " ".join(node.text(separator=" ").split())


def _is_empty(node: LexborNode) -> bool:
    # A spinner or one word such as “Loading” is what applications show before they are there.
    return len(node.text().strip()) < _LOADING_CHARS and node.css_first("img[src],input,a[href],h1,p,li") is None


def _refreshes(tree: LexborHTMLParser) -> bool:
    marks = tree.css("meta[http-equiv][content]")
    return any(
        (mark.attrs["http-equiv"] or "").lower() == "refresh" and "url" in (mark.attrs["content"] or "").lower()
        for mark in marks
    )
