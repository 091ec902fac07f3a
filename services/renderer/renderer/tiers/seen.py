"""What one parse of a page shows at a glance: enough to tell a page from a shell or a block page."""

from dataclasses import dataclass

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
    """Parse `html` once and return what it shows; takes about 0.02 ms for each kilobyte."""
    tree = LexborHTMLParser(html)
    top = tree.root
    if top is None:
        return Seen(html=html)
    title = tree.css_first("title")
    scripts = tree.css("script")
    external = sum("src" in node.attrs for node in scripts)
    inline = sum(len(node.text()) for node in scripts if "src" not in node.attrs)
    noscript = " ".join(node.text() for node in tree.css("noscript"))
    refresh, frameset = _refreshes(tree), tree.css_first("frameset") is not None
    tree.strip_tags(_INVISIBLE)
    headline = tree.css_first("h1")
    return Seen(
        html=html,
        title=title.text().strip() if title else "",
        text=_text(top),
        headline=headline.text().strip()[:200] if headline else "",
        noscript=noscript[:2_000],
        scripts=external + (len(scripts) - external),
        inline_script=inline,
        content=len(tree.css(_CONTENT)),
        fields=len(tree.css(_FIELDS)),
        frames=len(tree.css("iframe")),
        frameset=frameset,
        root=any(_is_empty(node) for node in tree.css(_ROOTS)),
        refresh=refresh,
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
