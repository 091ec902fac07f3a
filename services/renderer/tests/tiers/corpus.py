"""Small pages and what they are: shells that need scripts, block pages, and pages that a server has rendered."""

from dataclasses import dataclass, field

from renderer.tiers.verdict import Finding

_LOREM = "Our bags are sewn by hand from waxed canvas and last for many years of daily use. "
_ANALYTICS = (
    "<script async src='https://stats.test/a.js'></script><script>window.q=window.q||[];q.push('view')</script>"
)


@dataclass(frozen=True)
class Sample:
    """One response and what a person would call it."""

    name: str
    html: str
    finding: Finding
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    certain: bool = False


def _page(body: str, head: str = "", title: str = "Sparrow Goods") -> str:
    return (
        f"<!doctype html><html><head><meta charset=utf-8><title>{title}</title>{head}</head><body>{body}</body></html>"
    )


def _shell(name: str, body: str, head: str = "", title: str = "App") -> Sample:
    return Sample(name, _page(body, head, title), Finding.NEEDS_JAVASCRIPT)


def _fine(name: str, body: str, head: str = "", *, status: int = 200, title: str = "Sparrow Goods") -> Sample:
    return Sample(name, _page(body, head, title), Finding.PAGE, status)


def _vendor(name: str, status: int, html: str, headers: dict[str, str] | None = None) -> Sample:
    return Sample(name, html, Finding.BLOCKED, status, headers or {}, certain=True)


def _refused(name: str, status: int, html: str) -> Sample:
    return Sample(name, html, Finding.BLOCKED, status)


_MODULE = "<script type=module crossorigin src=/assets/index-4f1c.js></script>"
_NOTE = "<noscript>You need to enable JavaScript to run this app.</noscript>"
_HEAVY = f"<script>{'var a=function(){return 1};' * 2500}</script>"
_NAV = "".join(f"<li><a href='/{n}'>Category number {n}</a></li>" for n in range(12))
_ARTICLE = f"<h1>Bags that outlive you</h1><p>{_LOREM * 6}</p><p>{_LOREM * 4}</p><a href=/buy>Buy now</a>"

SHELLS = [
    _shell("create-react-app", f"{_NOTE}<div id=root></div><script src=/static/js/main.js></script>"),
    _shell("vite", "<div id=app></div>", _MODULE),
    _shell("vite with a spinner", "<div id=app><div class=spinner>Loading…</div></div>", _MODULE),
    _shell(
        "next, client only", '<div id=__next></div><script id=__NEXT_DATA__ type=application/json>{"p":{}}</script>'
    ),
    _shell("nuxt, client only", "<div id=__nuxt></div><script>window.__NUXT__={config:{}}</script>"),
    _shell("angular", "<app-root></app-root><script src=main.js type=module></script>"),
    _shell("angular with a logo", "<app-root><div class=boot>Acme</div></app-root><script src=main.js></script>"),
    _shell(
        "ember", "<div id=ember-app></div><script src=/assets/vendor.js></script><script src=/assets/a.js></script>"
    ),
    _shell("gatsby, broken build", "<div id=___gatsby></div><script src=/app.js></script>"),
    _shell("flutter", "<script src=main.dart.js defer></script>"),
    _shell("unknown mount point", "<div class=mount></div><script src=/bundle.js></script>"),
    _shell("own elements only", "<shop-app><shop-header></shop-header></shop-app><script src=/shop.js></script>"),
    _shell("header from the server, empty app", f"<ul>{_NAV}</ul><main id=app></main><script src=/a.js></script>"),
    _shell("footer and empty root", f"<div id=root></div><footer>{_LOREM * 3}</footer><script src=/a.js></script>"),
    _shell("noscript in German", f"<noscript>Bitte aktivieren Sie JavaScript.</noscript><div></div>{_HEAVY}"),
    _shell("please wait", "<p>Please wait while the page is being prepared</p><script src=/go.js></script>"),
    _shell("redirect by script", "<script>location.replace('/home?lang='+navigator.language)</script>"),
    _shell(
        "meta refresh", "<p>You are being taken to the shop.</p>", '<meta http-equiv="Refresh" content="0; URL=/en">'
    ),
    _shell("inlined bundle", f"<div class=x></div>{_HEAVY}"),
    _shell("a few words and many scripts", "<p>Acme</p>" + "".join(f"<script src={n}.js></script>" for n in range(8))),
    Sample(
        "frameset", "<html><frameset cols=20,*><frame src=a><frame src=b></frameset></html>", Finding.NEEDS_JAVASCRIPT
    ),
    _shell("one frame", "<iframe src=https://shop.test/ width=100% height=100%></iframe>"),
]

