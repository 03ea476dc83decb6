"""Checks and normalises what the cells of one record hold."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from customers.attributes import LARGEST_JSON
from customers.columns import PHONE, TEXT_FIELDS, Column
from customers.models import Customer
from customers.phones import InvalidPhone, normalise
from customers.places import validate_language, validate_time_zone

# Phone, the text fields in the order of TEXT_FIELDS, and the attributes as JSON.
Row: TypeAlias = tuple[str, ...]

_LIMITS = {field.name: field.max_length or 0 for field in Customer._meta.fields if field.name in TEXT_FIELDS}  # noqa: SLF001
_WHOLE = re.compile(r"-?[1-9][0-9]{0,14}|0")
_BROKEN = re.compile(r"-?(0|[1-9][0-9]{0,8})\.[0-9]{0,5}[1-9]")


class Refused(ValueError):
    """A cell cannot be stored; `str()` is a sentence, `column` and `value` are as in the file."""

    def __init__(self, column: str, value: str, reason: str) -> None:
        self.column = column
        self.value = value
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class _Cell:
    index: int
    header: str
    name: str
    check: Callable[[str], str] | None = None


class Reader:
    """Turns records into rows, as the plan of the columns says; numbers without `+` are read in `region`."""

    def __init__(self, columns: Sequence[Column], region: str) -> None:
        self._width = len(columns)
        self._region = region
        numbered = list(enumerate(columns))
        self._phone = next(_cell(index, column) for index, column in numbered if column.name == PHONE)
        self._texts = [
            _cell(index, column) for index, column in numbered if column.kind == "field" and column.name != PHONE
        ]
        self._attributes = [_cell(index, column) for index, column in numbered if column.kind == "attribute"]
        self._nameless = [_cell(index, column) for index, column in numbered if column.kind == "nameless"]
        self._order = [next((cell for cell in self._texts if cell.name == name), None) for name in TEXT_FIELDS]

    def row(self, fields: Sequence[str]) -> Row:
        """The row of one record, given as its fields; raises `Refused`. Pure."""
        self._check_width(fields)
        phone = _storable(fields[self._phone.index], self._phone)
        try:
            number = normalise(phone, self._region)
        except InvalidPhone as mistake:
            raise Refused(self._phone.header, phone, str(mistake)) from mistake
        texts = [self._text(fields, cell) if cell else "" for cell in self._order]
        return (number, *texts, self._json(fields))

    def _check_width(self, fields: Sequence[str]) -> None:
        if len(fields) < self._width:
            raise Refused(
                "",
                "",
                _("The line has %(here)d fields and the header %(there)d.")
                % {"here": len(fields), "there": self._width},
            )
        surplus = next((value for value in fields[self._width :] if value.strip()), None)
        if surplus is not None:
            reason = _("The line has %(here)d fields and the header only %(there)d.")
            raise Refused("", surplus, reason % {"here": len(fields), "there": self._width})
        for cell in self._nameless:
            if value := fields[cell.index].strip():
                raise Refused("", value, _("There is a value in column %d, which has no name.") % (cell.index + 1))

    def _text(self, fields: Sequence[str], cell: _Cell) -> str:
        value = _storable(fields[cell.index], cell)
        if len(value) > _LIMITS[cell.name]:
            reason = _("%(length)d characters are too many; at most %(limit)d are allowed.")
            raise Refused(cell.header, value, reason % {"length": len(value), "limit": _LIMITS[cell.name]})
        if not value or cell.check is None:
            return value
        try:
            return cell.check(value)
        except ValidationError as mistake:
            raise Refused(cell.header, value, " ".join(mistake.messages)) from mistake

    def _json(self, fields: Sequence[str]) -> str:
        values: dict[str, Any] = {}
        for cell in self._attributes:
            if value := _storable(fields[cell.index], cell):
                values[cell.name] = number_or_text(value)
        text = json.dumps(values, ensure_ascii=False)
        if len(text) > LARGEST_JSON // 4 and len(text.encode()) > LARGEST_JSON:
            reason = _("The columns that become attributes take more than %(limit)d bytes as JSON.")
            raise Refused("", "", reason % {"limit": LARGEST_JSON})
        return text


def number_or_text(value: str) -> int | float | str:
    """The number that `value` is, if writing that number down gives `value` again; else `value` itself. Pure.

    `343` and `12.5` are numbers; `0712`, `12.50`, `+5` and `1e5` stay text, and so do numbers of more than 15 digits.
    """
    if _WHOLE.fullmatch(value):
        return int(value)
    return float(value) if _BROKEN.fullmatch(value) else value


def _cell(index: int, column: Column) -> _Cell:
    return _Cell(index, column.header, column.name, _CHECKS.get(column.name) if column.kind == "field" else None)


def _storable(value: str, cell: _Cell) -> str:
    if "\0" in value:
        raise Refused(cell.header, value, _("The cell holds the null character."))
    return value.strip()


def _language(value: str) -> str:
    tag = value.replace("_", "-")
    validate_language(tag)
    return tag


def _time_zone(value: str) -> str:
    validate_time_zone(value)
    return value


_CHECKS: dict[str, Callable[[str], str]] = {"language": _language, "time_zone": _time_zone}
