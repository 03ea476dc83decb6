"""The adapter of docs/providers.md, which newcomers start from, stands the exam as it is written there."""

import re
from pathlib import Path
from typing import Any

import pytest

from messaging.providers.http import Http
from tests.providers import door_questions, questions
from tests.providers.exam import Exam
from tests.providers.server import Server

PAGE = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()


def exam() -> Exam:
    names: dict[str, Any] = {"__name__": "page"}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)  # noqa: S102  (ours, from our own page)
    made: Exam = names["EXAM"]
    return made


EXAM = exam()


@pytest.mark.parametrize("question", [pytest.param(question, id=name) for name, question in questions.questions(EXAM)])
def test_the_adapter_of_the_page_stands(question: questions.Question, server: Server) -> None:
    question(EXAM, server)


def test_the_door_of_the_page_stands() -> None:
    assert EXAM.door
    for _, question in door_questions.questions(EXAM.door):
        question(EXAM.make("http://127.0.0.1:9"), EXAM.door)


def test_the_page_has_a_section_for_every_option_of_the_generic_adapter() -> None:
    options = Http.__init__.__kwdefaults__ or {}
    for option in options.keys() - {"in_flight", "timeout_seconds"}:
        assert f"`{option}`" in PAGE, option