_CF = "<script>window._cf_chl_opt={cvId:'3'};</script><script src='/cdn-cgi/challenge-platform/h/b/x'></script>"
_EDGE = "<h1>Access Denied</h1>You don't have permission. Reference #18.2d. <p>https://errors.edgesuite.net/18.2d</p>"
_PX = "<div id=px-captcha></div><script src=//captcha.px-cdn.net/PXabc/captcha.js></script>Press and hold the button"
_DD = "<script>var dd={'rt':'c','cid':'A'}</script><script src=https://ct.captcha-delivery.com/c.js></script>"
_INCAP = "<iframe src='/_Incapsula_Resource?CWUDNSAI=9'>Request unsuccessful. Incapsula incident ID: 877-1</iframe>"
_GOOGLE = "<p>This page appears when our systems have detected unusual traffic from your computer network.</p>"

BLOCKS = [
    _vendor("cloudflare challenge", 403, _page(_CF, title="Just a moment..."), {"cf-mitigated": "challenge"}),
    _vendor("cloudflare challenge, 503", 503, _page(_CF + "Checking your browser", title="Just a moment...")),
    _vendor("cloudflare by header", 403, "", {"cf-mitigated": "challenge", "server": "cloudflare"}),
    _vendor(
        "cloudflare 1020", 403, _page("<div id=cf-error-details>Error 1020: Access denied</div>", title="Access denied")
    ),
    _vendor("cloudflare attention", 403, _page("<h1>Sorry</h1>", title="Attention Required! | Cloudflare")),
    _vendor("akamai", 403, _page(_EDGE, title="Access Denied")),
    _vendor("akamai challenge, 200", 200, _page("<div id=sec-if-cpt-container></div><script src=/x></script>")),
    _vendor("akamai bm-verify", 200, _page("<script>fetch('/_sec/verify?bm-verify='+t)</script>")),
    _vendor("perimeterx", 403, _page(_PX, title="Access to this page has been denied")),
    _vendor("perimeterx, 200", 200, _page(_PX)),
    _vendor("datadome", 403, _page(_DD, title="shop.test"), {"x-datadome": "protected"}),
    _vendor("imperva", 200, _page(_INCAP)),
    _vendor("imperva interruption", 200, _page("<h1>Pardon Our Interruption</h1><p>As you were browsing</p>")),
    _vendor(
        "sucuri",
        403,
        _page("Access Denied", title="Sucuri WebSite Firewall - Access Denied") + "Sucuri WebSite Firewall",
    ),
    _vendor("kasada", 429, "<script>window.KPSDK={};KPSDK.now=1</script>", {"x-kpsdk-ct": "0a"}),
    _vendor("aws waf challenge", 202, _page("<script>window.awsWafCookieDomainList=[]</script>")),
    _vendor("aws waf by header", 405, _page("<div id=captcha-container></div>"), {"x-amzn-waf-action": "captcha"}),
    _vendor(
        "vercel", 403, _page("<p>Checking</p>", title="Vercel Security Checkpoint"), {"x-vercel-mitigated": "challenge"}
    ),
    _vendor("ddos-guard", 403, _page("<p>Checking your browser</p>", title="DDoS-Guard")),
    _vendor("wordfence", 503, _page("Your access to this site has been limited. Generated by Wordfence at noon")),
    _vendor("f5", 200, _page("The requested URL was rejected. Please consult with your administrator. Support ID: 12")),
    _vendor(
        "anubis",
        200,
        _page("<script src=/.within.website/x/cmd/anubis/main.mjs></script>", title="Making sure you're not a bot!"),
    ),
    _vendor(
        "radware", 200, _page("<form action=https://validate.perfdrive.com/></form>", title="Radware Captcha Page")
    ),
    _vendor("google", 429, _page(_GOOGLE, title="Sorry...")),
    _vendor("google, 200", 200, _page(_GOOGLE)),
    _vendor("plain 429", 429, _page("<p>Slow down</p>")),
    _refused("plain 403", 403, _page("<h1>Forbidden</h1>")),
    _refused("empty 403", 403, ""),
    _refused("plain 503", 503, _page("<h1>Service unavailable</h1>")),
    _refused(
        "recaptcha alone", 200, _page("<p>One more step</p><form><div class=g-recaptcha data-sitekey=x></div></form>")
    ),
    _refused("turnstile alone", 200, _page("<div class=cf-turnstile data-sitekey=x></div>")),
    _refused("robot question", 200, _page("<h1>Are you a robot?</h1><p>Click the box to go on.</p>")),
    _refused("human question", 200, _page("<h1>Please verify that you are human</h1>")),
    _refused("cloudfront", 400, _page("<h1>400 ERROR</h1>The request could not be satisfied. Request blocked.")),
    _refused("unusual activity", 200, _page("<p>We noticed unusual activity from your network.</p>")),
    _refused("cookies and scripts", 200, _page("<p>Please enable JavaScript and cookies to continue</p>")),
]

