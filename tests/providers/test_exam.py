"""Every adapter that is shipped stands the same exam, and none can be shipped without it."""

import pkgutil
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from django.conf import settings

from messaging import providers
from messaging.providers.base import Hears
from tests.providers import answers, door_questions, questions
from tests.providers.exam import Exam
from tests.providers.server import Server

# The port's own protocol, and the fakes, which are tested for themselves.
NO_VENDORS = {"base", "console", "memory", "simulator"}


def adapters() -> list[str]:
    """The modules with a class that submits; others beside them are their tables and what they share."""
    names = {module.name for module in pkgutil.iter_modules(providers.__path__)} - NO_VENDORS
    return sorted(name for name in names if _submits(f"{providers.__name__}.{name}"))


def _submits(module: str) -> bool:
    classes = vars(import_module(module)).values()
    return any(isinstance(each, type) and each.__module__ == module and hasattr(each, "submit") for each in classes)


ADAPTERS = adapters()


def exams() -> dict[str, Exam]:
    """Those that were written, by the adapter's module; further ones of a module, `EXAMS`, with their own names."""
    found: dict[str, Exam] = {}
    for name in ADAPTERS:
        if find_spec(f"tests.providers.answers.{name}"):
            module = import_module(f"tests.providers.answers.{name}")
            found[name] = module.EXAM
            found |= {f"{name}_{other}": exam for other, exam in getattr(module, "EXAMS", {}).items()}
    return found


EXAMS = exams()


def asked() -> Iterator[ParameterSet]:
    for name, exam in EXAMS.items():
        for title, question in questions.questions(exam):
            yield pytest.param(exam, question, id=f"{name}-{title.replace(' ', '_')}")


def asked_at_the_door() -> Iterator[ParameterSet]:
    for name, exam in EXAMS.items():
        for title, question in door_questions.questions(exam.door) if exam.door else ():
            yield pytest.param(exam, question, id=f"{name}-{title.replace(' ', '_')}")


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_adapter_sits_the_exam(name: str) -> None:
    assert name in EXAMS, f"the adapter {name} is shipped without its exam: write tests/providers/answers/{name}.py"


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_adapter_is_held_to_the_port(name: str) -> None:
    contracts = tomllib.loads((Path(settings.BASE_DIR) / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    (contract,) = [each for each in contracts if each["name"] == "An adapter knows only the port"]
    assert f"messaging.providers.{name}" in contract["source_modules"], "add it to the contract in pyproject.toml"


def test_every_exam_is_of_an_adapter_that_is_shipped() -> None:
    assert {module.name for module in pkgutil.iter_modules(answers.__path__)} <= set(ADAPTERS)


@pytest.mark.parametrize(("exam", "question"), list(asked()))
def test_an_adapter_stands(exam: Exam, question: questions.Question, server: Server) -> None:
    question(exam, server)


@pytest.mark.parametrize(("exam", "question"), list(asked_at_the_door()))
def test_a_door_stands(exam: Exam, question: door_questions.Question) -> None:
    assert exam.door
    question(exam.make("http://127.0.0.1:9"), exam.door)


@pytest.mark.parametrize("name", sorted(EXAMS))
def test_an_adapter_that_hears_has_a_door_in_its_exam(name: str) -> None:
    heard = isinstance(EXAMS[name].make("http://127.0.0.1:9"), Hears)
    assert heard == (EXAMS[name].door is not None)
