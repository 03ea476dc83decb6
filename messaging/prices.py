"""What a message costs: the price of a part at an account, by the longest prefix of the number."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from messaging.models import SenderPrice


@dataclass(frozen=True, slots=True)
class Price:
    """Of one part."""

    amount: Decimal
    currency: str


def price_per_part(alias: str, phone: str) -> Price | None:
    """What a part to this number costs; None when nobody said. One small query."""
    [price] = prices_per_part(alias, [phone])
    return price


def prices_per_part(alias: str, phones: Sequence[str]) -> list[Price | None]:
    """What a part costs to each of these numbers, in their order. One small query for all."""
    rows = SenderPrice.objects.filter(sender__alias=alias).values_list("prefix", "price", "currency")
    by_prefix = {prefix: Price(amount, currency) for prefix, amount, currency in rows}
    # A number has at most 16 prefixes: to look each one up costs no more with many prices than with few.
    return [
        next((by_prefix[phone[:end]] for end in range(len(phone), -1, -1) if phone[:end] in by_prefix), None)
        for phone in phones
    ]
