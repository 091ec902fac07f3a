import pytest

from analyzer.judging.page_text import clean, comparable, redact, sendable


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        ("  a\n\tb  c ", "a b c"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("\u202egnp.exe", "gnp.exe"),
        ("tag\U000e0041\U000e0042", "tag"),
        ("ﬁne \uff26\uff55ll", "fine Full"),
        ("bell\x07 escape\x1b[31m", "bell escape[31m"),
        ("a\ue000b", "ab"),
    ],
)
def test_only_what_a_reader_sees_is_left(raw: str, seen: str) -> None:
    assert clean(raw, 100) == seen


def test_is_cut_at_the_limit() -> None:
    assert clean("one two three", 7) == "one two"
    assert len(clean("ﷺ" * 1_000, 100)) <= 100


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        ("mail anna.meier+x@shop.example.co.uk now", "mail [email] now"),
        ("card 4111 1111 1111 1111 ok", "card [number] ok"),
        ("call +49 (0)30 / 123 45-678", "call [number]"),
        ("token eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9abc end", "token [token] end"),
        ("from 2019 to 2024, 1,299.00 €", "from 2019 to 2024, 1,299.00 €"),
        ("Donaudampfschifffahrtsgesellschaftskapitän", "Donaudampfschifffahrtsgesellschaftskapitän"),
    ],
)
def test_personal_data_is_redacted(raw: str, sent: str) -> None:
    assert redact(raw) == sent


def test_an_address_at_the_cut_does_not_slip_through() -> None:
    assert "anna" not in sendable("x" * 90 + " anna.meier@shop.example", 100)


def test_spellings_of_the_same_words_are_equal() -> None:
    assert comparable("It\u2019s  “Great” – really…") == comparable('it\'s "great" - REALLY...')
