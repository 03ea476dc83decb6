"""The one door to the template languages: compile a text once, tell its mistakes before it is sent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from django.utils.translation import gettext as _

from campaigns import placeholders


class Language(StrEnum):
    """The template languages."""

    SIMPLE = "simple"


class Template(Protocol):
    """A compiled text, in whatever language: immutable, and the same for any number of customers."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of `customers` that a row must hold, in this order; `attributes` comes last if it is needed."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that the text uses, by their real names."""

    @property
    def unknown(self) -> tuple[placeholders.Unknown, ...]:
        """The names in the text that are no field."""

    def render(self, customer: Mapping[str, Any]) -> str:
        """The text for one customer, given as column names with their values."""

    def render_row(self, row: Sequence[Any]) -> str:
        """The text for one customer, given as the values of `columns`."""

    def values(self, row: Sequence[Any]) -> tuple[str, ...]:
        """What replaces each placeholder for one customer, in their order."""

    def row(self, customer: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values of `columns`, from column names with their values."""

    def missing_fields(self, row: Sequence[Any]) -> tuple[str, ...]:
        """The fields that have no value in this row."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake in a text, or what looks like one; line and column count from 1, in characters."""

    line: int
    column: int
    message: str


def compile(language: str, text: str, attributes: Iterable[str]) -> Template:  # noqa: A001 - as in `re.compile`
    """Compile `text` once, for any number of customers; `attributes` are the names that some customers have.

    Raises `ValueError` for an unknown language.
    """
    match Language(language):
        case Language.SIMPLE:
            return placeholders.compile_template(text, attributes)


def problems(language: str, text: str, attributes: Iterable[str]) -> tuple[Problem, ...]:
    """What the author should look at before sending, in the order of the text; in the reader's language.

    None of the simple language's problems forbids sending: such text goes out as written. Raises `ValueError` for an
    unknown language.
    """
    match Language(language):
        case Language.SIMPLE:
            template = placeholders.compile_template(text, attributes)
            marks: tuple[placeholders.Unknown | placeholders.Unclosed, ...] = (*template.unknown, *template.unclosed)
            found = [Problem(mark.line, mark.column, _sentence(mark)) for mark in marks]
            return tuple(sorted(found, key=lambda problem: (problem.line, problem.column)))


def _sentence(mark: placeholders.Unknown | placeholders.Unclosed) -> str:
    if isinstance(mark, placeholders.Unclosed):
        return _("This brace begins no placeholder and is sent as written.")
    if mark.has_default:
        return _("There is no field “%(name)s”: everybody gets its default.") % {"name": mark.name}
    return _("There is no field “%(name)s”: the placeholder is sent as written.") % {"name": mark.name}
