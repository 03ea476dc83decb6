"""From pending rows to outcomes: claims, verdicts as they are written, and what must never happen twice."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from django.db import OperationalError, connection
from pytest_django import Settings

from campaigns.models import Campaign
from customers import consent
from customers.models import Customer
from messaging import alerts, delivery, leases, recovery, settling, throttle
from messaging.models import Alert, MessageBatch, OutboundMessage
from messaging.providers.base import (
    Accepted,
    Envelope,
    GiveUp,
    OptedOut,
    Outcome,
    SlowDown,
    StopAll,
    TryLater,
    Unknown,
)
from messaging.providers.memory import Memory
from tests.messaging.driving import FREE, deliver_due, expire_leases, make_due, sending_campaign, stats, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox")]


def only_message(campaign: Campaign) -> OutboundMessage:
    return OutboundMessage.objects.get(campaign=campaign)


def answering(outbox: Memory, outcome: Outcome) -> None:
    outbox.answer = lambda _envelope: outcome


def leased() -> leases.Lease:
    lease = leases.take()
    assert lease is not None
    return lease


def test_every_message_goes_out_once_with_its_text_and_reference(outbox: Memory) -> None:
    campaign = sending_campaign(3, base_template="Hi {FirstName}")

    deliver_due()

    rows = OutboundMessage.objects.filter(campaign=campaign).order_by("id")
    assert [(sent.reference, sent.to, sent.text) for sent in outbox.outbox] == [
        (str(row.pk), row.address, "Hi Wanjiru") for row in rows
    ]
    assert stats(campaign) == {"sent": 3}
    for row in rows:
        assert (row.provider, row.provider_message_id, row.reason) == ("memory", f"memory-{row.pk}", None)
        assert row.sent_at is not None


def test_the_campaign_ends_by_itself_and_its_batches_go(outbox: Memory) -> None:
    campaign = sending_campaign(3)

    deliver_due()

    campaign.refresh_from_db()
    assert campaign.status == "sent"
    assert campaign.ended_at is not None
    assert not MessageBatch.objects.exists()


def test_a_campaign_in_which_nobody_was_reached_has_failed(outbox: Memory) -> None:
    answering(outbox, GiveUp("no such number"))
    campaign = sending_campaign(2)

    deliver_due()

    campaign.refresh_from_db()
    assert campaign.status == "failed"


def test_a_campaign_whose_only_outcome_is_unknown_counts_as_sent(outbox: Memory) -> None:
    answering(outbox, Unknown("no answer"))
    campaign = sending_campaign(1)

    deliver_due()

    campaign.refresh_from_db()
    assert campaign.status == "sent"


@pytest.mark.parametrize(
    ("outcome", "status", "reason"),
    [
        (Accepted("abc"), "sent", None),
        (GiveUp("no such number"), "failed", "rejected"),
        (OptedOut("blacklisted"), "skipped", "opted_out"),
        (Unknown("no answer"), "unknown", "no_answer"),
        (TryLater("busy"), "pending", "temporary_failure"),
        (SlowDown("429"), "pending", "throttled"),
    ],
)
def test_each_outcome_is_written_with_its_reason(
    outbox: Memory, outcome: Outcome, status: str, reason: str | None
) -> None:
    answering(outbox, outcome)
    campaign = sending_campaign(1)

    deliver_due()

    message = only_message(campaign)
    assert (message.status, message.reason) == (status, reason)
    assert message.last_error == getattr(outcome, "error", "")


def test_a_bad_number_does_not_fail_its_neighbours(outbox: Memory) -> None:
    campaign = sending_campaign(3)
    bad = OutboundMessage.objects.filter(campaign=campaign).order_by("id")[1].address
    outbox.answer = lambda envelope: GiveUp("no such number") if envelope.to == bad else Accepted()

    deliver_due()

    assert statuses(campaign) == ["sent", "failed", "sent"]


def test_a_message_refused_for_the_moment_waits_and_is_tried_again(outbox: Memory, settings: Settings) -> None:
    settings.MESSAGE_RETRY_BASE_SECONDS = 100
    answering(outbox, TryLater("busy"))
    campaign = sending_campaign(1)

    deliver_due()
    deliver_due()

    assert len(outbox.outbox) == 1
    message = only_message(campaign)
    assert (message.status, message.retry_count, message.last_error) == ("pending", 1, "busy")
    assert message.due_at is not None
    assert 49 <= (message.due_at - message.updated_at).total_seconds() <= 100
    assert MessageBatch.objects.get().due_at == message.due_at

    outbox.clear()
    make_due()
    deliver_due()
    message = only_message(campaign)
    assert (message.status, message.retry_count, message.reason) == ("sent", 1, None)
    assert outbox.outbox[0].attempt == 1


@pytest.mark.django_db(transaction=True)
def test_after_the_retry_limit_the_message_is_failed_and_one_alert_goes_out(
    outbox: Memory, settings: Settings, mailoutbox: list[object]
) -> None:
    settings.MESSAGE_RETRY_LIMIT = 3
    settings.ADMINS = [("Asha", "asha@example.com")]
    answering(outbox, TryLater("busy"))
    campaign = sending_campaign(2)

    for _ in range(5):
        make_due()
        deliver_due()

    for message in OutboundMessage.objects.filter(campaign=campaign):
        assert (message.status, message.reason) == ("failed", "retries_exhausted")
        assert (message.retry_count, message.last_error) == (3, "busy")
    assert len(outbox.outbox) == 6
    assert Alert.objects.filter(campaign=campaign, code="retries_exhausted").count() == 1
    alerts.tell_waiting()
    assert len(mailoutbox) == 1


def test_throttling_waits_as_long_as_the_provider_says_and_counts_no_retry(outbox: Memory) -> None:
    answering(outbox, SlowDown("429", seconds=7))
    campaign = sending_campaign(1)

    deliver_due()

    message = only_message(campaign)
    assert (message.retry_count, message.reason) == (0, "throttled")
    assert message.due_at is not None
    assert 7 <= (message.due_at - message.updated_at).total_seconds() <= 8


@pytest.mark.django_db(transaction=True)
def test_a_broken_account_pauses_the_campaign_and_tells_somebody(outbox: Memory) -> None:
    answering(outbox, StopAll("no credit"))
    campaign = sending_campaign(2)

    deliver_due()

    campaign.refresh_from_db()
    assert (campaign.status, campaign.reason) == ("paused", "provider_stopped")
    assert stats(campaign) == {"pending": 2}
    assert Alert.objects.filter(campaign=campaign, code="provider_stopped").exists()

    outbox.clear()
    campaign.resume()
    deliver_due()
    assert stats(campaign) == {"sent": 2}


def test_a_provider_that_breaks_leaves_unknown_and_is_not_called_again(outbox: Memory) -> None:
    def breaks(_envelope: Envelope) -> Outcome:
        raise RuntimeError("a bug in the adapter")

    outbox.answer = breaks
    campaign = sending_campaign(2)

    deliver_due()
    make_due()
    deliver_due()

    assert stats(campaign) == {"unknown": 2}
    assert len(outbox.outbox) == 2
    assert "RuntimeError" in OutboundMessage.objects.filter(campaign=campaign)[0].last_error


def test_what_a_vendor_says_is_stored_even_when_it_is_nasty(outbox: Memory) -> None:
    answering(outbox, GiveUp("nul \0 and surrogate \ud800 " + "x" * 10_000))
    campaign = sending_campaign(1)

    deliver_due()

    message = only_message(campaign)
    assert message.status == "failed"
    assert message.last_error.startswith("nul ")


def test_an_opt_out_after_the_audience_was_drawn_is_honoured(outbox: Memory) -> None:
    campaign = sending_campaign(3)
    second = OutboundMessage.objects.filter(campaign=campaign).order_by("id")[1]
    consent.opt_out(phone=second.address, channel="sms", source="reply")

    deliver_due()

    assert statuses(campaign) == ["sent", "skipped", "sent"]
    second.refresh_from_db()
    assert second.reason == "opted_out"
    assert second.address not in {envelope.to for envelope in outbox.outbox}


def test_an_opt_out_between_two_slices_is_honoured(outbox: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "capabilities", type(outbox.capabilities)(in_flight=1))
    campaign = sending_campaign(3)
    last = OutboundMessage.objects.filter(campaign=campaign).order_by("id")[2]

    def accept_and_hear_stop(envelope: Envelope) -> Outcome:
        stops.append(envelope.to)
        return Accepted()

    stops: list[str] = []
    outbox.answer = accept_and_hear_stop
    lease = leased()
    delivery._mark(lease, after=lease.first_id - 1, limit=1)
    consent.opt_out(phone=last.address, channel="sms", source="reply")
    leases.release(lease)
    deliver_due()

    assert statuses(campaign) == ["sent", "sent", "skipped"]
    assert last.address not in stops


def test_a_paused_campaign_is_left_alone(outbox: Memory) -> None:
    campaign = sending_campaign(3)
    campaign.pause()

    deliver_due()
    assert outbox.outbox == []

    campaign.resume()
    deliver_due()
    assert len(outbox.outbox) == 3


def test_a_pause_stops_within_a_slice(outbox: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "capabilities", type(outbox.capabilities)(in_flight=2))
    campaign = sending_campaign(6)
    lease = leased()
    delivery._mark(lease, after=0, limit=2)

    campaign.pause()

    assert delivery._mark(lease, after=0, limit=2) == []


def test_a_customer_who_is_deleted_is_not_written_to_and_the_equation_holds(outbox: Memory) -> None:
    campaign = sending_campaign(3)
    gone = OutboundMessage.objects.filter(campaign=campaign).order_by("id")[1]
    Customer.objects.filter(pk=gone.customer_id).delete()

    deliver_due()

    assert stats(campaign) == {"sent": 2}
    assert gone.address not in {envelope.to for envelope in outbox.outbox}
    campaign.refresh_from_db()
    assert campaign.status == "sent"


def test_a_customer_deleted_while_on_the_wire_makes_no_error(outbox: Memory) -> None:
    campaign = sending_campaign(2)
    customer = OutboundMessage.objects.filter(campaign=campaign).order_by("id")[0].customer_id
    lease = leased()
    rows = delivery._mark(lease, after=0, limit=10)
    Customer.objects.filter(pk=customer).delete()

    delivery._deliver_slice(lease, rows, FREE, begun=10**12)

    assert stats(campaign) == {"sent": 1}


def test_a_campaign_deleted_while_on_the_wire_makes_no_error(outbox: Memory) -> None:
    campaign = sending_campaign(2)
    lease = leased()
    rows = delivery._mark(lease, after=0, limit=10)
    Campaign.objects.filter(pk=campaign.pk).delete()

    with pytest.raises(leases.LeaseLost):
        delivery._deliver_slice(lease, rows, FREE, begun=10**12)
    assert not OutboundMessage.objects.exists()


def test_one_batch_is_leased_to_one_worker(outbox: Memory) -> None:
    sending_campaign(2)

    assert leases.take() is not None
    assert leases.take() is None


def test_who_lost_the_lease_marks_nothing(outbox: Memory) -> None:
    campaign = sending_campaign(2)
    lost = leased()
    expire_leases()
    list(recovery.reclaim())

    assert delivery.deliver(lost) is None

    assert outbox.outbox == []
    assert stats(campaign) == {"pending": 2}


def test_what_a_dead_worker_had_on_the_wire_becomes_unknown_and_is_never_sent_again(outbox: Memory) -> None:
    campaign = sending_campaign(5)
    lease = leased()
    delivery._mark(lease, after=0, limit=2)

    assert list(recovery.reclaim()) == []
    expire_leases()
    assert list(recovery.reclaim()) == [2]
    deliver_due()

    assert statuses(campaign) == ["unknown", "unknown", "sent", "sent", "sent"]
    first = OutboundMessage.objects.filter(campaign=campaign).order_by("id")[0]
    assert first.reason == "worker_lost"
    assert leases.WORKER in first.last_error
    assert str(first.pk) not in {envelope.reference for envelope in outbox.outbox}


def test_a_late_answer_settles_what_became_unknown(outbox: Memory) -> None:
    campaign = sending_campaign(3)
    lease = leased()
    rows = delivery._mark(lease, after=0, limit=10)
    expire_leases()
    list(recovery.reclaim())
    answers: Iterator[Outcome] = iter([Accepted("x"), TryLater("busy"), GiveUp("no such number")])
    outbox.answer = lambda _envelope: next(answers)

    with pytest.raises(leases.LeaseLost):
        delivery._deliver_slice(lease, rows, FREE, begun=10**12)

    assert statuses(campaign) == ["sent", "unknown", "failed"]


def test_a_worker_that_stood_still_calls_nobody(outbox: Memory) -> None:
    campaign = sending_campaign(2)
    lease = leased()
    rows = delivery._mark(lease, after=0, limit=10)

    delivery._deliver_slice(lease, rows, FREE, begun=-(10**6))

    assert outbox.outbox == []
    assert statuses(campaign) == ["pending", "pending"]


def test_rows_whose_mark_was_never_confirmed_go_back_with_the_batch(outbox: Memory) -> None:
    campaign = sending_campaign(4)
    lease = leased()
    delivery._mark(lease, after=0, limit=2)

    delivery.deliver(lease)
    assert statuses(campaign) == ["pending", "pending", "sent", "sent"]
    deliver_due()

    assert statuses(campaign) == ["sent"] * 4
    references = [envelope.reference for envelope in outbox.outbox]
    assert len(references) == len(set(references)) == 4


def test_a_worker_that_is_asked_to_stop_hands_the_batch_back(outbox: Memory) -> None:
    campaign = sending_campaign(2)
    lease = leased()
    delivery.stopping.set()

    released = delivery.deliver(lease)

    assert released is not None
    assert released.due_at is not None
    delivery.stopping.clear()
    deliver_due()
    assert statuses(campaign) == ["sent", "sent"]


def test_two_campaigns_take_turns(outbox: Memory) -> None:
    campaigns = [sending_campaign(1) for _ in range(2)]

    first = set()
    for _ in range(40):
        lease = leased()
        first.add(lease.campaign_id)
        leases.release(lease)

    assert first == {campaign.pk for campaign in campaigns}


def test_a_slice_is_two_writes_whatever_its_size(
    outbox: Memory, django_assert_max_num_queries: Callable[..., AbstractContextManager[object]]
) -> None:
    sending_campaign(200)
    lease = leased()
    # Whether the account has a limit is asked once a second.
    throttle.acquire("memory", 1, seconds=1, stopping=delivery.stopping)

    with django_assert_max_num_queries(20):
        delivery.deliver(lease)

    assert len(outbox.outbox) == 200


def test_a_short_absence_of_the_database_costs_no_outcome(outbox: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = sending_campaign(2)
    lease = leased()
    settle, faults = settling.settle, iter([OperationalError("gone"), OperationalError("gone")])

    def settle_at_the_third_try(*args: object) -> None:
        fault = next(faults, None)
        if fault is not None:
            raise fault
        settle(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(settling, "settle", settle_at_the_third_try)
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's transaction lives in this connection

    delivery.deliver(lease)

    assert stats(campaign) == {"sent": 2}
    assert len(outbox.outbox) == 2


def test_a_batch_is_handed_back_between_two_slices_when_the_turn_is_over(
    outbox: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "capabilities", type(outbox.capabilities)(in_flight=2))
    campaign = sending_campaign(5)

    released = delivery.deliver(leased(), until=0.0)

    assert released is not None
    assert released.due_at is not None
    assert stats(campaign) == {"sent": 2, "pending": 3}
    deliver_due()
    assert stats(campaign) == {"sent": 5}


def test_an_outcome_that_could_not_be_written_before_the_lease_ran_out_is_written_after(
    outbox: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = sending_campaign(2)
    lease = leased()
    settle, tries = settling.settle, iter([True])

    def settle_after_the_lease(*args: object) -> None:
        if next(tries, False):
            expire_leases()
            assert list(recovery.reclaim()) == [2]
            raise OperationalError("gone for longer than the lease")
        settle(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(settling, "settle", settle_after_the_lease)
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's transaction lives in this connection

    assert delivery.deliver(lease) is None

    assert stats(campaign) == {"sent": 2}
    assert len(outbox.outbox) == 2


def test_a_slice_without_an_answer_says_in_the_log_who_became_unknown_and_why(
    outbox: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    campaign = sending_campaign(3)
    silent, refused, sent = OutboundMessage.objects.filter(campaign=campaign).order_by("id")
    outcomes: dict[str, Outcome] = {str(silent.pk): Unknown("no answer within 2 s"), str(refused.pk): GiveUp("no")}
    outbox.answer = lambda envelope: outcomes.get(envelope.reference, Accepted())
    deliver_due()
    [line] = [record.msg for record in caplog.records if "no_answer" in str(record.msg)]
    assert isinstance(line, dict)
    assert (line["unknown"], line["messages"], line["errors"]) == ([silent.pk], 3, ["no answer within 2 s"])
    assert (line["campaign"], line["worker"]) == (campaign.pk, leases.WORKER)
    assert sent.address not in str(line)


def test_a_slice_that_was_answered_logs_no_silence(outbox: Memory, caplog: pytest.LogCaptureFixture) -> None:
    sending_campaign(2)
    answering(outbox, GiveUp("no"))
    deliver_due()
    assert "no_answer" not in caplog.text
