"""Runs in the test's own process what a worker would run, step by step."""

from typing import Any

from django.db import connection

from campaigns.audience import Everybody, listed
from campaigns.models import Campaign, CampaignProgress
from messaging import delivery, dispatch, launching, leases, recovery
from messaging.models import OutboundMessage
from messaging.throttle import Grant
from tests import factories

# The leave of an account without a limit, given now.
FREE = Grant(None, float("inf"), 0.0)


def sending_campaign(count: int = 3, **fields: Any) -> Campaign:
    """A campaign that was sent to this many new customers, none delivered yet."""
    campaign = factories.CampaignFactory.create(**fields)
    dispatch.send(campaign, listed([customer.pk for customer in factories.customers(count)]), by=None)
    return campaign


def send_to_everybody(campaign: Campaign) -> Campaign:
    """Send it to everybody and write all its rows."""
    dispatch.send(campaign, Everybody(), by=None)
    while launching.launch_step(campaign.pk):
        pass
    campaign.refresh_from_db()
    return campaign


def deliver_due() -> None:
    """Deliver all that is due now, and end what is done."""
    while lease := leases.take():
        delivery.deliver(lease)
    recovery.complete_campaigns()


def make_due() -> None:
    """Let the time pass that waiting messages wait for."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE outbound_messages SET due_at = NULL WHERE status = 'pending'")
        cursor.execute("UPDATE message_batches SET due_at = statement_timestamp()")


def expire_leases() -> None:
    """Let the time pass that workers may be silent for."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE message_batches SET leased_until = statement_timestamp() - interval '1 s' WHERE lease IS NOT NULL"
        )


def stats(campaign: Campaign) -> dict[str, int]:
    """The counts of the campaign that are not zero, without the total."""
    counts = CampaignProgress.objects.get(pk=campaign.pk).stats
    return {name: count for name, count in counts.items() if count and name != "total"}


def statuses(campaign: Campaign) -> list[str]:
    """The statuses of its messages in the order of their ids."""
    return list(OutboundMessage.objects.filter(campaign=campaign).order_by("id").values_list("status", flat=True))
