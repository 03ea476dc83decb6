"""What providers say later: statuses only move forward, in whatever order and however often it is said."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from campaigns.models import Campaign
from messaging import delivery, leases, receipts, recovery
from messaging.audit import audit
from messaging.models import OutboundMessage
from messaging.providers.base import GiveUp, Outcome, Receipt, TryLater, Unknown
from messaging.providers.memory import Memory
from tests.messaging.driving import FREE, deliver_due, make_due, sending_campaign, stats

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox")]

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def say(message: OutboundMessage, status: Any, minutes: float = 0, **fields: Any) -> Receipt:
    return Receipt(status, NOON + timedelta(minutes=minutes), reference=str(message.pk), **fields)


def apply(*said: Receipt) -> receipts.Applied:
    return receipts.apply("memory", said)


def fresh(message: OutboundMessage) -> OutboundMessage:
    message.refresh_from_db()
    return message


def sent_message() -> OutboundMessage:
    campaign = sending_campaign(1)
    deliver_due()
    return OutboundMessage.objects.get(campaign=campaign)


def message_that_is(status: str, outbox: Memory) -> OutboundMessage:
    """A message that came to this status by the engine's own ways."""
    answers: dict[str, Outcome] = {
        "unknown": Unknown("no answer"),
        "failed": GiveUp("no such number"),
        "pending": TryLater("busy"),
        "cancelled": TryLater("busy"),
    }
    if status in answers:
        outbox.answer = lambda _envelope: answers[status]
    campaign = sending_campaign(1)
    if status == "sending":
        lease = leases.take()
        assert lease is not None
        delivery._mark(lease, after=0, limit=1)
    else:
        deliver_due()
    message = OutboundMessage.objects.get(campaign=campaign)
    if status == "cancelled":
        campaign.cancel()
        recovery.sweep()
    if status == "skipped":
        OutboundMessage.objects.filter(pk=message.pk).update(status="skipped", reason="opted_out")
    if status in {"delivered", "read"}:
        apply(say(message, status))
    message.refresh_from_db()
    assert message.status == status
    return message


# The contract: what each status becomes by each receipt.
BECOMES = {
    "pending": {},
    "sending": {"sent": "sent", "delivered": "delivered", "read": "read", "failed": "failed"},
    "sent": {"delivered": "delivered", "read": "read", "failed": "failed"},
    "delivered": {"read": "read"},
    "read": {},
    "failed": {"sent": "sent", "delivered": "delivered", "read": "read"},
    "unknown": {"sent": "sent", "delivered": "delivered", "read": "read", "failed": "failed"},
    "skipped": {},
    "cancelled": {},
}


@pytest.mark.parametrize("said", ["sent", "delivered", "read", "failed"])
@pytest.mark.parametrize("status", BECOMES)
def test_a_receipt_moves_a_message_forward_or_not_at_all(outbox: Memory, status: str, said: str) -> None:
    message = message_that_is(status, outbox)
    before = OutboundMessage.objects.filter(pk=message.pk).values().get()

    applied = apply(say(message, said, minutes=5, error="handset off"))

    becomes = BECOMES[status].get(said)
    assert (applied.moved, list(applied.unmatched)) == (int(becomes is not None), [])
    if becomes is None:
        assert OutboundMessage.objects.filter(pk=message.pk).values().get() == before
        return
    fresh(message)
    assert message.status == becomes
    assert message.reason == ("undelivered" if becomes == "failed" else None)
    assert message.due_at is None
    if becomes == "failed":
        assert message.last_error == "handset off"
    assert apply(say(message, said, minutes=9)).moved == 0
    assert audit(message.campaign)["consistent"]


def test_the_times_are_those_of_the_provider(outbox: Memory) -> None:
    message = message_that_is("unknown", outbox)

    apply(say(message, "sent", minutes=1))
    apply(say(message, "delivered", minutes=2))
    apply(say(message, "read", minutes=3))

    assert fresh(message).sent_at == NOON + timedelta(minutes=1)
    assert message.delivered_at == NOON + timedelta(minutes=2)


