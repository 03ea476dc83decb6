"""A provider that is away for a while, or for longer than anybody waits."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Max, Min
from django.utils import timezone

from campaigns.audience import listed
from campaigns.models import Campaign
from campaigns.models import Status as CampaignStatus
from customers.models import Customer
from messaging import dispatch
from messaging.alerts import Code
from messaging.models import Alert, OutboundMessage, SenderState
from messaging.reasons import Reason
from tests import factories
from tests.faults.stack import ALIAS, Stack, customers, settled

pytestmark = pytest.mark.stack


def tries(campaign: Campaign) -> tuple[int, int]:
    """The least and the highest number of refusals among its messages."""
    found = OutboundMessage.objects.filter(campaign=campaign).aggregate(
        least=Min("retry_count"), most=Max("retry_count")
    )
    return found["least"], found["most"]


@pytest.mark.parametrize(("fault", "error"), [("down", "connection refused"), ("busy", "503 service unavailable")])
def test_after_a_provider_was_away_for_less_than_the_retries_last_all_is_delivered(
    stack: Stack, fault: str, error: str
) -> None:
    away = stack.command(fault)
    campaign = factories.CampaignFactory.create()
    dispatch.send(campaign, listed(customers(30)), by=None)
    stack.worker()
    stack.beat()
    stack.until(lambda: tries(campaign)[0] >= 1 and tries(campaign)[1] >= 2, "each was refused, some twice")
    assert stack.accepted() == []
    away.unlink()

    stack.until_ended(campaign)
    assert settled(stack, campaign) == {"total": 30, "sent": 30}
    assert tries(campaign) >= (1, 2)
    assert set(OutboundMessage.objects.filter(campaign=campaign).values_list("last_error", flat=True)) == {error}
    assert not Alert.objects.exists()


def test_after_a_provider_was_away_for_longer_all_is_failed_and_somebody_is_told_once(stack: Stack) -> None:
    stack.environment |= {"MESSAGE_RETRY_LIMIT": "3", "MESSAGE_RETRY_BASE_SECONDS": "0.1"}
    stack.command("busy")
    campaign = factories.CampaignFactory.create()
    dispatch.send(campaign, listed(customers(30)), by=None)
    worker = stack.worker(threads=4)
    stack.beat()
    stack.until_ended(campaign, CampaignStatus.FAILED)
    assert settled(stack, campaign) == {"total": 30, "failed": 30}
    assert tries(campaign) == (3, 3)
    assert set(OutboundMessage.objects.filter(campaign=campaign).values_list("reason", flat=True)) == {
        Reason.RETRIES_EXHAUSTED
    }
    assert list(Alert.objects.values_list("campaign", "code")) == [(campaign.pk, Code.RETRIES_EXHAUSTED)]
    stack.until(lambda: Alert.objects.filter(told=True).exists(), "somebody is told")
    worker.terminate()
    assert [line for line in stack.errors() if '"event": "alert"' not in line] == []
    assert len(stack.errors()) == 1


def test_a_provider_that_only_fails_is_left_alone_and_found_again_by_itself(stack: Stack) -> None:
    away = stack.command("down")
    campaign = factories.CampaignFactory.create()
    dispatch.send(campaign, listed(customers(600)), by=None)
    stack.worker(threads=8)
    stack.beat()
    stack.until(lambda: SenderState.objects.filter(pk=ALIAS, hold="breaker").exists(), "the breaker opens")
    assert tries(campaign)[0] == 0
    away.unlink()

    stack.until_ended(campaign, seconds=30)
    assert settled(stack, campaign) == {"total": 600, "sent": 600}
    assert list(Alert.objects.values_list("campaign", "code")) == [(campaign.pk, Code.PROVIDER_FAILING)]
    assert SenderState.objects.get(pk=ALIAS).hold == ""


def other_provider(stack: Stack, settings: Any) -> Campaign:
    """A campaign to 300 by a provider beside the commanded one."""
    entry = {
        "BACKEND": "messaging.providers.simulator.Simulator",
        "OPTIONS": {"latency_seconds": 0.05, "in_flight": 20},
    }
    stack.other_providers["other"] = entry
    settings.MESSAGE_PROVIDERS = settings.MESSAGE_PROVIDERS | {"other": entry}
    settings.MESSAGE_ROUTES = {"sms": "other", "whatsapp": "other"}
    campaign = factories.CampaignFactory.create()
    found = Customer.objects.order_by("id").values_list("pk", flat=True)[:300]
    dispatch.send(campaign, listed(list(found)), by=None)
    return campaign


def test_a_provider_that_hangs_holds_up_neither_another_nor_the_sweep(stack: Stack, settings: Any) -> None:
    stack.command("hold")
    slow = factories.CampaignFactory.create()
    dispatch.send(slow, listed(customers(600)), by=None)
    quick = other_provider(stack, settings)
    soon = factories.CampaignFactory.create()
    soon.revise(scheduled_at=timezone.now() + timedelta(seconds=4))
    dispatch.send(soon, listed([Customer.objects.order_by("id")[0].pk]), by=None)

    stack.worker(threads=8)
    stack.beat()
    stack.until((stack.commands / "held").exists, "the slow one hangs")
    stack.until_ended(quick)
    stack.until_ended(soon)

    assert soon.started_at is not None
    assert soon.scheduled_at is not None
    assert (soon.started_at - soon.scheduled_at).total_seconds() < 2
    slow.refresh_from_db()
    assert slow.progress.sent == 0
    (stack.commands / "hold").unlink()
    stack.until_ended(slow)
