"""What is an audience and what is not."""

from typing import Any

import pytest

from campaigns.audience import CustomerList, Everybody, InvalidAudience, parse


def test_a_list_is_sorted_and_repeats_count_once() -> None:
    assert parse({"customers": [3, 1, 3, 2]}) == CustomerList((1, 2, 3))


def test_everybody_is_all_true() -> None:
    assert parse({"all": True}) == Everybody()


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "audience_required", None),
        ({"customers": [1], "all": True}, "audience_required", None),
        ({"customers": []}, "empty", "customers"),
        ({"customers": "1,2"}, "not_a_list", "customers"),
        ({"customers": {"1": 2}}, "not_a_list", "customers"),
        ({"customers": None}, "not_a_list", "customers"),
        ({"customers": ["1"]}, "not_an_integer", "customers"),
        ({"customers": [True]}, "not_an_integer", "customers"),
        ({"customers": [1.0]}, "not_an_integer", "customers"),
        ({"customers": [None]}, "not_an_integer", "customers"),
        ({"customers": [1] * 100_001}, "too_many", "customers"),
        ({"all": False}, "invalid", "all"),
        ({"all": 1}, "invalid", "all"),
        ({"segment": 1}, "segment_not_found", "segment"),
        ({"customer": [1]}, "unknown_field", "customer"),
    ],
)
def test_what_is_no_audience_is_refused_with_the_field_at_fault(
    body: dict[str, Any], code: str, field: str | None
) -> None:
    with pytest.raises(InvalidAudience) as refused:
        parse(body)

    assert (refused.value.code, refused.value.field) == (code, field)
    assert str(refused.value)


def test_the_limit_is_named() -> None:
    with pytest.raises(InvalidAudience, match="100000"):
        parse({"customers": list(range(100_001))})
