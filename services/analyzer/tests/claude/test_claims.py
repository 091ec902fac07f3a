import pytest

from analyzer.claims import Overreach, out_of_reach, plain


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("The button has low contrast.", Overreach.MEASURED),
        ("The ratio is only 2.1:1 here.", Overreach.MEASURED),
        ("The tap targets are tiny.", Overreach.MEASURED),
        ("The page is slow to load.", Overreach.MEASURED),
        ("The banner animates too fast.", Overreach.OUT_OF_SIGHT),
        ("Clicking the button leads to a dead end.", Overreach.OUT_OF_SIGHT),
        ("The bounce rate must be high.", Overreach.OUT_OF_SIGHT),
        ("The headline does not say what is sold.", None),
        ("It is not said what happens after sending the form.", None),
        ("Any competitor could say the same.", None),
    ],
)
def test_says_what_is_not_the_models_to_say(text: str, why: Overreach | None) -> None:
    assert out_of_reach(text) is why


@pytest.mark.parametrize(
    ("raw", "left"),
    [
        ("Say it first. This lifts conversion by 25 %.", "Say it first."),
        ("Expect a 2x increase in sign-ups. Move it up.", "Move it up."),
        ("Sales grow 10-20 percent.", ""),
        ("Mention the 20 % discount near the price.", "Mention the 20 % discount near the price."),
        ("See https://evil.example/x?y=1 for more", "See for more"),
        ("Go to www.evil.example today", "Go to today"),
        ("[Click](javascript:alert(1)) here", "Click here"),
        ("<img src=x onerror=alert(1)>Buy", "Buy"),
        ("<scr<b>ipt>alert(1)</script>", "scriptalert(1)"),
        ("=HYPERLINK(1)", "HYPERLINK(1)"),
        ("@SUM(A1)", "SUM(A1)"),
        ("+49 is the prefix", "49 is the prefix"),
        ("line\x00break\x1b", "linebreak"),
    ],
)
def test_leaves_plain_words(raw: str, left: str) -> None:
    assert plain(raw, 200) == left


def test_no_markup_survives_any_nesting() -> None:
    assert not set("<>`") & set(plain("<<a>a <b <i>x</i>> y</<b>b>`z`" * 5, 500))
