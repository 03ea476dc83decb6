"""A provider that is away for a while, or for longer than anybody waits."""

import pytest
from django.db.models import Max, Min

from campaigns.audience import listed
from campaigns.models import Campaign
from campaigns.models import Status as CampaignStatus
from messaging import dispatch
from messaging.alerts import Code
from messaging.models import Alert, OutboundMessage
from messaging.reasons import Reason
from tests import factories
from tests.faults.stack import Stack, customers, settled

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
    dispatch.send(campaign, listed(customers(250)), by=None)
    stack.worker()
    stack.beat()
    stack.until(lambda: tries(campaign)[0] >= 1 and tries(campaign)[1] >= 2, "each was refused, some twice")
    assert stack.accepted() == []
    away.unlink()

    stack.until_ended(campaign)
    assert settled(stack, campaign) == {"total": 250, "sent": 250}
    assert tries(campaign) >= (1, 2)
    assert set(OutboundMessage.objects.filter(campaign=campaign).values_list("last_error", flat=True)) == {error}
    assert not Alert.objects.exists()


def test_after_a_provider_was_away_for_longer_all_is_failed_and_somebody_is_told_once(stack: Stack) -> None:
    stack.environment |= {"MESSAGE_RETRY_LIMIT": "3", "MESSAGE_RETRY_BASE_SECONDS": "0.1"}
    stack.command("busy")
    campaign = factories.CampaignFactory.create()
    dispatch.send(campaign, listed(customers(250)), by=None)
    worker = stack.worker(threads=4)
    stack.beat()
    stack.until_ended(campaign, CampaignStatus.FAILED)
    assert settled(stack, campaign) == {"total": 250, "failed": 250}
    assert tries(campaign) == (3, 3)
    assert set(OutboundMessage.objects.filter(campaign=campaign).values_list("reason", flat=True)) == {
        Reason.RETRIES_EXHAUSTED
    }
    assert list(Alert.objects.values_list("campaign", "code")) == [(campaign.pk, Code.RETRIES_EXHAUSTED)]
    worker.terminate()
    assert [line for line in stack.errors() if '"event": "alert"' not in line] == []
    assert len(stack.errors()) == 1
