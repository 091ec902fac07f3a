"""Words on a page that speak to a model instead of a visitor, in the languages and disguises that are known.

A hit changes nothing but trust: the report warns, and no finding of the model counts as more than supported. So a
false alarm is cheap and a miss is bounded; the list need not be complete.
"""

import re
import unicodedata

from analyzer.judging.page_text import clean

_LOOKALIKES = str.maketrans(
    "авеіјкмнорѕстухԁԛԝ" + "αεικνορτυχ" + "ıɡ",  # noqa: RUF001  # these are the point
    "abeijkmhopsctyxdqw" + "aeikvoptux" + "ig",
)
# Each pattern with words of which one is in everything that it matches: a page has hundreds of texts, and looking for a
# word costs a hundredth of looking for a pattern.
_LATIN = (
    (
        ("ignor", "disregard", "forget", "override"),
        (
            r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:previous|prior|above|earlier|all|your|these|any)\b.{0,40}"
            r"\b(?:instructions?|prompts?|rules?|directions?|messages?|guidelines?)\b"
        ),
    ),
    (
        ("as a",),
        (
            r"\bas an? (?:ai|llm|(?:ai )?assistant|(?:ai )?language model|ai model),? (?:you|please|i\b|do\b|must)"
            r"|\bas an ai (?:language )?model\b"
        ),
    ),
    (("system", "developer"), r"\b(?:system|developer) (?:prompt|message|override)\b"),
    (("instruction",), r"\b(?:new|updated|real) (?:system )?instructions?\b.{0,5}:"),
    (
        ("note", "message", "attention", "instruction"),
        (
            r"\b(?:note|message|attention|instructions?) (?:to|for) (?:the |any |all )?"
            r"(?:ai|llms?|(?:ai )?(?:model|reviewer|assistant|agent|crawler|language model)s?)\b"
        ),
    ),
    (("you are",), r"\byou are (?:now )?(?:an? )?(?:ai|chatgpt|claude|assistant|language model)\b"),
    (
        ("100", "10/10", "perfect", "highest"),
        (
            r"\b(?:give|assign|award|rate|score|set)\b.{0,30}\b(?:score|rating|page|site)\b.{0,20}"
            r"\b(?:100|10/10|perfect|highest)\b"
            r"|\b(?:score|rating)\b.{0,15}\b(?:must|has to|should|shall)\b.{0,15}\b(?:100|10/10|perfect|highest)\b"
        ),
    ),
    (
        ("issues", "problems", "findings"),
        r"\b(?:report|say|state|answer|return|output)\b.{0,25}\b(?:no|zero) (?:issues|problems|findings)\b",
    ),
    (("do not",), r"\bdo not (?:report|mention|flag|criticise|criticize)\b"),
    (
        ("ignorier", "vergiss", "missachte"),
        r"\b(?:ignoriere?n?|vergiss|missachte)\b.{0,40}\b(?:anweisung|regel|vorgabe)",
    ),
    (("ignore", "oublie"), r"\b(?:ignore[zr]?|oublie[zr]?)\b.{0,40}\b(?:instructions|consignes|regles)\b"),
    (
        ("ignor", "olvida", "omite"),
        r"\b(?:ignora|ignore|olvida|omite)\b.{0,40}\b(?:instrucciones|instrucoes|istruzioni|reglas|regras|regole)\b",
    ),
    (("negeer", "vergeet"), r"\b(?:negeer|vergeet)\b.{0,40}\b(?:instructies|regels|opdrachten)\b"),
    (("ignoruj", "pomin"), r"\b(?:zignoruj|ignoruj|pomin)\b.{0,40}\b(?:instrukcj|polecen|zasad)"),
    (
        ("yoksay", "yok say", "gormezden"),
        r"\b(?:yoksay|gormezden gel)\b|\b(?:talimat|yonerge).{0,40}\b(?:yok ?say|gormezden)",
    ),
    (
        ("<", "[/inst]", "[inst]"),
        (
            r"</?(?:system|assistant|tool_result|function_results?|instructions?)>"
            r"|<\|(?:im_start|im_end|system|endoftext)|\[/?inst\]|<<sys>>"
        ),
    ),
    ((": ",), r"(?:^|\s)(?:human|assistant|system): "),
    (
        ("role", "type"),
        r"[\"']role[\"']\s*:\s*[\"'](?:system|assistant)[\"']|[\"']type[\"']\s*:\s*[\"']tool_(?:result|use)[\"']",
    ),
    (("suspicious_", "get_page"), r"\bsuspicious_instructions_seen\b|\bget_page_capture\b"),
)
_OTHER = (
    r"(?:игнориру|забудь|не обращаи внимания).{0,40}(?:инструкци|указани|правил)",
    r"(?:指示|命令|指令|提示|规则|規則).{0,20}(?:無視|忽略|忽视|无视)|(?:無視|忽略|忽视|无视).{0,20}(?:指示|命令|指令|提示|规则|規則)",
    r"(?:지시|명령|지침).{0,20}(?:무시|잊)",
    r"(?:تجاهل|انس).{0,40}(?:تعليمات|التعليمات|الاوامر)",
    r"(?:התעלם|התעלמו).{0,40}(?:הוראות|ההוראות)",
    r"(?:निर्देश|आदेश).{0,40}(?:अनदेखा|उपेक्षा|नज़रअंदाज़)",
)


def _without_marks(text: str) -> str:
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFC", "".join(char for char in parts if unicodedata.category(char) != "Mn"))


_IN_LATIN = tuple((words, re.compile(pattern)) for words, pattern in _LATIN)
_IN_OTHERS = re.compile("|".join(map(_without_marks, _OTHER)), re.IGNORECASE)
_SPACED_OUT = re.compile(
    r"ignore(?:all|the|any|your)*(?:previous|prior|above|earlier)\w{0,12}(?:instruction|rule|prompt)"
)
_BETWEEN = re.compile(r"[\W_]+")


def holds_instructions(text: str) -> bool:
    """Say whether a text seems to speak to a model instead of a visitor."""
    plain = _without_marks(clean(text, len(text) + 1)).casefold()
    latin = plain.translate(_LOOKALIKES)
    foreign = not plain.isascii() and _IN_OTHERS.search(plain) is not None
    return foreign or _orders(latin) or _spaced_out(latin)


def _orders(latin: str) -> bool:
    return any(pattern.search(latin) for words, pattern in _IN_LATIN if any(word in latin for word in words))


def _spaced_out(latin: str) -> bool:
    return _SPACED_OUT.search(_BETWEEN.sub("", latin)) is not None
