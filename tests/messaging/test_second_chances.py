"""The owner's retry and settle: the same rows once more, only when asked, and never past whom they must not reach."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from campaigns.audience import InvalidAudience
from campaigns.models import Campaign, IllegalTransition
from config.celery import app
from customers import consent
from messaging import bells, delivery, leases, recovery, rows, second_chances
from messaging.audit import audit
from messaging.models import MessageBatch, OutboundMessage
from messaging.providers.base import Accepted, GiveUp, Outcome, TryLater, Unknown
from messaging.providers.memory import Memory
from messaging.reasons import Reason
from tests.messaging.driving import FREE, deliver_due, expire_leases, make_due, sending_campaign, stats, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox")]


def ended(outbox: Memory, *outcomes: Outcome) -> Campaign:
    """A campaign whose messages, in their order, met these outcomes; the provider accepts everything from then on."""
    campaign = sending_campaign(len(outcomes))
    ids = OutboundMessage.objects.filter(campaign=campaign).order_by("id").values_list("id", flat=True)
    answers = dict(zip(map(str, ids), outcomes, strict=True))
    outbox.answer = lambda envelope: answers[envelope.reference]
    deliver_due()
    outbox.clear()
    campaign.refresh_from_db()
    assert campaign.status in {"sent", "failed"}
    return campaign


REJECTED: Outcome
LOST: Outcome
TAKEN: Outcome
REJECTED, LOST, TAKEN = GiveUp("no such number"), Unknown("no answer"), Accepted("x")


def test_a_retry_sends_the_failed_messages_again_and_nothing_else(outbox: Memory) -> None:
    campaign = ended(outbox, REJECTED, TAKEN, LOST, REJECTED)
    texts = dict(OutboundMessage.objects.values_list("id", "rendered_content"))

    again = second_chances.retry(campaign, by=None)

    assert (again.messages_queued, again.left, again.campaign.status) == (2, 1, "sending")
    assert statuses(campaign) == ["pending", "sent", "unknown", "pending"]
    assert campaign.ended_at is None
    deliver_due()
    assert statuses(campaign) == ["sent", "sent", "unknown", "sent"]
    assert [(int(sent.reference), sent.text) for sent in outbox.outbox] == [
        (pk, texts[pk]) for pk in sorted(texts) if pk in {int(sent.reference) for sent in outbox.outbox}
    ]
    assert len(outbox.outbox) == 2
    campaign.refresh_from_db()
    assert campaign.status == "sent"
    assert campaign.ended_at is not None
    assert not MessageBatch.objects.exists()


def test_a_retried_row_forgets_its_reason_and_keeps_its_last_error(outbox: Memory) -> None:
    campaign = ended(outbox, REJECTED)

    second_chances.retry(campaign, by=None)

    message = OutboundMessage.objects.get(campaign=campaign)
    assert (message.status, message.reason, message.due_at) == ("pending", None, None)
    assert message.last_error == "no such number"


def test_a_failed_campaign_whose_retry_reaches_somebody_ends_sent(outbox: Memory) -> None:
    campaign = ended(outbox, REJECTED)
    assert campaign.status == "failed"

    second_chances.retry(campaign, by=None)
    deliver_due()

    campaign.refresh_from_db()
    assert campaign.status == "sent"


def test_only_those_with_the_chosen_reasons_are_retried(outbox: Memory) -> None:
    campaign = ended(outbox, REJECTED, REJECTED, REJECTED)
    first, second, _ = OutboundMessage.objects.filter(campaign=campaign).order_by("id")
    OutboundMessage.objects.filter(pk=first.pk).update(reason=Reason.NOT_ACCEPTED)
    OutboundMessage.objects.filter(pk=second.pk).update(reason=Reason.EXPIRED)
    assert second_chances.failed_by_reason(campaign) == {
        Reason.EXPIRED: 1, Reason.NOT_ACCEPTED: 1, Reason.REJECTED: 1,
    }  # fmt: skip

    again = second_chances.retry(campaign, [Reason.NOT_ACCEPTED, Reason.REJECTED], by=None)

    assert again.messages_queued == 2
    assert statuses(campaign) == ["pending", "failed", "pending"]


def test_the_retry_count_goes_on_and_the_limit_starts_anew(outbox: Memory, settings: Settings) -> None:
    settings.MESSAGE_RETRY_LIMIT = 3
    campaign = sending_campaign(1)
    outbox.answer = lambda _envelope: TryLater("busy")

    for total in (3, 6):
        for _ in range(5):
            make_due()
            deliver_due()
        message = OutboundMessage.objects.get(campaign=campaign)
        assert (message.status, message.reason) == ("failed", "retries_exhausted")
        assert (message.retry_count, len(outbox.outbox)) == (total, total)
        campaign.refresh_from_db()
        second_chances.retry(campaign, by=None)

    assert [sent.attempt for sent in outbox.outbox] == [0, 1, 2, 3, 4, 5]


def test_the_waits_start_anew_too(outbox: Memory, settings: Settings) -> None:
    settings.MESSAGE_RETRY_BASE_SECONDS, settings.MESSAGE_RETRY_CAP_SECONDS = 100, 10_000
    campaign = ended(outbox, REJECTED)
    OutboundMessage.objects.update(retry_count=5)
    second_chances.retry(campaign, by=None)
    outbox.answer = lambda _envelope: TryLater("busy")

    deliver_due()

    message = OutboundMessage.objects.get(campaign=campaign)
    assert message.due_at is not None
    assert 45 < (message.due_at - message.updated_at).total_seconds() <= 100


def test_who_opted_out_before_the_retry_is_skipped(outbox: Memory) -> None:
    campaign = ended(outbox, REJECTED, LOST)
    for message in OutboundMessage.objects.all():
        consent.opt_out(phone=message.address, channel="sms", source="reply")

    second_chances.retry(campaign, by=None)
    deliver_due()
    campaign.refresh_from_db()
    second_chances.settle(campaign, "resend", by=None)
    deliver_due()

    assert outbox.outbox == []
    assert list(OutboundMessage.objects.values_list("status", "reason")) == [("skipped", "opted_out")] * 2


def test_resending_turns_the_unknown_pending_and_leaves_the_failed(outbox: Memory) -> None:
    campaign = ended(outbox, REJECTED, LOST, LOST)

    again = second_chances.settle(campaign, "resend", by=None)

    assert (again.messages_queued, again.left, again.campaign.status) == (2, 0, "sending")
    deliver_due()
    assert statuses(campaign) == ["failed", "sent", "sent"]
    assert len(outbox.outbox) == 2


def test_leaving_changes_nothing_and_says_how_many_stay(outbox: Memory) -> None:
    campaign = ended(outbox, TAKEN, LOST, LOST)
    before = list(OutboundMessage.objects.order_by("id").values())

    again = second_chances.settle(campaign, "leave", by=None)

    assert (again.messages_queued, again.left, again.campaign.status) == (0, 2, "sent")
    assert list(OutboundMessage.objects.order_by("id").values()) == before


def test_leaving_nobody_is_no_mistake(outbox: Memory) -> None:
    assert second_chances.settle(ended(outbox, TAKEN), "leave", by=None).left == 0


VERBS = {
    "retry": lambda campaign: second_chances.retry(campaign, by=None),
    "resend": lambda campaign: second_chances.settle(campaign, "resend", by=None),
    "leave": lambda campaign: second_chances.settle(campaign, "leave", by=None),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_campaign_that_has_not_ended_gives_no_second_chance(outbox: Memory, verb: str) -> None:
    campaign = sending_campaign(2)
    ids = OutboundMessage.objects.order_by("id").values_list("id", flat=True)
    OutboundMessage.objects.filter(pk=ids[0]).update(status="failed", reason="rejected")
    paused, cancelled = sending_campaign(1), sending_campaign(1)
    paused.pause()
    cancelled.cancel()

    for each in (campaign, paused, cancelled):
        with pytest.raises(IllegalTransition):
            VERBS[verb](each)

    assert statuses(campaign) == ["failed", "pending"]


@pytest.mark.parametrize("verb", ["retry", "resend"])
def test_nobody_to_try_again_is_refused_and_the_campaign_stays_ended(outbox: Memory, verb: str) -> None:
    campaign = ended(outbox, TAKEN)
    was = campaign.ended_at

    with pytest.raises(InvalidAudience) as refused:
        VERBS[verb](campaign)

    assert (refused.value.code, refused.value.field) == ("nobody", "reasons" if verb == "retry" else "unknown")
    campaign.refresh_from_db()
    assert (campaign.status, campaign.ended_at) == ("sent", was)


def test_the_batches_cover_every_pending_message_once_and_do_not_overlap(
    outbox: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "BATCH", 3)
    campaign = ended(outbox, *[REJECTED, TAKEN, REJECTED, LOST] * 5)

    second_chances.retry(campaign, by=None)

    spans = list(MessageBatch.objects.order_by("first_id").values_list("first_id", "last_id"))
    pending = OutboundMessage.objects.filter(status="pending").values_list("id", flat=True)
    assert len(spans) == 4
    assert [sum(first <= pk <= last for first, last in spans) for pk in pending] == [1] * 10
    assert [sum(first <= pk <= last for pk in pending) for first, last in spans] == [3, 3, 3, 1]
    assert audit(campaign)["stuck"] == []
    deliver_due()
    assert len(outbox.outbox) == 10


def test_the_retry_goes_by_the_route_of_today(outbox: Memory, settings: Settings) -> None:
    campaign = ended(outbox, REJECTED)
    settings.MESSAGE_ROUTES = {"sms": "console", "whatsapp": "console"}

    second_chances.retry(campaign, by=None)

    assert MessageBatch.objects.get().provider == "console"


def test_workers_are_rung_on_commit(outbox: Memory, django_capture_on_commit_callbacks: Any) -> None:
    campaign = ended(outbox, REJECTED)
    with app.connection_for_write() as broker:
        channel: Any = broker.default_channel
        channel.client.delete("deliver")
        with django_capture_on_commit_callbacks(execute=True):
            second_chances.retry(campaign, by=None)
        assert channel.client.llen("deliver") == 1


def test_a_worker_that_still_held_a_batch_from_before_the_end_has_lost_it(outbox: Memory) -> None:
    outbox.answer = lambda _envelope: REJECTED
    campaign = sending_campaign(3)
    old = leases.take()
    assert old is not None
    rows = delivery._mark(old, after=0, limit=3)
    delivery._deliver_slice(old, rows, FREE, begun=10**12)
    recovery.complete_campaigns()
    campaign.refresh_from_db()
    outbox.clear()

    second_chances.retry(campaign, by=None)

    assert not leases.renew(old)
    with pytest.raises(leases.LeaseLost):
        delivery._mark(old, after=0, limit=3)
    assert leases.release(old) is None
    assert statuses(campaign) == ["pending"] * 3
    deliver_due()
    assert len(outbox.outbox) == 3


def test_an_answer_to_the_first_try_that_comes_after_the_resend_is_not_taken_for_the_second(outbox: Memory) -> None:
    campaign = sending_campaign(1)
    old = leases.take()
    assert old is not None
    rows = delivery._mark(old, after=0, limit=1)
    expire_leases()
    recovery.sweep()
    campaign.refresh_from_db()
    second_chances.settle(campaign, "resend", by=None)

    outbox.answer = lambda _envelope: REJECTED
    with pytest.raises(leases.LeaseLost):
        delivery._deliver_slice(old, rows, FREE, begun=10**12)

    assert statuses(campaign) == ["pending"]


def test_a_campaign_can_be_retried_again_and_again(outbox: Memory) -> None:
    campaign = ended(outbox, REJECTED, REJECTED)
    outbox.answer = lambda _envelope: REJECTED

    for _ in range(3):
        campaign.refresh_from_db()
        assert second_chances.retry(campaign, by=None).messages_queued == 2
        deliver_due()

    assert len(outbox.outbox) == 6
    assert stats(campaign) == {"failed": 2}


def test_a_retried_campaign_is_paused_and_cancelled_as_any(outbox: Memory) -> None:
    campaign = ended(outbox, REJECTED, REJECTED, TAKEN)
    second_chances.retry(campaign, by=None)
    campaign.pause()
    deliver_due()
    assert outbox.outbox == []
    campaign.cancel()

    assert recovery.sweep().cancelled == 2
    assert stats(campaign) == {"cancelled": 2, "sent": 1}


def test_a_retry_whose_bell_was_lost_is_found_by_the_sweep(outbox: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = ended(outbox, REJECTED)
    monkeypatch.setattr(bells, "ring_delivery", lambda *_args, **_kwargs: None)
    second_chances.retry(campaign, by=None)
    monkeypatch.undo()

    assert recovery.sweep().due == 1


@pytest.mark.django_db(transaction=True)
def test_of_retries_and_resends_at_once_one_wins(outbox: Memory) -> None:
    campaign = ended(outbox, *[REJECTED, LOST] * 20)

    def call(verb: str) -> str:
        try:
            VERBS[verb](Campaign.objects.get(pk=campaign.pk))
        except IllegalTransition:
            return "refused"
        finally:
            connection.close()
        return verb

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(call, ["retry", "resend"] * 3))

    assert sorted(answers)[:5].count("refused") + sorted(answers)[5:].count("refused") == 5
    assert stats(campaign)["pending"] == 20
    assert audit(campaign)["consistent"]


@pytest.mark.django_db(transaction=True)
def test_a_retry_beside_the_sweep_and_workers_loses_and_doubles_nobody(
    outbox: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "BATCH", 5)
    campaign = ended(outbox, *[REJECTED] * 60)

    def work(what: Any) -> None:
        try:
            for _ in range(10):
                what()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        jobs = [threads.submit(work, what) for what in (deliver_due, recovery.clear_ended, deliver_due)]
        jobs.append(threads.submit(work, partial(quietly, campaign)))
        for job in jobs:
            job.result()
    deliver_due()

    assert stats(campaign) == {"sent": 60}
    references = [sent.reference for sent in outbox.outbox]
    assert len(references) == len(set(references)) == 60


@pytest.mark.django_db(transaction=True)
def test_one_that_was_about_to_end_the_campaign_does_not_end_it_after_its_retry(outbox: Memory) -> None:
    """It began before the end, waited for the lock, and sees counts from before the retry."""
    outbox.answer = lambda _envelope: REJECTED
    campaign = sending_campaign(2)
    lease = leases.take()
    assert lease is not None
    delivery.deliver(lease)

    def end() -> None:
        try:
            Campaign(pk=campaign.pk).complete()
        finally:
            connection.close()

    late = threading.Thread(target=end)

    with transaction.atomic():
        assert campaign.complete()
        late.start()
        wait_for_a_waiter()
        second_chances.retry(campaign, by=None)
    late.join()

    campaign.refresh_from_db()
    assert campaign.status == "sending"
    recovery.sweep()
    assert statuses(campaign) == ["pending", "pending"]


def wait_for_a_waiter() -> None:
    """Until another connection waits for a lock."""
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees its first look for ever
            # Not of pg_locks, which also tells of the database of the runner beside us.
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError


def quietly(campaign: Campaign) -> None:
    """Retry, unless there is nothing to retry any more."""
    try:
        second_chances.retry(Campaign.objects.get(pk=campaign.pk), by=None)
    except (IllegalTransition, InvalidAudience):
        return
