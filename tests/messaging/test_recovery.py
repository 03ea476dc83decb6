"""What the sweep finds, and that finding it twice does no harm."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db.models.functions import Now
from django.utils import timezone

from campaigns.audience import Everybody, listed
from campaigns.models import Campaign
from config.celery import app
from messaging import alerts, bells, delivery, dispatch, launching, leases, recovery, rows, tasks
from messaging.models import Launch, MessageBatch
from messaging.providers.base import TryLater
from messaging.providers.memory import Memory
from tests import factories
from tests.messaging.driving import FREE, deliver_due, expire_leases, make_due, sending_campaign, stats, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox")]


@pytest.fixture(autouse=True)
def silence() -> None:
    """No bell of an earlier test waits."""
    with app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        channel.client.delete("deliver", "launch", "sweep")


def bells_in(queue: str) -> list[str]:
    """The names of the tasks that wait there."""
    with app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        waiting = channel.client.lrange(channel.global_keyprefix + queue, 0, -1)  # kombu does not prefix this command
    return [json.loads(item)["headers"]["task"] for item in waiting]


def test_a_sweep_of_nothing_finds_nothing() -> None:
    assert recovery.sweep() == recovery.Found()


def test_due_work_that_no_bell_announced_is_rung_for() -> None:
    sending_campaign(1)

    assert recovery.sweep().due == 1

    assert bells_in("deliver") == ["messaging.deliver"]


def test_bells_do_not_pile_up() -> None:
    sending_campaign(1)
    for _ in range(3 * bells.MOST_WAITING):
        recovery.sweep()

    assert len(bells_in("deliver")) == bells.MOST_WAITING


def test_a_paused_campaign_is_not_rung_for() -> None:
    sending_campaign(1).pause()

    assert recovery.sweep().due == 0
    assert bells_in("deliver") == []


def test_a_launch_whose_worker_died_is_rung_for() -> None:
    factories.customers(1)
    dispatch.send(factories.CampaignFactory.create(), Everybody(), by=None)
    assert recovery.sweep().launching == 0  # a worker may be at it

    Launch.objects.update(written_at=Now() - recovery.IDLE)

    assert recovery.sweep().launching == 1
    assert bells_in("launch") == ["messaging.launch"]


def test_a_due_campaign_whose_bell_was_lost_is_started() -> None:
    campaign = factories.CampaignFactory.create()
    campaign.revise(scheduled_at=timezone.now() + timedelta(hours=1))
    dispatch.send(campaign, listed([factories.CustomerFactory.create().pk]), by=None)
    Campaign.objects.filter(pk=campaign.pk).update(scheduled_at=timezone.now() - timedelta(seconds=1))

    assert recovery.sweep().started == 1
    assert recovery.sweep().started == 0


def test_a_campaign_that_comes_near_is_rung_for_at_its_second() -> None:
    campaign = factories.CampaignFactory.create()
    campaign.revise(scheduled_at=timezone.now() + timedelta(seconds=1.5 * django_settings.SWEEP_SECONDS))

    recovery.sweep()

    assert bells_in("sweep") == ["messaging.start"]


def test_a_far_off_campaign_is_not_left_to_the_broker(django_capture_on_commit_callbacks: type) -> None:
    campaign = factories.CampaignFactory.create()
    campaign.revise(scheduled_at=timezone.now() + timedelta(days=1))
    customer = factories.CustomerFactory.create()

    with django_capture_on_commit_callbacks(execute=True):
        dispatch.send(campaign, listed([customer.pk]), by=None)

    assert bells_in("sweep") == []


def test_a_near_campaign_is_rung_for_when_it_is_given_its_audience(django_capture_on_commit_callbacks: type) -> None:
    campaign = factories.CampaignFactory.create()
    campaign.revise(scheduled_at=timezone.now() + timedelta(minutes=1))
    customer = factories.CustomerFactory.create()

    with django_capture_on_commit_callbacks(execute=True):
        dispatch.send(campaign, listed([customer.pk]), by=None)

    assert bells_in("sweep") == ["messaging.start"]


def test_a_lost_broker_does_not_fail_the_send(
    django_capture_on_commit_callbacks: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "redis+socket:///nowhere/redis.sock")
    customer = factories.CustomerFactory.create()

    with django_capture_on_commit_callbacks(execute=True):
        queued = dispatch.send(factories.CampaignFactory.create(), listed([customer.pk]), by=None)

    assert queued.messages_queued == 1


def test_pending_messages_of_a_cancelled_campaign_are_cancelled_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "BATCH", 2)
    campaign = sending_campaign(5)
    campaign.cancel()

    assert recovery.sweep().cancelled == 5
    assert recovery.sweep().cancelled == 0

    assert stats(campaign) == {"cancelled": 5}
    assert not MessageBatch.objects.exists()


def test_what_is_on_the_wire_when_a_campaign_is_cancelled_still_gets_its_outcome(outbox: Memory) -> None:
    campaign = sending_campaign(3)
    lease = leases.take()
    assert lease is not None
    rows = delivery._mark(lease, after=0, limit=1)
    campaign.cancel()
    recovery.sweep()

    delivery._deliver_slice(lease, rows, FREE, begun=10**12)
    leases.release(lease)
    recovery.sweep()

    assert statuses(campaign) == ["sent", "cancelled", "cancelled"]
    campaign.refresh_from_db()
    assert campaign.status == "cancelled"
    assert not MessageBatch.objects.exists()


def test_a_message_that_never_left_is_cancelled_with_its_campaign(outbox: Memory) -> None:
    outbox.answer = lambda _envelope: TryLater("busy")
    campaign = sending_campaign(1)
    deliver_due()
    campaign.cancel()

    recovery.sweep()

    assert statuses(campaign) == ["cancelled"]
    assert not MessageBatch.objects.exists()


def test_a_campaign_that_should_have_ended_is_ended() -> None:
    campaign = sending_campaign(1)
    lease = leases.take()
    assert lease is not None
    delivery.deliver(lease)

    assert recovery.sweep().completed == 1
    assert recovery.sweep().completed == 0
    campaign.refresh_from_db()
    assert campaign.status == "sent"


def test_a_launching_campaign_does_not_end_before_its_last_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PAGE", 2)
    factories.customers(3)
    campaign = factories.CampaignFactory.create()
    dispatch.send(campaign, Everybody(), by=None)
    launching.launch_step(campaign.pk)
    deliver_due()

    campaign.refresh_from_db()
    assert campaign.status == "sending"

    launching.launch_step(campaign.pk)
    deliver_due()
    campaign.refresh_from_db()
    assert campaign.status == "sent"


def test_reclaiming_twice_reclaims_once() -> None:
    sending_campaign(2)
    lease = leases.take()
    assert lease is not None
    delivery._mark(lease, after=0, limit=1)
    expire_leases()

    assert list(recovery.reclaim()) == [1]
    assert list(recovery.reclaim()) == []


def test_the_deliver_task_goes_on_until_nothing_is_due(outbox: Memory) -> None:
    campaigns = [sending_campaign(2) for _ in range(3)]

    tasks.deliver.apply(kwargs={"unknown_to_this_version": 1}, throw=True)

    assert len(outbox.outbox) == 6
    for campaign in campaigns:
        campaign.refresh_from_db()
        assert campaign.status == "sent"


def test_the_deliver_task_rings_for_the_next_try(outbox: Memory) -> None:
    outbox.answer = lambda _envelope: TryLater("busy")
    sending_campaign(1)

    tasks.deliver.apply(throw=True)

    assert bells_in("deliver") == ["messaging.deliver"]


def test_the_sweep_task_runs_a_sweep(outbox: Memory) -> None:
    campaign = sending_campaign(1)
    campaign.cancel()

    tasks.sweep.apply(throw=True)

    assert stats(campaign) == {"cancelled": 1}


def test_a_retry_survives_the_loss_of_every_bell(outbox: Memory) -> None:
    outbox.answer = lambda _envelope: TryLater("busy")
    sending_campaign(1)
    deliver_due()
    make_due()

    assert recovery.sweep().due == 1


def test_a_campaign_whose_provider_is_no_longer_configured_pauses_and_says_so(outbox: Memory) -> None:
    campaign = sending_campaign(1)
    MessageBatch.objects.update(provider="gone")

    with pytest.raises(leases.NoProvider):
        tasks.deliver.apply(throw=True)

    campaign.refresh_from_db()
    assert (campaign.status, campaign.reason) == ("paused", "provider_stopped")
    assert alerts.tell_waiting() == 1
    assert stats(campaign) == {"pending": 1}


@pytest.mark.django_db(transaction=True)
def test_a_step_of_the_sweep_that_fails_keeps_no_other_from_being_done(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> int:
        raise RuntimeError("a bug")

    monkeypatch.setitem(recovery.STEPS, "started", fails)
    campaign = sending_campaign(2)
    campaign.cancel()

    assert recovery.sweep().cancelled == 2
    assert "sweep_step_failed" in caplog.text
