"""Turns what people write as a phone number into E.164, or says in a sentence why it cannot be."""

import re

import phonenumbers
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

E164_PATTERN = r"\+[1-9][0-9]{6,14}"
_E164 = re.compile(E164_PATTERN)
_LONGEST_INPUT = 64
_WITH_EXPONENT = re.compile(r"[+-]?\d+([.,]\d+)?[eE][+-]?\d+")
_WITH_NO_FRACTION = re.compile(r"(\+?\d{7,15})\.00?")
_LETTER = re.compile(r"[^\W\d_]")
# Marks of direction and width, which come along when a number is copied from an address book.
_INVISIBLE = dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF])


class InvalidPhone(ValueError):
    """The text is no phone number that could be called; `str()` is a sentence for people, without the number."""


def normalise(text: str, region: str) -> str:
    """The number as E.164, for example `+254712345678`.

    Numbers without `+` are read as dialled in `region` (ISO 3166, e.g. `KE`) or, when that is no valid number, as
    international without the plus (`254712345678`, `00254712345678`). Full-width and other Unicode digits are digits;
    an apostrophe before and a `.0` after the number are a spreadsheet's and are dropped. Letters are refused, because
    libphonenumber would dial them or leave them out. Valid is what libphonenumber's metadata says; source:
    https://github.com/google/libphonenumber.
    Raises `InvalidPhone`. Pure; 12-18 µs.
    """
    text = _bare(text)
    if not text:
        raise InvalidPhone(_("The phone number is empty."))
    if len(text) > _LONGEST_INPUT:
        raise InvalidPhone(_("The phone number is longer than %(limit)d characters.") % {"limit": _LONGEST_INPUT})
    if _WITH_EXPONENT.fullmatch(text):
        raise InvalidPhone(
            _(
                "A spreadsheet has rounded this number and digits are lost; format the column as text,"
                " fill in the numbers again and save the file anew."
            )
        )
    number = _parse(text, region)
    if number is None and text[0].isdecimal():
        number = _parse(f"+{text.removeprefix('00')}", region)
    if number is None:
        raise InvalidPhone(
            _("This is not a valid phone number; write it like +254712345678, or as it is dialled in %(region)s.")
            % {"region": region}
        )
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def heard_from(text: str, region: str) -> str:
    """The E.164 number behind what a vendor writes of somebody who wrote to us: one in E.164, or digits as dialled in
    `region`. What is no valid number either way comes back as it is, for whoever wrote can be a short code.

    A carrier leaves out the country, and WhatsApp's ids are older than some countries' numbers: Mexico's have a 1
    behind the country that is no longer dialled, Brazil's mobiles lack the 9 that came before them (seen in the ids of
    both; libphonenumber's metadata says which is valid). A wish under such a number would stop nothing. Pure.
    """
    spellings = [text]
    if mexican := _MEXICAN.fullmatch(text):
        spellings.append(f"+52{mexican[1]}")
    if brazilian := _BRAZILIAN.fullmatch(text):
        spellings.append(f"+55{brazilian[1]}9{brazilian[2]}")
    for number in (*(_parse(each, region) for each in spellings), _parse(text.removeprefix("+"), region)):
        if number:
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return text


def spellings(number: str) -> tuple[str, ...]:
    """All E.164 numbers that ring where this one does, itself first. Pure.

    An Argentine mobile has two, and both are valid: with the 9 that is dialled from abroad, as WhatsApp and many a
    carrier name it, and without. A list of customers has either, and a STOP comes from whichever the vendor writes.
    That the ten digits behind are nobody else's is taken for granted (libphonenumber draws mobiles and landlines from
    the same ranges); were it wrong, somebody too many would be left alone.
    """
    if argentine := _ARGENTINE.fullmatch(number):
        return number, f"+54{'' if argentine[1] else '9'}{argentine[2]}"
    return (number,)


_ARGENTINE = re.compile(r"\+54(9?)([1-8][0-9]{9})")
_MEXICAN = re.compile(r"\+521([0-9]{10})")
_BRAZILIAN = re.compile(r"\+55([1-9][0-9])([6-9][0-9]{7})")


def validate_region(value: str) -> None:
    """Raise `ValidationError` unless `value` is a region that libphonenumber knows, such as `KE`."""
    if value not in phonenumbers.SUPPORTED_REGIONS:
        raise ValidationError(_("This is not a region such as “KE”."), code="invalid")


def _bare(text: str) -> str:
    if not text.isascii():
        text = text.translate(_INVISIBLE)
    text = text.strip().removeprefix("'").removeprefix("tel:").strip()
    # "71234567.0" would otherwise gain a digit and ring somebody else.
    match = _WITH_NO_FRACTION.fullmatch(text)
    return match[1] if match else text


def _parse(text: str, region: str) -> phonenumbers.PhoneNumber | None:
    if _LETTER.search(text):
        return None
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) and not number.extension else None


def validate_e164(value: str) -> None:
    """Raise `ValidationError` unless `value` already is in E.164 form."""
    if not _E164.fullmatch(value):
        raise ValidationError(_("Write the number in international form, for example +254712345678."), code="invalid")
