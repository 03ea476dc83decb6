"""Rather not at all than too late: what has expired is not handed over."""

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns.models import Campaign
from campaigns.models import Status as CampaignStatus
from messaging.models import OutboundMessage
from messaging.providers.base import TryLater
from messaging.providers.memory import Memory
from tests.messaging.driving import deliver_due, make_due, sending_campaign, stats

pytestmark = pytest.mark.django_db

PAST, FUTURE = timedelta(seconds=-1), timedelta(hours=1)


def expire(campaign: Campaign, after: timedelta = PAST) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(expires_at=timezone.now() + after)


def reasons(campaign: Campaign) -> set[str | None]:
    return set(OutboundMessage.objects.filter(campaign=campaign).values_list("reason", flat=True))


def test_a_message_that_was_never_tried_is_skipped_when_its_campaign_has_expired(outbox: Memory) -> None:
    campaign = sending_campaign(3)
    expire(campaign)

    deliver_due()

    assert outbox.outbox == []
    assert stats(campaign) == {"skipped": 3}
    assert reasons(campaign) == {"expired"}
    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.FAILED


def test_a_message_that_was_tried_is_failed_when_it_has_expired(outbox: Memory) -> None:
    campaign = sending_campaign(2)
    outbox.answer = lambda _envelope: TryLater("busy")
    deliver_due()
    expire(campaign)
    make_due()

    deliver_due()

    assert stats(campaign) == {"failed": 2}
    assert reasons(campaign) == {"expired"}
    assert set(OutboundMessage.objects.values_list("last_error", flat=True)) == {"busy"}
    assert len(outbox.outbox) == 2


def test_a_message_may_expire_before_its_campaign_and_never_after_it(outbox: Memory) -> None:
    campaign = sending_campaign(3)
    expire(campaign, FUTURE)
    first, second, _third = OutboundMessage.objects.filter(campaign=campaign).order_by("id")
    OutboundMessage.objects.filter(pk=first.pk).update(expires_at=timezone.now() + PAST)
    OutboundMessage.objects.filter(pk=second.pk).update(expires_at=timezone.now() + 2 * FUTURE)

    deliver_due()

    assert stats(campaign) == {"skipped": 1, "sent": 2}


def test_a_campaign_whose_expiry_is_still_to_come_is_sent(outbox: Memory) -> None:
    campaign = sending_campaign(2)
    expire(campaign, FUTURE)
    deliver_due()
    assert stats(campaign) == {"sent": 2}
    assert len(outbox.outbox) == 2
