"""Decides which column of an imported file is which field of a customer."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext as _

from customers import attributes

PHONE = "phone"
TEXT_FIELDS = ("first_name", "last_name", "location", "preferred_product", "language", "time_zone")
FIELDS = (PHONE, *TEXT_FIELDS)
LEAVE_OUT = "-"

# As `_key` writes them.
_ALSO_CALLED: dict[str, tuple[str, ...]] = {
    "phone": (
        "phonenumber", "phoneno", "telephone", "telephonenumber", "tel", "telno", "mobile", "mobilenumber", "mobileno",
        "mobilephone", "cell", "cellphone", "cellnumber", "msisdn", "whatsapp", "whatsappnumber", "simu",
        "nambariyasimu", "numerodetelephone", "portable", "telefon", "telefono", "handy", "电话", "手机", "手机号",
        "هاتف", "الهاتف",
    ),
    "first_name": ("first", "forename", "givenname", "prenom", "vorname", "jinalakwanza"),
    "last_name": ("last", "surname", "familyname", "nom", "nomdefamille", "nachname", "apellido", "jinalaukoo"),
    "location": ("city", "town", "place", "ville", "ort", "ciudad", "mji"),
    "preferred_product": ("product", "favouriteproduct", "favoriteproduct", "produitprefere"),
    "language": ("lang", "locale", "langue", "sprache", "lugha"),
    "time_zone": ("tz",),
}  # fmt: skip
_FIELD_CALLED = {name: field for field, names in _ALSO_CALLED.items() for name in names}


# Templates take a column before an attribute, and compare names without underscores.
_RESERVED = {"id", "attributes", "createdat", "updatedat"}


class UnusableHeader(ValueError):
    """The first line does not say what the columns are; `str()` is a sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the header as written, what it is, and the field's or the attribute's name."""

    header: str
    kind: Literal["field", "attribute", "nameless", "left out"]
    name: str = ""


def plan(header: Sequence[str], given: Mapping[str, str]) -> list[Column]:
    """What each column of `header` is; `given` says so for some headers and is believed.

    A header is recognised whatever its case, accents, blanks and punctuation. One that says nothing known becomes an
    attribute, its name in snake_case. Of several that could be one field, the one that is called exactly so is.
    Raises `UnusableHeader`. Pure.
    """
    names = [name.strip().strip("\ufeff").strip() for name in header]
    wanted = _by_key(names, given)
    columns = [_column(name, wanted.get(_key(name))) for name in names]
    columns = _settle_rivals(columns, wanted)
    _refuse_doubles(columns)
    if not any(column.kind == "field" and column.name == PHONE for column in columns):
        raise UnusableHeader(
            _(
                "No column looks like the phone number. The first line must name the columns; it reads: %(names)s."
                " Say which it is with --column NAME=phone, or name the delimiter with --delimiter."
            )
            % {"names": _listed(names)}
        )
    if sum(column.kind == "attribute" for column in columns) > attributes.MOST_NAMES:
        raise UnusableHeader(
            _("The file has more than %(limit)d columns that become attributes: leave some out with --column NAME=-.")
            % {"limit": attributes.MOST_NAMES}
        )
    return columns


def snake_case(header: str) -> str | None:
    """`header` as an attribute's name, accents dropped: `last_visit` of `Last visit`; none if it cannot be one."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", header) if not unicodedata.combining(letter))
    if not plain.isascii():
        return None
    words = re.findall(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*|[0-9]+", plain)
    name = "_".join(words).lower()
    is_usable = attributes.NAME.fullmatch(name) and len(name) <= attributes.LONGEST_NAME
    return name if is_usable else None


def _key(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in plain if letter.isalnum())


def _by_key(names: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    there = {_key(name) for name in names}
    wanted: dict[str, str] = {}
    for name, target in given.items():
        if _key(name) not in there:
            raise UnusableHeader(
                _("There is no column “%(name)s”; the columns are: %(names)s.")
                % {"name": name, "names": _listed(names)}
            )
        if target not in (*FIELDS, LEAVE_OUT) and (_key(target) in _RESERVED or not attributes.NAME.fullmatch(target)):
            raise UnusableHeader(
                _(
                    "“%(target)s” is neither a field (%(fields)s), nor a name in snake_case for an attribute,"
                    " nor “-” to leave the column out."
                )
                % {"target": target, "fields": ", ".join(FIELDS)}
            )
        wanted[_key(name)] = target
    return wanted


def _column(name: str, wanted: str | None) -> Column:
    if wanted == LEAVE_OUT:
        return Column(name, "left out")
    if wanted:
        return Column(name, "field" if wanted in FIELDS else "attribute", wanted)
    if not name:
        return Column(name, "nameless")
    field = _EXACTLY.get(_key(name)) or _FIELD_CALLED.get(_key(name))
    return Column(name, "field", field) if field else _attribute(name)


_EXACTLY = {_key(field): field for field in FIELDS}


def _attribute(name: str) -> Column:
    attribute = snake_case(name)
    if attribute is None or _key(attribute) in _RESERVED:
        raise UnusableHeader(
            _(
                "The column “%(name)s” cannot become an attribute of that name. Call it something in snake_case with"
                " --column “%(name)s”=my_name, or leave it out with --column “%(name)s”=-."
            )
            % {"name": name[:100]}
        )
    return Column(name, "attribute", attribute)


def _settle_rivals(columns: list[Column], wanted: Mapping[str, str]) -> list[Column]:
    """Where a column was given, or is called exactly so, others that only may be that field become attributes."""
    settled = {column.name for column in columns if column.kind == "field" and not _is_only_a_guess(column, wanted)}
    return [
        _attribute(column.header)
        if column.kind == "field" and column.name in settled and _is_only_a_guess(column, wanted)
        else column
        for column in columns
    ]


def _is_only_a_guess(column: Column, wanted: Mapping[str, str]) -> bool:
    return _key(column.header) not in wanted and _key(column.header) not in _EXACTLY


def _refuse_doubles(columns: Sequence[Column]) -> None:
    seen: dict[str, Column] = {}
    for column in columns:
        if not column.name:
            continue
        if column.name in seen:
            raise UnusableHeader(
                _(
                    "The columns “%(one)s” and “%(other)s” would both be %(name)s. Say what one of them is with"
                    " --column NAME=FIELD, or leave it out with --column NAME=-."
                )
                % {"one": seen[column.name].header, "other": column.header, "name": column.name}
            )
        seen[column.name] = column


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"“{name[:40]}”" for name in names[:20])
    return f"{shown}, …" if len(names) > 20 else shown
