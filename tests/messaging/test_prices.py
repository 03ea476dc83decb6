"""What a part costs."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError

from messaging.models import Sender, SenderPrice
from messaging.prices import Price, price_per_part, prices_per_part

pytestmark = pytest.mark.django_db


def price(prefix: str, amount: str, currency: str = "KES", alias: str = "memory") -> None:
    SenderPrice.objects.create(sender=Sender.objects.get(alias=alias), prefix=prefix, price=amount, currency=currency)


def test_the_longest_prefix_wins_and_the_empty_one_is_for_all_others(django_assert_num_queries: Any) -> None:
    price("", "2")
    price("+254", "0.8")
    price("+25471", "0.6")
    price("+254", "9", alias="console")

    with django_assert_num_queries(1):
        found = prices_per_part("memory", ["+254712345678", "+254732345678", "+447700900123"])

    assert found == [Price(Decimal(amount), "KES") for amount in ("0.6", "0.8", "2")]
    assert price_per_part("memory", "+254712345678") == found[0]


def test_where_nobody_said_what_it_costs_nothing_is_guessed() -> None:
    price("+254", "0.8")
    assert price_per_part("memory", "+447700900123") is None
    assert price_per_part("pigeon", "+254712345678") is None


@pytest.mark.parametrize(
    ("prefix", "amount", "currency"), [("254", "1", "KES"), ("+2x", "1", "KES"), ("", "-1", "KES"), ("", "1", "kes")]
)
def test_a_price_that_makes_no_sense_is_refused(prefix: str, amount: str, currency: str) -> None:
    with pytest.raises(IntegrityError):
        price(prefix, amount, currency)
