from analyzer import prompts
from analyzer.questions import QUESTIONS, SECTION_TYPES, for_type


def test_every_type_has_questions_and_every_question_a_type() -> None:
    assert {question.category for question in QUESTIONS.values()} == set(SECTION_TYPES)
    for kind in SECTION_TYPES:
        assert {question.category for question in for_type(kind)} == {kind, "other"}


def test_an_unknown_type_gets_the_general_questions() -> None:
    assert for_type("no such type") == for_type("other")


def test_the_rubric_asks_every_question_once_and_is_the_same_for_all() -> None:
    text = prompts.rubric()
    assert text == prompts.rubric()
    assert "{" not in text
    for question in QUESTIONS.values():
        assert text.count(f"- {question.id}: {question.asks}") == 1


def test_markers_differ() -> None:
    assert prompts.new_marker() != prompts.new_marker()
