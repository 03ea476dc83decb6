"""Finds what no bell announced and what a dead worker left: every step is cheap, and harmless when run twice.

Run by the sweep every second or two, and by nothing else; the state of the rows is all that it goes by.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from campaigns.models import Campaign
from campaigns.models import Status as CampaignStatus
from messaging import bells, delivery, dispatch
from messaging.models import MessageBatch
from messaging.reasons import Reason

log = structlog.get_logger(__name__)

SLICE = 5_000
MOST_CAMPAIGNS = 100


@dataclass(frozen=True, slots=True)
class Found:
    """What a sweep found and did something about."""

    started: int = 0
    launching: int = 0
    reclaimed: int = 0
    cancelled: int = 0
    completed: int = 0
    due: int = 0


def sweep() -> Found:
    """Do or ring for all that is due and that nobody is at; what was found."""
    found = Found(
        started=len(dispatch.start_due()),
        reclaimed=sum(1 for _ in reclaim()),
        cancelled=cancel_messages(),
        completed=complete_campaigns(),
        launching=_ring_launches(),
        due=_ring_due(),
    )
    _ring_near()
    if found.reclaimed or found.cancelled:
        log.info("sweep", reclaimed=found.reclaimed, cancelled=found.cancelled)
    return found


def reclaim() -> Iterator[int]:
    """Take back the batches whose lease has run out, and tell the messages that were on the wire `unknown`.

    Yields how many became unknown, batch by batch, each in a transaction of its own. Whoever held the lease can no
    longer mark anything, and calls no provider with less than the call's time-out left on it.
    """
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, campaign_id, lease, first_id, last_id FROM message_batches"
                " WHERE leased_until < statement_timestamp() ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
            )
            row = cursor.fetchone()
            if row is None:
                return
            batch_id, campaign_id, lease, first_id, last_id = row
            cursor.execute(
                "UPDATE outbound_messages"
                " SET status = 'unknown', reason = %s, last_error = %s, updated_at = statement_timestamp()"
                " WHERE campaign_id = %s AND id BETWEEN %s AND %s AND status = 'sending'",
                [Reason.WORKER_LOST, f"lease {lease} ran out", campaign_id, first_id, last_id],
            )
            unknown = cursor.rowcount
            delivery.narrow(cursor, batch_id)
        log.warning("lease_ran_out", batch=batch_id, campaign=campaign_id, lease=str(lease), unknown=unknown)
        yield unknown


def cancel_messages() -> int:
    """Mark what is pending in cancelled campaigns, in slices; how many messages."""
    waiting = Campaign.objects.filter(status=CampaignStatus.CANCELLED, progress__pending__gt=0)
    return sum(_cancel(campaign.pk) for campaign in waiting.order_by("id")[:MOST_CAMPAIGNS])


def _cancel(campaign_id: int) -> int:
    count = 0
    while moved := _cancel_slice(campaign_id):
        count += moved
    MessageBatch.objects.filter(campaign=campaign_id, lease=None).delete()
    return count


def _cancel_slice(campaign_id: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outbound_messages"
            " SET status = 'cancelled', reason = %s, due_at = NULL, updated_at = statement_timestamp()"
            " WHERE id IN (SELECT id FROM outbound_messages WHERE status = 'pending' AND campaign_id = %s"
            " ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)",
            [Reason.CAMPAIGN_CANCELLED, campaign_id, SLICE],
        )
        return int(cursor.rowcount)


def complete_campaigns() -> int:
    """End the campaigns in which nothing is pending or sending any more; how many."""
    done = Campaign.objects.filter(
        status=CampaignStatus.SENDING,
        launching=False,
        started_at__isnull=False,
        progress__pending=0,
        progress__sending=0,
    )
    return sum(complete(campaign) for campaign in done.order_by("id")[:MOST_CAMPAIGNS])


def complete(campaign: Campaign) -> bool:
    """End this campaign if it is done; whether it was."""
    done = campaign.complete()
    if done:
        log.info("campaign_ended", campaign=campaign.pk, status=campaign.status, **campaign.progress.stats)
    return done


def _ring_launches() -> int:
    launching = Campaign.objects.filter(launching=True).order_by("id").values_list("pk", flat=True)[:MOST_CAMPAIGNS]
    for campaign_id in launching:
        bells.ring_launch(campaign_id)
    return len(launching)


def _ring_due() -> int:
    running = Campaign.objects.filter(pk=OuterRef("campaign"), status=CampaignStatus.SENDING)
    due = MessageBatch.objects.filter(Exists(running), lease=None, due_at__lte=Now())[: bells.MOST_WAITING].count()
    bells.ring_delivery(due)
    return due


def _ring_near() -> None:
    """Ring at the right second for what the sweep after the next would start a little late."""
    period = timedelta(seconds=settings.SWEEP_SECONDS)
    near = Campaign.objects.filter(
        status=CampaignStatus.SCHEDULED, scheduled_at__gt=Now() + period, scheduled_at__lte=Now() + 2 * period
    )
    for at in near.values_list("scheduled_at", flat=True).distinct()[:MOST_CAMPAIGNS]:
        bells.ring_start(cast(datetime, at))
