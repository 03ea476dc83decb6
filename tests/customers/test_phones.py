"""What people write as phone numbers, and what we make of it."""

import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.phones import E164_PATTERN, InvalidPhone, normalise


@pytest.mark.parametrize(
    "written",
    [
        "+254712345678",
        "0712345678",
        "712345678",
        "254712345678",
        "00254712345678",
        "+254 712-345 678",
        "+254 (0) 712 345 678",
        "0712.345.678",
        "  0712345678\t",
        "'0712345678",
        "712345678.0",
        "254712345678.0",
        "tel:+254712345678",
        "０７１２３４５６７８",
        "٠٧١٢٣٤٥٦٧٨",
        "\u202a+254712345678\u202c",
        "\ufeff0712\u00a0345\u00a0678",
    ],
)
def test_many_spellings_are_one_number(written: str) -> None:
    assert normalise(written, "KE") == "+254712345678"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("'", "empty"),
        ("12345", "not a valid phone number"),
        ("+254", "not a valid phone number"),
        ("+1999", "not a valid phone number"),
        ("07001234567890", "not a valid phone number"),
        ("not a phone", "not a valid phone number"),
        ("+25471234567X", "not a valid phone number"),
        ("0712345678/0722345678", "not a valid phone number"),
        ("0712345678 ext. 5", "not a valid phone number"),
        ("2.54712E+11", "spreadsheet"),
        ("1.0E+11", "spreadsheet"),
        ("2,54712E+11", "spreadsheet"),
        ("7" * 65, "longer than 64"),
    ],
)
def test_what_is_no_number_is_refused_with_a_sentence(written: str, says: str) -> None:
    with pytest.raises(InvalidPhone) as refusal:
        normalise(written, "KE")
    assert says in str(refusal.value)
    assert len(written) < 8 or written not in str(refusal.value)


def test_letters_are_neither_dialled_nor_left_out() -> None:
    # libphonenumber alone takes the first for 0712 356937 and the second for 0712 345678.
    for written in ("0712-FLOWER", "+254712345678X"):
        with pytest.raises(InvalidPhone):
            normalise(written, "KE")


def test_a_spreadsheets_fraction_does_not_become_a_digit() -> None:
    # As digits alone this would be +254712345670, somebody else's number.
    with pytest.raises(InvalidPhone):
        normalise("71234567.0", "KE")


def test_a_number_without_plus_is_read_in_the_given_region() -> None:
    assert normalise("0712345678", "TZ") == "+255712345678"


@given(st.text(max_size=80))
def test_whatever_is_written_becomes_a_valid_number_or_a_refusal(text: str) -> None:
    try:
        number = normalise(text, "KE")
    except InvalidPhone:
        return
    assert phonenumbers.is_valid_number(phonenumbers.parse(number))
    assert re.fullmatch(E164_PATTERN, number)
    assert normalise(number, "US") == number
