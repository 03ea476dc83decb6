"""Letters as rows: what COPY is given is what stands in the ledger, and the batches cover those that wait."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.models import Campaign
from campaigns.writing import LONGEST_TEXT, Letter
from customers.models import Customer
from messaging import rows
from messaging.models import MessageBatch, OutboundMessage
from tests import factories

pytestmark = pytest.mark.django_db


def written(texts: list[str], *, batch: int = 100) -> tuple[Campaign, rows.Rows]:
    """A campaign with these texts, one customer each."""
    campaign = factories.CampaignFactory.create()
    letters = [
        Letter(customer.pk, customer.phone, text, 1, refusal=None)
        for customer, text in zip(factories.customers(len(texts)), texts, strict=True)
    ]
    made = rows.compose(campaign.pk, letters, batch=batch)
    rows.write(made, "memory")
    return campaign, made


def contents(campaign: Campaign) -> list[str]:
    return list(
        OutboundMessage.objects.filter(campaign=campaign).order_by("id").values_list("rendered_content", flat=True)
    )


@pytest.mark.parametrize(
    "text",
    [
        "a\tb", "a\nb", "a\r\nb", "\\", "\\N", "\\.", "a\\tb", "\\\\n", "ends with \\", "\n\\.\n", "'\"", "{}|",
        "€ 🎉 你好", "\x0b\x0c\x08\x7f\x01", "\u2028\x85\xa0 .", " blanks ", "\\x41\\101",
    ],
)  # fmt: skip
def test_a_text_stands_in_the_ledger_as_it_was_rendered(text: str) -> None:
    campaign, _made = written([text, "next"])

    assert contents(campaign) == [text, "next"]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1, max_size=5))
def test_any_text_stands_in_the_ledger_as_it_was_rendered(texts: list[str]) -> None:
    texts = [f"{text}." for text in texts]
    campaign, _made = written(texts)

    assert contents(campaign) == texts


def test_batches_cover_the_waiting_rows_in_order_and_no_other() -> None:
    campaign, made = written(["a", "", "b", "c", "d", " \n", "e"], batch=2)

    waiting = OutboundMessage.objects.filter(campaign=campaign, status="pending").order_by("id")
    a, b, c, d, e = waiting.values_list("id", flat=True)
    assert made.batches == ((a, b), (c, d), (e, e))
    assert list(MessageBatch.objects.order_by("id").values_list("first_id", "last_id", "provider")) == [
        (first, last, "memory") for first, last in made.batches
    ]
    assert (made.pending, made.skipped) == (5, 2)


def test_each_reason_for_a_skip_is_written_and_only_what_is_too_long_loses_its_text() -> None:
    campaign = factories.CampaignFactory.create()
    people = factories.customers(3)
    letters = [
        Letter(people[0].pk, people[0].phone, "hello", 2, refusal="opted_out"),
        Letter(people[1].pk, people[1].phone, " ", 1, refusal=None),
        Letter(people[2].pk, people[2].phone, "x" * (LONGEST_TEXT + 1), 131, refusal=None),
    ]

    made = rows.compose(campaign.pk, letters, batch=10)
    rows.write(made, "memory")

    found = OutboundMessage.objects.filter(campaign=campaign).order_by("id")
    assert list(found.values_list("status", "reason", "rendered_content", "parts")) == [
        ("skipped", "opted_out", "hello", 2),
        ("skipped", "empty_text", " ", 1),
        ("skipped", "too_long", "", 0),
    ]
    assert (made.batches, made.pending, made.skipped) == ((), 0, 3)


def test_no_letters_are_no_rows() -> None:
    campaign, made = written([])

    assert (made.text, made.batches) == ("", ())
    assert not OutboundMessage.objects.filter(campaign=campaign).exists()
    assert not Customer.objects.exists()
