"""Bytes to text as a browser reads them: BOM, header, meta or XML declaration, then what is likely."""

import re

_PRESCAN = 4_096
"""WHATWG looks at 1,024 bytes; pages with long heads declare later, and Chromium finds those too."""

_META = re.compile(rb"<meta[^>]{0,400}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE)
_XML = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]{2,40})")
_HEADER = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE)
_LANGUAGE = re.compile(rb"<html[^>]{0,400}?\slang\s*=\s*[\"']?\s*([A-Za-z-]{2,20})", re.IGNORECASE)
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))

UTF8 = "utf-8"
_LATIN = "windows-1252"

# Labels whose meaning on the web is not what they say (WHATWG Encoding Standard, section 4.2), by Python's codec.
_LABELS = {
    **dict.fromkeys(("iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "latin-1", "us-ascii", "ascii"), _LATIN),
    **dict.fromkeys(("cp1252", "x-cp1252", "l1"), _LATIN),
    **dict.fromkeys(("iso-8859-9", "latin5", "iso8859-9"), "windows-1254"),
    **dict.fromkeys(("iso-8859-11", "tis-620", "windows-874", "dos-874"), "cp874"),
    **dict.fromkeys(("gb2312", "gbk", "x-gbk", "gb_2312-80", "gb18030", "csgb2312"), "gb18030"),
    **dict.fromkeys(("big5", "big5-hkscs", "cn-big5", "x-x-big5"), "big5hkscs"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "ms_kanji", "windows-31j"), "cp932"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987", "ksc5601", "windows-949", "korean"), "cp949"),
    **dict.fromkeys(("euc-jp", "x-euc-jp"), "euc_jp"),
    **dict.fromkeys(("iso-2022-jp", "csiso2022jp"), "iso2022_jp"),
    **dict.fromkeys(("utf-8", "utf8", "unicode-1-1-utf-8", "x-unicode20utf8"), UTF8),
    **dict.fromkeys(("utf-16", "utf-16le", "unicode", "ucs-2"), "utf-16-le"),
    "utf-16be": "utf-16-be",
    **dict.fromkeys(("iso-8859-8-i", "logical", "hebrew"), "iso8859-8"),
    **{f"iso-8859-{part}": f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    **{f"windows-{page}": f"windows-{page}" for page in range(1250, 1259)},
    **{f"cp{page}": f"windows-{page}" for page in (1250, 1251, 1253, 1254, 1255, 1256, 1257, 1258)},
    "koi8-r": "koi8_r",
    "koi": "koi8_r",
    "koi8-u": "koi8_u",
    **dict.fromkeys(("ibm866", "cp866", "866"), "cp866"),
    **dict.fromkeys(("macintosh", "x-mac-roman"), "mac_roman"),
    "x-mac-cyrillic": "mac_cyrillic",
}

# What browsers set up for a language take when nothing is declared and the bytes are not UTF-8.
_LIKELY = {
    "ja": ("euc_jp", "cp932"),
    "zh": ("gb18030",),
    "zh-tw": ("big5hkscs",),
    "zh-hk": ("big5hkscs",),
    "ko": ("cp949",),
    **dict.fromkeys(("ru", "bg", "mk", "uk", "be", "sr"), ("windows-1251",)),
    **dict.fromkeys(("pl", "cs", "sk", "hu", "sl", "hr"), ("windows-1250",)),
    "el": ("windows-1253",),
    "tr": ("windows-1254",),
    "he": ("windows-1255",),
    **dict.fromkeys(("ar", "fa"), ("windows-1256",)),
    **dict.fromkeys(("lt", "lv", "et"), ("windows-1257",)),
    "vi": ("windows-1258",),
    "th": ("cp874",),
}


def decode(body: bytes, content_type: str) -> tuple[str, str]:
    """Return the text and the name of its encoding; what the encoding does not know becomes U+FFFD."""
    for mark, codec in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(codec, "replace"), codec
    declared = _in_header(content_type) or _in_document(body)
    if declared is None:
        return _undeclared(body)
    return body.decode(declared, "replace"), declared


def _in_header(content_type: str) -> str | None:
    found = _HEADER.search(content_type)
    return _LABELS.get(found[1].lower()) if found else None


def _in_document(body: bytes) -> str | None:
    start = body[:_PRESCAN]
    found = _XML.match(start) or _META.search(start)
    codec = _LABELS.get(found[1].decode("ascii").lower()) if found else None
    # The declaration was readable as ASCII, so the text cannot be UTF-16 whatever it says (WHATWG prescan).
    return UTF8 if codec in {"utf-16-le", "utf-16-be"} else codec


def _undeclared(body: bytes) -> tuple[str, str]:
    for codec in (UTF8, *_likely(body)):
        try:
            return body.decode(codec), codec
        except UnicodeDecodeError:
            continue
    if not any(byte in body for byte in (b"\xc3", b"\xe2", b"\xd0", b"\xe3", b"\xe4")):
        return body.decode(_LATIN, "replace"), _LATIN
    text = body.decode(UTF8, "replace")
    # A cut or a single broken byte in UTF-8 is likelier than a page of another encoding that is nearly valid UTF-8.
    if text.count("\ufffd") * 50 < sum(character > "\x7f" for character in text):
        return text, UTF8
    return body.decode(_LATIN, "replace"), _LATIN


def _likely(body: bytes) -> tuple[str, ...]:
    found = _LANGUAGE.search(body[:_PRESCAN])
    if not found:
        return ()
    language = found[1].decode("ascii").lower()
    return _LIKELY.get(language) or _LIKELY.get(language.partition("-")[0], ())
