"""Measures a render and a count in µs each: `python -m benchmarks.rendering` (about five seconds, no database)."""

import timeit
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from campaigns import parts, placeholders

CALLS, ROUNDS = 20_000, 7
REST = " Show this text at any of our branches before Saturday and the second one is on us. Reply STOP to opt out."
CUSTOMER: dict[str, Any] = {
    "first_name": "Wanjiku",
    "location": "Nairobi",
    "preferred_product": "Premium Plus",
    "created_at": datetime(2025, 5, 1, 9, 30, tzinfo=UTC),
    "attributes": {"points": 120, "favourite_shop": "Westlands"},
}
TEMPLATES = {
    "no field": "Karibu, our shops are open all day!" + REST,
    "2 names": "Hi {FirstName}, greetings from {Location}!" + REST,
    "3 names": "Hi {FirstName}, {PreferredProduct} is now in {Location}." + REST,
    "3 names with defaults": "Hi {FirstName|friend}, {PreferredProduct|tea} is in {Location|town}." + REST,
    "3 names, one of them twice": "Hi {FirstName}, {PreferredProduct} is in {Location}, {FirstName}." + REST,
    "name and 2 attributes": "Hi {FirstName}, {Points} points wait at {FavouriteShop}." + REST,
    "name and time": "Hi {FirstName}, with us since {CreatedAt}." + REST,
}
TEXTS = {
    "GSM-7, 160 ASCII characters": ("Hi Wanjiku, Premium Plus is now in Nairobi." + REST).ljust(160, "."),
    "GSM-7, 160 with é": ("Habari Adèle, Premium Plus is now in Nairobi." + REST).ljust(160, "."),
    "GSM-7, 160 with €": ("Hi Wanjiku, Premium Plus for 5 € in Nairobi." + REST).ljust(159, "."),
    "GSM-7, 460 ASCII characters": "z" * 460,
    "GSM-7, 460 with 10 €": ("z" * 44 + "€") * 10,
    "UCS-2, 70 Chinese": "你" * 70,
    "UCS-2, 160 with an emoji": ("Hi Wanjiku 🎉 Premium Plus is now in Nairobi." + REST).ljust(160, "."),
}


def microseconds(call: Callable[[], object]) -> float:
    """The time of one call in µs: the fastest round's mean, since what slows a round is not ours."""
    return min(timeit.repeat(call, number=CALLS, repeat=ROUNDS)) / CALLS * 1e6


def report(what: str, name: str, call: Callable[[], object]) -> None:
    """Print one line."""
    print(f"{what:8}{name:32}{microseconds(call):7.2f} µs")


def main() -> None:
    """Print a line for each template and text."""
    for name, text in TEMPLATES.items():
        template = placeholders.compile_template(text, CUSTOMER["attributes"])
        row = template.row(CUSTOMER)
        report("render", name, partial(template.render_row, row))
        if row:
            report("", "  … when the first is empty", partial(template.render_row, ("", *row[1:])))
    for name, text in TEXTS.items():
        report("count", name, partial(parts.count, text))


if __name__ == "__main__":
    main()
