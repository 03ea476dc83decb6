"""Campaigns that are too late: what has not gone out by then never does, and they end."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns.audience import Everybody, InvalidAudience, listed
from campaigns.models import Campaign
from messaging import delivery, dispatch, launching, leases, recovery, rows, second_chances
from messaging.audit import audit
from messaging.models import MessageBatch, OutboundMessage
from messaging.providers.base import Accepted, GiveUp, TryLater
from messaging.providers.memory import Memory
from tests import factories
from tests.messaging.driving import FREE, deliver_due, make_due, send_to_everybody, sending_campaign, stats, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox")]


def let_expire(campaign: Campaign, seconds: float = 1) -> None:
    """Let the time pass until it is too late."""
    Campaign.objects.filter(pk=campaign.pk).update(expires_at=timezone.now() - timedelta(seconds=seconds))
    campaign.refresh_from_db()


def waiting(count: int = 2) -> Campaign:
    campaign: Campaign = factories.CampaignFactory.create()
    campaign.revise(scheduled_at=timezone.now() + timedelta(hours=1))
    dispatch.send(campaign, listed([customer.pk for customer in factories.customers(count)]), by=None)
    return campaign


def test_what_was_never_tried_is_skipped_and_what_was_tried_is_failed(outbox: Memory) -> None:
    campaign = sending_campaign(3)
    first = OutboundMessage.objects.order_by("id")[0]
    outbox.answer = lambda _envelope: TryLater("busy")
    lease = leases.take()
    assert lease is not None
    rows = delivery._mark(lease, after=0, limit=1)
    delivery._deliver_slice(lease, rows, FREE, begun=10**12)
    leases.release(lease)
    let_expire(campaign)

    assert recovery.sweep().expired == 3

    assert statuses(campaign) == ["failed", "skipped", "skipped"]
    assert set(OutboundMessage.objects.values_list("reason", "due_at")) == {("expired", None)}
    first.refresh_from_db()
    assert first.last_error == "busy"
    assert not MessageBatch.objects.exists()
    assert audit(campaign)["consistent"]


def test_the_campaign_ends_in_the_same_sweep(outbox: Memory) -> None:
    campaign = sending_campaign(2)
    let_expire(campaign)

    assert recovery.sweep().completed == 1

    campaign.refresh_from_db()
    assert campaign.status == "failed"
    assert recovery.sweep() == recovery.Found()
    assert outbox.outbox == []


def test_one_that_reached_somebody_ends_sent(outbox: Memory) -> None:
    campaign = sending_campaign(2)
    lucky = str(OutboundMessage.objects.order_by("id")[0].pk)
    accept = outbox.answer
    outbox.answer = lambda envelope: accept(envelope) if envelope.reference == lucky else TryLater("busy")
    deliver_due()
    let_expire(campaign)

    recovery.sweep()

    campaign.refresh_from_db()
    assert (campaign.status, stats(campaign)) == ("sent", {"sent": 1, "failed": 1})


def test_before_its_time_nothing_expires() -> None:
    campaign = sending_campaign(2)
    campaign.revise(expires_at=timezone.now() + timedelta(hours=1))
    sending_campaign(1)

    assert recovery.sweep().expired == 0
    assert stats(campaign) == {"pending": 2}


def test_a_paused_campaign_expires_and_ends_instead_of_waiting_for_ever() -> None:
    campaign = sending_campaign(2)
    campaign.pause()
    let_expire(campaign)

    assert recovery.sweep().expired == 2

    campaign.refresh_from_db()
    assert (campaign.status, campaign.reason, stats(campaign)) == ("failed", "expired", {"skipped": 2})
    assert campaign.ended_at is not None


def test_a_scheduled_campaign_that_expires_before_it_starts_ends_with_everybody_skipped(outbox: Memory) -> None:
    campaign = waiting()
    let_expire(campaign)

    assert recovery.sweep().expired == 2

    campaign.refresh_from_db()
    assert (campaign.status, campaign.reason, stats(campaign)) == ("failed", "expired", {"skipped": 2})
    assert outbox.outbox == []


def test_one_whose_start_and_end_both_passed_while_nobody_was_there_ends_too(outbox: Memory) -> None:
    campaign = waiting()
    past = timezone.now() - timedelta(minutes=5)
    Campaign.objects.filter(pk=campaign.pk).update(scheduled_at=past, expires_at=past + timedelta(minutes=1))

    found = recovery.sweep()

    assert (found.started, found.expired, found.completed) == (1, 2, 1)
    campaign.refresh_from_db()
    assert (campaign.status, stats(campaign)) == ("failed", {"skipped": 2})
    assert outbox.outbox == []


def test_everybody_whose_rows_were_never_written_expires_without_them() -> None:
    factories.customers(2)
    campaign = factories.CampaignFactory.create()
    campaign.revise(scheduled_at=timezone.now() + timedelta(hours=1))
    dispatch.send(campaign, Everybody(), by=None)
    campaign.pause()
    let_expire(campaign)

    recovery.sweep()

    campaign.refresh_from_db()
    assert (campaign.status, campaign.reason, stats(campaign)) == ("failed", "expired", {})


def test_one_without_an_audience_is_left_to_its_owner() -> None:
    campaign = factories.CampaignFactory.create()
    campaign.revise(scheduled_at=timezone.now() + timedelta(hours=1))
    campaign.pause()
    let_expire(campaign)

    assert recovery.sweep() == recovery.Found()
    campaign.refresh_from_db()
    assert campaign.status == "paused"


def test_a_launch_that_is_overtaken_writes_its_rows_and_they_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PAGE", 2)
    factories.customers(5)
    campaign = factories.CampaignFactory.create()
    dispatch.send(campaign, Everybody(), by=None)
    launching.launch_step(campaign.pk)
    let_expire(campaign)

    assert recovery.sweep().expired == 2
    campaign.refresh_from_db()
    assert campaign.status == "sending"
    while launching.launch_step(campaign.pk):
        pass
    recovery.sweep()

    campaign.refresh_from_db()
    assert (campaign.status, stats(campaign)) == ("failed", {"skipped": 5})


def test_a_batch_in_a_workers_hands_is_left_to_it(outbox: Memory) -> None:
    campaign = sending_campaign(2)
    lease = leases.take()
    assert lease is not None
    let_expire(campaign)

    assert recovery.expire() == 0

    leases.release(lease)
    assert recovery.expire() == 2


def test_it_goes_on_where_its_seconds_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "BATCH", 2)
    campaign = sending_campaign(5)
    let_expire(campaign)
    monkeypatch.setattr(recovery, "CLEAR_SECONDS", 0.0)
    assert recovery.expire() == 0
    monkeypatch.setattr(recovery, "CLEAR_SECONDS", 5.0)

    assert recovery.expire() == 5
    assert recovery.expire() == 0


def test_more_time_saves_what_has_not_expired_yet(outbox: Memory) -> None:
    campaign = sending_campaign(2)
    campaign.revise(expires_at=timezone.now() + timedelta(seconds=1))
    campaign.revise(expires_at=timezone.now() + timedelta(hours=1))
    recovery.sweep()
    deliver_due()

    assert stats(campaign) == {"sent": 2}


def test_an_expired_draft_is_not_sent() -> None:
    campaign = factories.CampaignFactory.create()
    let_expire(campaign)

    with pytest.raises(InvalidAudience) as refused:
        dispatch.send(campaign, listed([factories.CustomerFactory.create().pk]), by=None)

    assert (refused.value.code, refused.value.field) == ("expired", "expires_at")
    campaign.refresh_from_db()
    assert (campaign.status, campaign.audience) == ("draft", None)


def test_what_has_expired_is_retried_only_with_a_later_expiry(outbox: Memory) -> None:
    outbox.answer = lambda _envelope: GiveUp("no such number")
    campaign = sending_campaign(2)
    deliver_due()
    outbox.clear()
    let_expire(campaign)

    with pytest.raises(InvalidAudience) as refused:
        second_chances.retry(campaign, by=None)

    assert (refused.value.code, refused.value.field) == ("expired", "expires_at")
    campaign.refresh_from_db()
    assert campaign.status == "failed"
    campaign.revise(expires_at=timezone.now() + timedelta(hours=1))
    assert second_chances.retry(campaign, by=None).messages_queued == 2
    outbox.answer = lambda _envelope: Accepted()
    deliver_due()
    assert len(outbox.outbox) == 2


def test_everybody_sent_in_time_has_nothing_that_expires(outbox: Memory) -> None:
    factories.customers(3)
    campaign = send_to_everybody(factories.CampaignFactory.create(expires_at=timezone.now() + timedelta(hours=1)))
    deliver_due()
    let_expire(campaign)

    assert recovery.sweep() == recovery.Found()
    make_due()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.reason, stats(campaign)) == ("sent", "", {"sent": 3})


def test_the_looking_costs_little_beside_many_batches(django_assert_max_num_queries: Any) -> None:
    for _ in range(3):
        sending_campaign(1, expires_at=timezone.now() + timedelta(hours=1))
    with django_assert_max_num_queries(3):
        assert recovery.expire() == 0