_SSR_REACT = f"<div id=root data-reactroot>{_ARTICLE}</div>{_NOTE}<script src=/main.js></script>"
_SSR_NEXT = f"<div id=__next><main>{_ARTICLE}</main></div><script id=__NEXT_DATA__ type=application/json>{{}}</script>"
_FORM = "<form><input type=email><input type=password><button>Log in</button></form>"
_LOGIN = f"<h1>Log in</h1>{_FORM}<script src=/a.js></script>"
_SIGNUP = (
    "<h1>Contact us</h1><form><input type=text><textarea></textarea><div class=g-recaptcha></div></form>" + _ANALYTICS
)
_ABOUT_BLOCKS = f"<h1>How captcha vendors work</h1><p>px-captcha and _cf_chl_opt {_LOREM * 45}</p>"
_JSD = "<script>(function(){var a='/cdn-cgi/challenge-platform/scripts/jsd/main.js'})()</script>"

ORDINARY = [
    _fine("article", _ARTICLE),
    _fine("article with statistics", _ARTICLE + _ANALYTICS),
    _fine("article with heavy scripts", _ARTICLE + _HEAVY * 3),
    _fine("react from the server", _SSR_REACT),
    _fine("next from the server", _SSR_NEXT),
    _fine("nuxt from the server", f"<div id=__nuxt>{_ARTICLE}</div><script>window.__NUXT__={{}}</script>"),
    _fine(
        "angular universal", f"<app-root ng-version=17>{_ARTICLE}</app-root><script src=main.js type=module></script>"
    ),
    _fine("a page with an unused mount point", f"{_ARTICLE * 3}<div id=app></div><script src=/chat.js></script>"),
    _fine("log in", _LOGIN),
    _fine("contact form with a captcha", _SIGNUP),
    _fine("sign-up with turnstile", "<form><input type=email><div class=cf-turnstile></div></form>" + _ARTICLE),
    _fine("not found", "<h1>Not found</h1><p>There is no such page.</p><a href=/>Home</a>" + _ANALYTICS, status=404),
    _fine("gone", "<h1>Gone</h1>", status=410),
    _fine("server error", "<h1>Something broke</h1><p>We are on it.</p>", status=500),
    _fine("log-in wall", _LOGIN, status=401),
    _fine("tiny and honest", "<h1>It works!</h1>"),
    _fine(
        "coming soon", "<h1>Coming soon</h1><p>We open in May.</p><img src=/logo.png><a href=mailto:a@b.test>Write</a>"
    ),
    _fine("no body", ""),
    _fine("gallery", "".join(f"<a href=/{n}><img src=/{n}.jpg alt='Bag {n}'></a>" for n in range(30)) + _ANALYTICS),
    _fine("table", "<table>" + "<tr><td>Bag</td><td>12</td></tr>" * 40 + "</table>" + _ANALYTICS),
    _fine("right to left", f"<h1>حقائب تدوم</h1><p>{'حقائب مصنوعة يدويا من القماش ' * 20}</p>" + _ANALYTICS),
    _fine("chinese", f"<h1>耐用的包</h1><p>{'我们的包由手工缝制可以使用很多年。' * 16}</p>" + _ANALYTICS),
    _fine("article about block pages", _ABOUT_BLOCKS, title="On captchas"),
    _fine("cloudflare's script in a page that passed", _ARTICLE + _JSD),
    _fine("datadome's script in a page that passed", _ARTICLE + "<script src=https://js.datadome.co/tags.js></script>"),
    _fine(
        "imperva's script in a page that passed", _ARTICLE + "<script src='/_Incapsula_Resource?SWJIYLWA=7'></script>"
    ),
    _fine("perimeterx's script in a page that passed", _ARTICLE + "<script>window._pxAppId='PXabc'</script>"),
    _fine(
        "recaptcha notice", _ARTICLE + "<p>This site is protected by reCAPTCHA</p><div class=grecaptcha-badge></div>"
    ),
    _fine("slow refresh", _ARTICLE, '<meta http-equiv=refresh content="300;url=/live">'),
    _fine("old-fashioned", "<font size=7>Welcome</font><hr><a href=a.htm>Enter</a><br>Best viewed at 800x600"),
    _fine("statistics in noscript", _ARTICLE + "<noscript><img src=//stats.test/p.gif></noscript>" + _ANALYTICS),
]

SAMPLES = SHELLS + BLOCKS + ORDINARY
