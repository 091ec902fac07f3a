import pytest

from renderer.tiers.charset import decode

SAMPLES = {
    "windows-1252": ("Crème brûlée – 12 €", "windows-1252", "windows-1252"),
    "iso-8859-1": ("Grüße “quoted”", "windows-1252", "windows-1252"),
    "iso-8859-2": ("Příliš žluťoučký", "iso8859-2", "iso8859-2"),
    "windows-1250": ("Zażółć gęślą jaźń", "windows-1250", "windows-1250"),
    "windows-1251": ("Сумки, которые служат", "windows-1251", "windows-1251"),
    "koi8-r": ("Сумки, которые служат", "koi8_r", "koi8_r"),
    "windows-1253": ("Τσάντες που αντέχουν", "windows-1253", "windows-1253"),
    "iso-8859-9": ("Çelik gibi çantalar ğüş", "windows-1254", "windows-1254"),
    "windows-1255": ("תיקים שמחזיקים", "windows-1255", "windows-1255"),
    "windows-1256": ("حقائب تدوم", "windows-1256", "windows-1256"),
    "tis-620": ("กระเป๋าที่ทนทาน", "cp874", "cp874"),
    "shift_jis": ("丈夫なバッグ①", "cp932", "cp932"),
    "euc-jp": ("丈夫なバッグ", "euc_jp", "euc_jp"),
    "iso-2022-jp": ("丈夫なバッグ", "iso2022_jp", "iso2022_jp"),
    "gb2312": ("耐用的包囧", "gb18030", "gb18030"),
    "gb18030": ("耐用的包𠀀", "gb18030", "gb18030"),
    "big5": ("耐用的包包", "big5hkscs", "big5hkscs"),
    "euc-kr": ("튼튼한 가방 똠", "cp949", "cp949"),
    "utf-8": ("Grüße 耐用 🎒", "utf-8", "utf-8"),
    "utf-16le": ("Grüße 耐用", "utf-16-le", "utf-16-le"),
    "utf-16be": ("Grüße 耐用", "utf-16-be", "utf-16-be"),
}
ASCII_BASED = {label: sample for label, sample in SAMPLES.items() if not label.startswith("utf-16")}


@pytest.mark.parametrize("label", SAMPLES)
def test_the_header_counts(label: str) -> None:
    text, codec, name = SAMPLES[label]
    assert decode(text.encode(codec), f'text/html; charset="{label.upper()}"') == (text, name)


@pytest.mark.parametrize("label", ASCII_BASED)
@pytest.mark.parametrize(
    "declaration",
    [
        "<meta charset={}>",
        "<meta http-equiv='Content-Type' content='text/html; charset={}'>",
        "<?xml version='1.0' encoding='{}'?>",
    ],
)
def test_the_document_counts_where_the_header_is_silent(label: str, declaration: str) -> None:
    text, codec, name = ASCII_BASED[label]
    page = declaration.format(label) + text
    assert decode(page.encode(codec), "text/html") == (page, name)


@pytest.mark.parametrize(
    ("mark", "codec"), [(b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")]
)
def test_a_byte_order_mark_counts_most(mark: bytes, codec: str) -> None:
    assert decode(mark + "Größe".encode(codec), "text/html; charset=koi8-r") == ("Größe", codec)


def test_the_header_counts_more_than_the_document() -> None:
    page = "<meta charset=koi8-r>Größe"
    assert decode(page.encode(), "text/html; charset=utf-8") == (page, "utf-8")


@pytest.mark.parametrize(
    ("language", "text", "codec"),
    [
        ("ja", "丈夫なバッグです", "euc_jp"),
        ("zh-CN", "耐用的包包", "gb18030"),
        ("zh-TW", "耐用的包包", "big5hkscs"),
        ("ko-KR", "튼튼한 가방", "cp949"),
        ("ru", "Сумки, которые служат", "windows-1251"),
        ("pl", "Zażółć gęślą", "windows-1250"),
        ("de", "Grüße aus Köln", "windows-1252"),
        ("", "Grüße aus Köln", "windows-1252"),
        ("ja", "Grüße 耐用", "utf-8"),
    ],
)
def test_undeclared_text_is_taken_as_likely(language: str, text: str, codec: str) -> None:
    page = f"<html lang='{language}'>{text}" if language else text
    assert decode(page.encode(codec), "text/html") == (page, codec)


def test_shift_jis_is_likely_where_the_older_one_does_not_fit() -> None:
    page = "<html lang=ja>ｶﾊﾞﾝ、丈夫なバッグ"
    assert decode(page.encode("cp932"), "text/html") == (page, "cp932")


def test_nearly_utf8_stays_utf8() -> None:
    text, codec = decode("Größe für Jäger und Köche ".encode() * 20 + b"\xc3", "text/html")
    assert codec == "utf-8"
    assert text.endswith("\ufffd")


@pytest.mark.parametrize("label", ["rot13", "zlib", "unicode_escape", "utf-7", "punycode", "x-nonsense"])
def test_what_is_no_encoding_of_the_web_is_ignored(label: str) -> None:
    assert decode("Größe".encode(), f"text/html; charset={label}") == ("Größe", "utf-8")


def test_a_declared_utf16_that_could_be_read_is_utf8() -> None:
    page = "<meta charset=utf-16>Größe"
    assert decode(page.encode(), "text/html") == (page, "utf-8")


@pytest.mark.parametrize("body", [b"", b"\xff", bytes(range(256)), b"<meta charset=", b"\xfe\xff\x00"])
def test_any_bytes_become_text(body: bytes) -> None:
    text, _ = decode(body, "text/html; charset=utf-8")
    assert isinstance(text.encode("utf-8"), bytes)
