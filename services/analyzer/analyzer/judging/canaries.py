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
_LATIN = r"""
    \b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:previous|prior|above|earlier|all|your|these|any)\b.{0,40}
      \b(?:instructions?|prompts?|rules?|directions?|messages?|guidelines?)\b
  | \bas\ an?\ (?:ai|llm|(?:ai\ )?assistant|(?:ai\ )?language\ model|ai\ model),?\ (?:you|please|i\b|do\b|must)
  | \bas\ an\ ai\ (?:language\ )?model\b
  | \b(?:system|developer)\ (?:prompt|message|override)\b
  | \b(?:new|updated|real)\ (?:system\ )?instructions?\b.{0,5}:
  | \b(?:note|message|attention|instructions?)\ (?:to|for)\ (?:the\ |any\ |all\ )?
      (?:ai|llms?|(?:ai\ )?(?:model|reviewer|assistant|agent|crawler|language\ model)s?)\b
  | \byou\ are\ (?:now\ )?(?:an?\ )?(?:ai|chatgpt|claude|assistant|language\ model)\b
  | \b(?:give|assign|award|rate|score|set)\b.{0,30}\b(?:score|rating|page|site)\b.{0,20}
      \b(?:100|10/10|perfect|highest)\b
  | \b(?:score|rating)\b.{0,15}\b(?:must|has\ to|should|shall)\b.{0,15}\b(?:100|10/10|perfect|highest)\b
  | \b(?:report|say|state|answer|return|output)\b.{0,25}\b(?:no|zero)\ (?:issues|problems|findings)\b
  | \bdo\ not\ (?:report|mention|flag|criticise|criticize)\b
  | \b(?:ignoriere?n?|vergiss|missachte)\b.{0,40}\b(?:anweisung|regel|vorgabe)
  | \b(?:ignore[zr]?|oublie[zr]?)\b.{0,40}\b(?:instructions|consignes|regles)\b
  | \b(?:ignora|ignore|olvida|omite)\b.{0,40}\b(?:instrucciones|instrucoes|istruzioni|reglas|regras|regole)\b
  | \b(?:negeer|vergeet)\b.{0,40}\b(?:instructies|regels|opdrachten)\b
  | \b(?:zignoruj|ignoruj|pomin)\b.{0,40}\b(?:instrukcj|polecen|zasad)
  | \b(?:yoksay|gormezden\ gel)\b|\b(?:talimat|yonerge).{0,40}\b(?:yok\ ?say|gormezden)
  | </?(?:system|assistant|tool_result|function_results?|instructions?)>
  | <\|(?:im_start|im_end|system|endoftext)|\[/?inst\]|<<sys>>
  | (?:^|\s)(?:human|assistant|system):[ ]
  | [\"']role[\"']\s*:\s*[\"'](?:system|assistant)[\"']|[\"']type[\"']\s*:\s*[\"']tool_(?:result|use)[\"']
  | \bsuspicious_instructions_seen\b|\bget_page_capture\b
"""
_OTHER = (
    r"(?:игнориру|забудь|не обращаи внимания).{0,40}(?:инструкци|указани|правил)",
    r"(?:指示|命令|指令|提示|规则|規則).{0,20}(?:無視|忽略|忽视|无视)|(?:無視|忽略|忽视|无视).{0,20}(?:指示|命令|指令|提示|规则|規則)",
    r"(?:지시|명령|지침).{0,20}(?:무시|잊)",
    r"(?:تجاهل|انس).{0,40}(?:تعليمات|التعليمات|الاوامر)",
    r"(?:התעלם|התעלמו).{0,40}(?:הוראות|ההוראות)",
    r"(?:निर्देश|आदेश).{0,40}(?:अनदेखा|उपेक्षा|नज़रअंदाज़)",
)


def _without_marks(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFC", "".join(char for char in parts if unicodedata.category(char) != "Mn"))


_IN_LATIN = re.compile(_LATIN, re.IGNORECASE | re.VERBOSE)
_IN_OTHERS = re.compile("|".join(map(_without_marks, _OTHER)), re.IGNORECASE)
_SPACED_OUT = re.compile(
    r"ignore(?:all|the|any|your)*(?:previous|prior|above|earlier)\w{0,12}(?:instruction|rule|prompt)"
)
_BETWEEN = re.compile(r"[\W_]+")


def holds_instructions(text: str) -> bool:
    """Say whether a text seems to speak to a model instead of a visitor."""
    plain = _without_marks(clean(text, len(text) + 1)).casefold()
    latin = plain.translate(_LOOKALIKES)
    shut = _BETWEEN.sub("", latin)
    return any((_IN_OTHERS.search(plain), _IN_LATIN.search(latin), _SPACED_OUT.search(shut)))
