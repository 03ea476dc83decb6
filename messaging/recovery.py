"""Finds what no bell announced and what a dead worker left: every step is cheap, and harmless when run twice.

Run by the sweep every second or two, and by nothing else; the state of the rows is all that it goes by.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from campaigns.models import Campaign
from campaigns.models import Status as CampaignStatus
from messaging import bells, dispatch, hooks, leases, look_ups, unmatched
from messaging.models import Launch, MessageBatch
from messaging.reasons import Reason

log = structlog.get_logger(__name__)

MOST_CAMPAIGNS = 100
CLEAR_SECONDS = 5.0
# A page of a launch takes a sixth of a second.
IDLE = timedelta(seconds=2)
WAITING = (CampaignStatus.SCHEDULED.value, CampaignStatus.SENDING.value, CampaignStatus.PAUSED.value)
OVER = (CampaignStatus.CANCELLED.value, CampaignStatus.SENT.value, CampaignStatus.FAILED.value)


@dataclass(frozen=True, slots=True)
class Found:
    """What a sweep found and did something about."""

    started: int = 0
    reclaimed: int = 0
    cancelled: int = 0
    expired: int = 0
    completed: int = 0
    launching: int = 0
    due: int = 0
    matched: int = 0
    hooks: int = 0


def sweep() -> Found:
    """Do or ring for all that is due and that nobody is at; what was found.

    A step that fails is logged and keeps none of the others from being done; when the database is away the sweep ends.
    """
    found = Found()
    try:
        for name, step in STEPS.items():
            found = replace(found, **{name: _try(name, step)})
    except (OperationalError, InterfaceError) as fault:
        log.warning("sweep_broken_off", fault=type(fault).__name__, done_by="the next one")
        connection.close_if_unusable_or_obsolete()
    if found.reclaimed or found.cancelled or found.expired:
        log.info("sweep", reclaimed=found.reclaimed, cancelled=found.cancelled, expired=found.expired)
    return found


def _try(name: str, step: Callable[[], int]) -> int:
    try:
        return step()
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("sweep_step_failed", step=name)
        connection.close_if_unusable_or_obsolete()
        return 0


def reclaim() -> Iterator[int]:
    """Take back the batches whose lease has run out, and tell the messages that were on the wire `unknown`.

    Yields how many became unknown, batch by batch, each in a transaction of its own. Whoever held the lease can no
    longer mark anything, and calls no provider with less than the call's time-out left on it.
    """
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, campaign_id, provider, lease, worker, first_id, last_id,"
                " extract(epoch FROM statement_timestamp() - leased_until)::float8 FROM message_batches"
                " WHERE leased_until < statement_timestamp() ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
            )
            row = cursor.fetchone()
            if row is None:
                return
            batch_id, campaign_id, provider, lease, worker, first_id, last_id, lost_for = row
            # Nobody can tell any more what it took so long ago; a receipt may, or its owner.
            wait = look_ups.first_wait(provider) if lost_for < look_ups.FORGOTTEN_SECONDS else None
            cursor.execute(
                "UPDATE outbound_messages"
                " SET status = 'unknown', reason = %s, last_error = %s, updated_at = statement_timestamp(),"
                " due_at = statement_timestamp() + make_interval(secs => %s)"
                " WHERE campaign_id = %s AND id BETWEEN %s AND %s AND status = 'sending' RETURNING id",
                [
                    Reason.WORKER_LOST, f"worker {worker} was lost", wait, campaign_id, first_id, last_id,
                ],
            )  # fmt: skip
            unknown = sorted(message_id for (message_id,) in cursor.fetchall())
            leases.narrow(cursor, batch_id)
        log.warning(
            "worker_lost", worker=worker, batch=batch_id, campaign=campaign_id, lease=str(lease), unknown=unknown
        )
        yield len(unknown)


def clear_ended() -> int:
    """Take away the batches of campaigns that are over, and cancel what is pending in them; how many messages."""
    Launch.objects.filter(campaign__status__in=OVER).delete()
    return _clear(
        "campaigns.status = ANY(%(statuses)s)",
        "status = 'cancelled', reason = %(reason)s",
        {"statuses": list(OVER), "reason": Reason.CAMPAIGN_CANCELLED},
    )


def expire() -> int:
    """Take away the batches of campaigns that have expired, and end what is pending in them; how many messages.

    Never tried: `skipped`; tried: `failed`. Their campaigns then end, also those that are paused or still to begin.
    """
    return _clear(
        "campaigns.status = ANY(%(statuses)s) AND campaigns.expires_at <= statement_timestamp()",
        "status = CASE WHEN retry_count = 0 THEN 'skipped' ELSE 'failed' END, reason = %(reason)s",
        {"statuses": list(WAITING), "reason": Reason.EXPIRED},
    )


def _clear(which: str, changes: str, parameters: dict[str, Any]) -> int:
    """Batch after batch, each in a transaction of its own, for a few seconds at most; sweeps at once share the work.

    By range, because a search for pending rows would walk past all those ended before (measured: 60 s for 900,000).
    """
    ends, count = time.monotonic() + CLEAR_SECONDS, 0
    while time.monotonic() < ends:
        cleared = _clear_batch(which, changes, parameters)
        if cleared is None:
            break
        count += cleared
    return count


def _clear_batch(which: str, changes: str, parameters: dict[str, Any]) -> int | None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT batch.id, batch.campaign_id, batch.first_id, batch.last_id FROM message_batches AS batch"  # noqa: S608
            f" JOIN campaigns ON campaigns.id = batch.campaign_id WHERE {which} AND batch.lease IS NULL"
            " ORDER BY batch.id LIMIT 1 FOR UPDATE OF batch SKIP LOCKED",
            parameters,
        )
        row = cursor.fetchone()
        if row is None:
            return None
        batch_id, campaign_id, first_id, last_id = row
        cursor.execute(
            f"UPDATE outbound_messages SET {changes}, due_at = NULL, updated_at = statement_timestamp()"  # noqa: S608
            " WHERE campaign_id = %(campaign)s AND id BETWEEN %(first)s AND %(last)s AND status = 'pending'",
            parameters | {"campaign": campaign_id, "first": first_id, "last": last_id},
        )
        count = int(cursor.rowcount)
        cursor.execute("DELETE FROM message_batches WHERE id = %s", [batch_id])
    return count


def complete_campaigns() -> int:
    """End the campaigns in which nothing is pending or sending any more; how many."""
    return sum(complete(campaign) for campaign in Campaign.objects.done()[:MOST_CAMPAIGNS])


def complete(campaign: Campaign) -> bool:
    """End this campaign if it is done; whether it was."""
    done = campaign.complete()
    if done:
        log.info("campaign_ended", campaign=campaign.pk, status=campaign.status, **campaign.progress.stats)
    return done


def _ring_launches() -> int:
    """Ring for launches at which nobody has been for a moment: a second worker would read in vain what the first one
    writes.
    """
    idle = Launch.objects.filter(campaign__launching=True, written_at__lt=Now() - IDLE)
    launching = list(idle.order_by("written_at", "campaign").values_list("campaign", flat=True)[:MOST_CAMPAIGNS])
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


def _ring_all() -> int:
    due = _ring_due()
    _ring_near()
    return due


def _ring_hooks() -> int:
    waiting = hooks.waiting(1).events
    if waiting:
        bells.ring_hooks()
    return waiting


# In this order: what was freed, cancelled or begun is rung for in the same sweep.
STEPS: dict[str, Callable[[], int]] = {
    "started": lambda: len(dispatch.start_due()),
    "reclaimed": lambda: sum(1 for _ in reclaim()),
    "cancelled": clear_ended,
    "expired": expire,
    "completed": complete_campaigns,
    "launching": _ring_launches,
    "due": _ring_all,
    "matched": unmatched.try_again,
    "hooks": _ring_hooks,
}
