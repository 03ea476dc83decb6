"""Asking the provider afterwards: who is asked about, how often, and what its answer may and may not change."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from campaigns.models import Campaign
from messaging import delivery, leases, look_ups, receipts, recovery, second_chances
from messaging.audit import audit
from messaging.models import MessageBatch, OutboundMessage
from messaging.providers.base import Accepted, GiveUp, Outcome, Receipt, Unknown
from messaging.providers.memory import Memory
from tests.messaging.driving import deliver_due, expire_leases, sending_campaign, stats, statuses
from tests.messaging.knowing import Knowing, knowing

pytestmark = pytest.mark.django_db
__all__ = ["knowing"]


@pytest.fixture(autouse=True)
def _certain(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a provider does not know at once it never will."""
    monkeypatch.setattr(look_ups, "CERTAIN_SECONDS", 0.0)


def unknown(count: int = 1) -> Campaign:
    campaign = sending_campaign(count)
    deliver_due()
    assert stats(campaign) == {"unknown": count}
    return campaign


def let_pass(seconds: float) -> None:
    """As if everything had happened that much earlier."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outbound_messages SET due_at = due_at - make_interval(secs => %(seconds)s),"
            " updated_at = updated_at - make_interval(secs => %(seconds)s)",
            {"seconds": seconds},
        )


def wait_of(message: OutboundMessage) -> float | None:
    message.refresh_from_db()
    return None if message.due_at is None else (message.due_at - timezone.now()).total_seconds()


def test_an_unknown_message_is_due_in_ten_seconds_where_the_adapter_can_tell(knowing: Knowing) -> None:
    unknown()
    wait = wait_of(OutboundMessage.objects.get())
    assert wait is not None
    assert 5 < wait <= 10
    assert look_ups.look_up_due() == 0
    assert knowing.asked == []


def test_it_is_never_due_where_the_adapter_cannot_tell(outbox: Memory) -> None:
    outbox.answer = lambda _envelope: Unknown("no answer")
    unknown()

    assert OutboundMessage.objects.get().due_at is None
    assert look_ups.look_up_due() == 0


def test_what_a_lost_worker_leaves_is_asked_about_too(knowing: Knowing) -> None:
    campaign = sending_campaign(1)
    lease = leases.take()
    assert lease is not None
    delivery._mark(lease, after=0, limit=1)
    expire_leases()
    recovery.sweep()
    knowing.tells = lambda _reference: Accepted("late")
    let_pass(10)

    assert look_ups.look_up_due() == 1

    assert statuses(campaign) == ["sent"]


def test_what_a_provider_does_not_know_after_days_is_not_taken_for_never_accepted(knowing: Knowing) -> None:
    campaign = unknown()
    knowing.tells = lambda _reference: GiveUp("the vendor's log does not have it")
    let_pass(3 * 86_400)

    assert look_ups.look_up_due() == 0

    assert statuses(campaign) == ["unknown"]
    assert OutboundMessage.objects.get().due_at is None


def test_what_was_left_days_ago_is_not_asked_about(knowing: Knowing) -> None:
    sending_campaign(1)
    lease = leases.take()
    assert lease is not None
    delivery._mark(lease, after=0, limit=1)
    MessageBatch.objects.update(leased_until=timezone.now() - timedelta(days=3))

    assert list(recovery.reclaim()) == [1]

    assert OutboundMessage.objects.get().due_at is None


def test_what_a_lost_worker_leaves_at_a_provider_that_is_gone_stays_unknown(knowing: Knowing, settings: Any) -> None:
    campaign = sending_campaign(1)
    lease = leases.take()
    assert lease is not None
    delivery._mark(lease, after=0, limit=1)
    expire_leases()
    settings.MESSAGE_PROVIDERS = {}

    assert list(recovery.reclaim()) == [1]

    assert statuses(campaign) == ["unknown"]
    assert OutboundMessage.objects.get().due_at is None


@pytest.mark.parametrize(
    ("answer", "status", "reason", "error"),
    [
        (Accepted("vendor-1"), "sent", None, "no answer"),
        (GiveUp("never got it"), "failed", "not_accepted", "never got it"),
    ],
)
def test_what_the_provider_tells_is_written_with_its_reason(
    knowing: Knowing, answer: Outcome, status: str, reason: str | None, error: str
) -> None:
    campaign = unknown()
    became = OutboundMessage.objects.get().updated_at
    knowing.tells = lambda _reference: answer
    let_pass(10)

    assert look_ups.look_up_due() == 1

    message = OutboundMessage.objects.get()
    assert knowing.asked == [[str(message.pk)]]
    assert (message.status, message.reason, message.last_error, message.due_at) == (status, reason, error, None)
    assert message.provider_message_id == ("vendor-1" if status == "sent" else "")
    assert message.sent_at == (became - timedelta(seconds=10) if status == "sent" else None)
    assert look_ups.look_up_due() == 0
    assert audit(campaign)["consistent"]
    assert Campaign.objects.get().status == "sent"


def test_a_look_up_that_tells_no_id_keeps_the_one_there_is(knowing: Knowing) -> None:
    unknown()
    OutboundMessage.objects.update(provider_message_id="vendor-1")
    knowing.tells = lambda _reference: Accepted("")
    let_pass(10)

    look_ups.look_up_due()

    assert OutboundMessage.objects.get().provider_message_id == "vendor-1"


def test_what_was_never_accepted_can_be_retried(knowing: Knowing) -> None:
    campaign = unknown()
    knowing.tells = lambda _reference: GiveUp("never got it")
    let_pass(10)
    look_ups.look_up_due()
    knowing.answer = lambda _envelope: Accepted("second")
    campaign.refresh_from_db()

    second_chances.retry(campaign, by=None)
    deliver_due()

    assert statuses(campaign) == ["sent"]


def test_the_waits_double_and_after_an_hour_nobody_asks_any_more(knowing: Knowing) -> None:
    campaign = unknown()
    message = OutboundMessage.objects.get()
    asked_at, age = [], 0.0
    while (wait := wait_of(message)) is not None:
        let_pass(wait)
        age += wait
        asked_at.append(age)
        look_ups.look_up_due()
        assert len(knowing.asked) == len(asked_at) < 20

    expected = [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600]
    assert asked_at == pytest.approx(expected, rel=0.05)
    assert stats(campaign) == {"unknown": 1}
    assert OutboundMessage.objects.get().reason == "no_answer"


def test_one_slice_a_round_no_larger_than_what_the_adapter_keeps_on_the_wire(knowing: Knowing) -> None:
    campaign = unknown(5)
    knowing.tells = lambda _reference: Accepted()
    let_pass(10)

    assert [look_ups.look_up_due() for _ in range(3)] == [3, 2, 0]

    assert [len(slice_) for slice_ in knowing.asked] == [3, 2]
    assert stats(campaign) == {"sent": 5}


def test_one_message_that_nobody_knows_about_does_not_cost_its_neighbours_their_answers(knowing: Knowing) -> None:
    unknown(3)
    first, second, _ = OutboundMessage.objects.order_by("id").values_list("id", flat=True)
    answers: dict[str, Outcome | None] = {str(first): Accepted("a"), str(second): GiveUp("never")}
    knowing.tells = answers.get
    let_pass(10)

    assert look_ups.look_up_due() == 2

    assert list(OutboundMessage.objects.order_by("id").values_list("status", flat=True)) == [
        "sent", "failed", "unknown",
    ]  # fmt: skip


def test_a_worker_that_died_while_it_asked_loses_nothing(knowing: Knowing) -> None:
    unknown()
    let_pass(10)
    assert look_ups._claim("knowing") is not None
    knowing.tells = lambda _reference: Accepted()

    assert look_ups.look_up_due() == 0
    let_pass(25)
    assert look_ups.look_up_due() == 1


def test_an_answer_after_the_claim_ran_out_is_left_to_who_asks_now(knowing: Knowing) -> None:
    unknown()
    let_pass(10)
    first = look_ups._claim("knowing")
    assert first is not None
    let_pass(30)
    second = look_ups._claim("knowing")
    assert second is not None

    assert not look_ups._write(*first, [GiveUp("never")])
    assert look_ups._write(*second, [Accepted()]) == {"sent": 1}


def test_an_answer_about_what_was_resent_meanwhile_is_not_written(knowing: Knowing) -> None:
    campaign = unknown()
    let_pass(10)

    def resend(_reference: str) -> Outcome:
        return GiveUp("never got it")

    knowing.tells = resend
    claimed = look_ups._claim("knowing")
    assert claimed is not None
    campaign.refresh_from_db()
    second_chances.settle(campaign, "resend", by=None)
    assert OutboundMessage.objects.get().due_at is None
    deliver_due()  # and it is unknown once more

    assert not look_ups._write(*claimed, [GiveUp("never got it")])
    assert statuses(campaign) == ["unknown"]


def test_a_receipt_settles_what_is_being_asked_about(knowing: Knowing) -> None:
    campaign = unknown()
    let_pass(10)
    claimed = look_ups._claim("knowing")
    assert claimed is not None
    reference = str(claimed[0][0])
    receipts.apply("knowing", [Receipt("delivered", datetime(2026, 1, 1, tzinfo=UTC), reference=reference)])

    assert not look_ups._write(*claimed, [GiveUp("never got it")])

    assert stats(campaign) == {"delivered": 1}
    let_pass(100)
    assert look_ups.look_up_due() == 0


@pytest.mark.django_db(transaction=True)
def test_what_is_claimed_anew_while_its_first_question_is_on_the_wire_is_settled_by_the_second(
    knowing: Knowing,
) -> None:
    unknown(3)
    let_pass(10)
    inside, go_on = threading.Event(), threading.Event()

    def tell(_reference: str) -> Outcome:
        inside.set()
        assert not connection.in_atomic_block
        go_on.wait(5)
        return Accepted()

    knowing.tells = tell

    def work() -> int:
        try:
            return look_ups.look_up_due()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(work)
        assert inside.wait(5)
        OutboundMessage.objects.update(due_at=timezone.now() - timedelta(seconds=1))
        second = threads.submit(work)
        go_on.set()

    assert (first.result(), second.result()) in [(0, 3), (3, 0)]
    assert len(knowing.asked) <= 2


@pytest.mark.django_db(transaction=True)
def test_claims_at_once_share_what_is_due(knowing: Knowing) -> None:
    unknown(30)
    let_pass(10)

    def claim(_number: int) -> list[int]:
        try:
            claimed = look_ups._claim("knowing")
            return claimed[0] if claimed else []
        finally:
            connection.close()

    with ThreadPoolExecutor(5) as threads:
        found = [message_id for ids in threads.map(claim, range(10)) for message_id in ids]

    assert len(found) == len(set(found)) == 30


def test_a_provider_whose_look_up_breaks_is_asked_again_later(
    knowing: Knowing, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(_references: Any) -> Any:
        raise RuntimeError("a bug, with a phone in it: +254712345678")

    unknown()
    let_pass(10)
    monkeypatch.setattr(knowing, "look_up", breaks)

    assert look_ups.look_up_due() == 0

    message = OutboundMessage.objects.get()
    assert message.status == "unknown"
    assert 5 < (wait_of(message) or 0) <= 11


def test_what_is_due_is_found_by_its_index(knowing: Knowing) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT id FROM outbound_messages WHERE provider = 'knowing' AND status = 'unknown'"
            " AND due_at <= statement_timestamp() ORDER BY due_at LIMIT 3"
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "idx_outbound_messages_look_up" in plan
    assert "Sort" not in plan


def test_that_a_provider_knows_nothing_is_not_believed_before_some_minutes(
    knowing: Knowing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look_ups, "CERTAIN_SECONDS", 120.0)
    campaign = unknown()
    knowing.tells = lambda _reference: GiveUp("never got it")
    let_pass(15)
    assert look_ups.look_up_due() == 0
    assert statuses(campaign) == ["unknown"]
    let_pass(120)
    assert look_ups.look_up_due() == 1
    assert statuses(campaign) == ["failed"]