def test_what_was_read_was_delivered_and_sent(outbox: Memory) -> None:
    message = message_that_is("unknown", outbox)

    apply(say(message, "read", minutes=3))

    assert (fresh(message).sent_at, message.delivered_at) == (NOON + timedelta(minutes=3),) * 2


def test_a_clock_that_is_ahead_delivers_nothing_in_the_future() -> None:
    message = sent_message()

    receipts.apply("memory", [Receipt("delivered", timezone.now() + timedelta(days=1), reference=str(message.pk))])

    delivered_at = fresh(message).delivered_at
    assert delivered_at is not None
    assert delivered_at <= timezone.now()


ALL = [("sent", 1), ("failed", 2), ("delivered", 3), ("read", 4)]


@pytest.mark.parametrize("order", list(itertools.permutations(ALL[:3])))
def test_whatever_the_order_of_the_receipts_the_end_is_the_same(order: Any) -> None:
    apart, together = sent_message(), sent_message()

    for status, minutes in order:
        apply(say(apart, status, minutes))
    apply(*(say(together, status, minutes) for status, minutes in order))

    assert fresh(apart).status == fresh(together).status == "delivered"
    assert apart.delivered_at == together.delivered_at == NOON + timedelta(minutes=3)


def test_a_failure_that_a_receipt_told_is_not_undone_by_a_late_sent() -> None:
    message = sent_message()
    apply(say(message, "failed", 2, error="handset off"))

    assert apply(say(message, "sent", 1)).moved == 0

    assert (fresh(message).status, message.reason) == ("failed", "undelivered")


@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_combining_depends_on_no_order(said: list[tuple[Any, int]], chance: Any) -> None:
    given = [Receipt(status, NOON + timedelta(minutes=minutes), reference="1") for status, minutes in said]
    shuffled = list(given)
    chance.shuffle(shuffled)

    assert receipts.combine(shuffled) == receipts.combine(given)


def test_the_providers_own_id_finds_the_message() -> None:
    message, other = sent_message(), sent_message()

    applied = apply(Receipt("delivered", NOON, provider_message_id=f"memory-{message.pk}"))

    assert applied.moved == 1
    assert (fresh(message).status, fresh(other).status) == ("delivered", "sent")


def test_a_message_without_the_providers_id_learns_it(outbox: Memory) -> None:
    message = message_that_is("unknown", outbox)

    apply(say(message, "sent", provider_message_id="vendor-7"))
    apply(Receipt("delivered", NOON, provider_message_id="vendor-7"))

    assert (fresh(message).status, message.provider_message_id) == ("delivered", "vendor-7")


@pytest.mark.parametrize("reference", ["abc", "0", "-1", "9" * 19, "9" * 400, "１", "1.0", "1 OR true"])
def test_a_reference_that_is_none_of_ours_is_handed_back(reference: str) -> None:
    message = sent_message()
    stranger = Receipt("failed", NOON, reference=reference)

    applied = apply(stranger, say(message, "delivered"))

    assert (applied.moved, list(applied.unmatched)) == (1, [stranger])


def test_a_receipt_by_an_empty_or_unknown_id_of_the_provider_touches_nobody(outbox: Memory) -> None:
    message = message_that_is("unknown", outbox)
    assert message.provider_message_id == ""
    strangers = [Receipt("sent", NOON, provider_message_id=name) for name in ("\0", "nobody's", "x" * 10_000)]

    assert list(apply(*strangers).unmatched) == strangers
    assert fresh(message).status == "unknown"


def test_one_account_says_nothing_about_the_messages_of_another() -> None:
    message = sent_message()

    applied = receipts.apply("console", [say(message, "failed")])

    assert (applied.moved, len(applied.unmatched)) == (0, 1)
    assert fresh(message).status == "sent"


def test_a_receipt_never_moves_a_campaign_that_has_ended() -> None:
    message = sent_message()
    before = Campaign.objects.filter(pk=message.campaign_id).values().get()
    assert before["status"] == "sent"

    apply(say(message, "failed"))

    assert Campaign.objects.filter(pk=message.campaign_id).values().get() == before
    assert stats(message.campaign) == {"failed": 1}


