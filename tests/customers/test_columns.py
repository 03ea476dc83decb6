"""Which column of a file is which field of a customer."""

import pytest

from customers.columns import UnusableHeader, plan, snake_case


def names(header: list[str], **given: str) -> list[str]:
    return [column.name or column.kind for column in plan(header, given)]


@pytest.mark.parametrize(
    "header", ["Phone", "phone number", "MOBILE", "msisdn", "Téléphone", "Tel.", "手机", "\ufeffPhone"]
)
def test_the_phone_is_recognised_under_many_names(header: str) -> None:
    assert names([header]) == ["phone"]


def test_fields_are_recognised_whatever_case_accents_and_blanks() -> None:
    header = ["phone", "First Name", "lastname", "Ville", "Preferred-Product", "LANG", "TimeZone", "prénom "]
    assert names(header[:-1]) == [
        "phone", "first_name", "last_name", "location", "preferred_product", "language", "time_zone",
    ]  # fmt: skip
    assert names(["phone", header[-1]]) == ["phone", "first_name"]


def test_an_unknown_column_becomes_an_attribute_in_snake_case() -> None:
    assert names(["Phone", "Loyalty Points", "lastVisit"]) == ["phone", "loyalty_points", "last_visit"]


def test_of_two_that_could_be_one_field_the_one_called_exactly_so_is() -> None:
    assert names(["Mobile", "Phone", "City", "Location"]) == ["mobile", "phone", "city", "location"]


def test_a_column_that_was_named_is_believed() -> None:
    assert names(["Mobile", "Tel", "x"], mobile="phone", x="-") == ["phone", "tel", "left out"]
    assert names(["Mobile", "عمر"], عمر="age") == ["phone", "age"]


@pytest.mark.parametrize(
    ("header", "given", "says"),
    [
        (["Name", "City"], {}, "No column looks like the phone number"),
        (["Mobile", "Tel"], {}, "would both be phone"),
        (["Phone", "a b", "a_b"], {}, "would both be a_b"),
        (["Phone", "2026"], {}, "cannot become an attribute"),
        (["Phone", "عمر"], {}, "cannot become an attribute"),
        (["Phone", "id"], {}, "cannot become an attribute"),
        (["Phone", "Created At"], {}, "cannot become an attribute"),
        (["Phone", "x" * 151], {}, "cannot become an attribute"),
        (["Phone"], {"nope": "phone"}, "There is no column “nope”"),
        (["Phone", "x"], {"x": "Not Snake"}, "neither a field"),
        (["Phone", "x"], {"x": "created_at"}, "neither a field"),
        (["Phone", *(f"a{number}" for number in range(101))], {}, "more than 100"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused_with_what_to_do(
    header: list[str], given: dict[str, str], says: str
) -> None:
    with pytest.raises(UnusableHeader) as refusal:
        plan(header, given)
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Last visit", "last_visit"), ("lastVisit", "last_visit"), ("HTTPCode", "http_code"),
        ("customerID", "customer_id"),
        ("Café", "cafe"), ("Points (2026)", "points_2026"), ("loyalty_points", "loyalty_points"), ("2026 points", None),
        ("", None), ("年龄", None),
    ],
)  # fmt: skip
def test_headers_become_snake_case(header: str, name: str | None) -> None:
    assert snake_case(header) == name
