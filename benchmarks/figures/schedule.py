"""How late the messages of scheduled campaigns leave, with the bell, and when the bell was lost."""

import random
from collections.abc import Generator
from contextlib import nullcontext
from datetime import UTC, datetime
from unittest.mock import patch

from django.conf import settings
from django.db import connection

from benchmarks import stage
from benchmarks.processes import worker
from benchmarks.providers import Instant
from benchmarks.ratios import Figure, Round, Run
from campaigns.audience import listed
from campaigns.models import Campaign
from customers.models import Channel, Customer
from messaging import bells, dispatch

COUNT = 40
FIRST_SECONDS, LAST_SECONDS = 2.0, 6.0
FIGURES = [
    Figure(
        "late_start", "the latest of 40 scheduled messages, written down as sent", "a second", "s",
        at_most=1.0, digits=3,
    ),
    Figure(
        "late_without_bell", "the same when every bell was lost", "a second more than the sweep's period", "s",
        at_most=1.0, digits=3,
    ),
]  # fmt: skip


def measure(_rows: int) -> Generator[Round, None, None]:
    """Campaigns of one message, scheduled for random times within some seconds."""
    stage.route("instant")
    with worker("instant", Instant) as running:
        running.until_ready()
        while True:
            yield {
                "late_start": Run(_latest(), 1.0, COUNT),
                "late_without_bell": Run(_latest(loses_bells=True), 1.0 + settings.SWEEP_SECONDS, COUNT),
            }


def _latest(*, loses_bells: bool = False) -> float:
    stage.clear()
    customer = Customer.objects.earliest("pk")
    begun = stage.now()
    with patch.object(bells, "ring_start") if loses_bells else nullcontext():
        for _ in range(COUNT):
            at = datetime.fromtimestamp(begun + random.uniform(FIRST_SECONDS, LAST_SECONDS), UTC)
            campaign = Campaign.objects.create(
                name="scheduled", channel=Channel.SMS, base_template="Now", status="scheduled", scheduled_at=at
            )
            dispatch.send(campaign, listed([customer.pk]), by=None)
    stage.until(lambda: not _waiting(), "all scheduled messages are sent")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(extract(epoch FROM message.sent_at - campaign.scheduled_at))::float8"
            " FROM outbound_messages AS message JOIN campaigns AS campaign ON campaign.id = message.campaign_id"
        )
        return float(cursor.fetchone()[0])


def _waiting() -> bool:
    return Campaign.objects.filter(ended_at=None).exists()