def test_the_workers_answer_after_the_receipt_changes_nothing(outbox: Memory) -> None:
    campaign = sending_campaign(1)
    lease = leases.take()
    assert lease is not None
    rows = delivery._mark(lease, after=0, limit=1)
    message = OutboundMessage.objects.get(campaign=campaign)
    apply(say(message, "delivered"))

    outbox.answer = lambda _envelope: Unknown("no answer")
    delivery._deliver_slice(lease, rows, FREE, begun=10**12)

    assert fresh(message).status == "delivered"


def test_a_campaign_whose_last_answer_was_a_receipt_ends() -> None:
    campaign = sending_campaign(1)
    lease = leases.take()
    assert lease is not None
    delivery._mark(lease, after=0, limit=1)
    apply(say(OutboundMessage.objects.get(campaign=campaign), "delivered"))

    assert recovery.sweep().completed == 1


def test_a_retried_message_that_waits_is_not_moved_by_the_receipt_of_its_first_try(outbox: Memory) -> None:
    outbox.answer = lambda _envelope: TryLater("busy")
    campaign = sending_campaign(1)
    deliver_due()
    message = OutboundMessage.objects.get(campaign=campaign)

    assert apply(say(message, "failed")).moved == 0

    outbox.clear()
    make_due()
    deliver_due()
    assert fresh(message).status == "sent"


def test_a_vendors_words_never_cost_us_the_receipt() -> None:
    message = sent_message()

    apply(say(message, "failed", error="bad\0 \ud800 words" + "x" * 10_000))

    assert fresh(message).status == "failed"
    assert len(message.last_error) == 500


def test_nothing_is_said() -> None:
    assert apply() == receipts.Applied(0, [])


def test_a_log_line_holds_neither_phone_nor_the_providers_id(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    apply(Receipt("sent", NOON, provider_message_id="wamid.254712345678"))

    assert "'unmatched': 1" in caplog.text
    assert "254712345678" not in caplog.text


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "pending", "at": NOON, "reference": "1"},
        {"status": "sent", "at": datetime(2026, 1, 1), "reference": "1"},  # noqa: DTZ001
        {"status": "sent", "at": NOON},
    ],
)
def test_a_receipt_that_makes_no_sense_is_refused_where_it_is_made(fields: Any) -> None:
    with pytest.raises(ValueError, match="receipt"):
        Receipt(**fields)


@pytest.mark.django_db(transaction=True)
def test_many_at_once_over_the_same_messages_neither_deadlock_nor_disagree(outbox: Memory) -> None:
    outbox.answer = lambda _envelope: Unknown("no answer")
    campaigns = [sending_campaign(40), sending_campaign(40)]
    deliver_due()
    messages = list(OutboundMessage.objects.order_by("id"))
    ready = threading.Barrier(4)

    def tell(number: int) -> int:
        try:
            ready.wait()
            moved = 0
            for status in ("sent", "delivered", "read"):
                mine = messages if number % 2 else messages[::-1]
                moved += apply(*(say(message, status, number) for message in mine)).moved
            return moved
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        moved = sum(threads.map(tell, range(4)))

    assert 80 <= moved <= 3 * 80
    for campaign in campaigns:
        assert stats(campaign) == {"read": 40}
        assert audit(campaign)["consistent"]


@pytest.mark.django_db(transaction=True)
def test_receipts_beside_the_workers_that_write_the_answers_lose_nothing(outbox: Memory) -> None:
    campaign = sending_campaign(200)
    messages = list(OutboundMessage.objects.order_by("id"))
    over = threading.Event()

    def tell() -> None:
        try:
            while not over.is_set():
                apply(*(say(message, "delivered") for message in messages[::-1]))
        finally:
            connection.close()

    thread = threading.Thread(target=tell)
    thread.start()
    try:
        deliver_due()
    finally:
        over.set()
        thread.join()
    apply(*(say(message, "delivered") for message in messages))

    assert stats(campaign) == {"delivered": 200}
    assert len(outbox.outbox) == 200


def test_a_receipt_takes_two_statements_however_many_there_are(django_assert_num_queries: Any) -> None:
    sending_campaign(50)
    deliver_due()
    said = [say(message, "delivered") for message in OutboundMessage.objects.all()]
    with django_assert_num_queries(4):  # a savepoint and its release beside them
        assert apply(*said).moved == 50
