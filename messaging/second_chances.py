"""The owner's second chances: messages that failed are tried again, and those nobody knows about are resent or left.

Same rows, same text, counts that go on. Nothing here is done unasked, because a resent unknown may be a second message
on one phone.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import structlog
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Count
from django.utils.translation import gettext_lazy

from campaigns.audience import InvalidAudience
from campaigns.models import ENDED, Campaign, IllegalTransition
from messaging import bells, dispatch, routing, rows
from messaging.models import MessageBatch, OutboundMessage, Status
from messaging.reasons import Reason

log = structlog.get_logger(__name__)

RETRIED, SETTLED = gettext_lazy("retried"), gettext_lazy("settled")


@dataclass(frozen=True, slots=True)
class Again:
    """What a second chance did: the campaign as it is now, how many messages wait again, how many stay unknown."""

    campaign: Campaign
    messages_queued: int
    left: int = 0


def retry(campaign: Campaign, reasons: Collection[Reason] | None = None, *, by: User | None) -> Again:
    """Make the campaign's failed messages pending again, all or those with one of these reasons.

    Who has opted out meanwhile is skipped when the message's turn comes. Raises `IllegalTransition` unless the campaign
    has ended, and `InvalidAudience` when no message failed so or the campaign has expired; then nothing is changed. Of
    parallel calls one wins.
    """
    return _again(campaign, Status.FAILED, RETRIED, reasons=reasons, by=by)


def settle(campaign: Campaign, unknown: Literal["resend", "leave"], *, by: User | None) -> Again:
    """Make the campaign's unknown messages pending again, although they may have arrived, or leave them as they are.

    Raises as `retry` does; to leave nobody is no mistake.
    """
    if unknown == "resend":
        return _again(campaign, Status.UNKNOWN, SETTLED, reasons=None, by=by)
    campaign.refresh_from_db()
    if campaign.status not in ENDED:
        raise IllegalTransition(campaign, SETTLED)
    left = campaign.progress.unknown
    log.info("campaign_unknown_left", campaign=campaign.pk, left=left, by=by and by.pk)
    return Again(campaign, 0, left)


def failed_by_reason(campaign: Campaign) -> dict[Reason, int]:
    """How many of the campaign's messages failed for each reason, most first. Reads every failed row."""
    failed = OutboundMessage.objects.filter(campaign=campaign, status=Status.FAILED)
    counted = failed.values_list("reason").annotate(count=Count("id")).order_by("-count", "reason")
    return {Reason(reason): count for reason, count in counted}


def _again(
    campaign: Campaign, status: Status, verb: Any, *, reasons: Collection[Reason] | None, by: User | None
) -> Again:
    with transaction.atomic():
        campaign.reopen(verb)
        dispatch.refuse_expired(campaign)
        # Who still holds a batch from before the end has nothing left to do in it, and must not get hold of what is
        # pending from now on: without its batch its lease is lost. Nor may the new ranges overlap the old ones.
        MessageBatch.objects.filter(campaign=campaign).delete()
        count = _make_pending(campaign, status, None if reasons is None else [reason.value for reason in reasons])
        if not count:
            sentence, field = _NOBODY[status]
            raise InvalidAudience("nobody", str(sentence), field)
        batches, left = _write_batches(campaign, rows.batch_size(count)), campaign.progress.unknown
        bells.on_commit(lambda: bells.ring_delivery(batches))
    log.info("campaign_reopened", campaign=campaign.pk, was=status.value, queued=count, by=by and by.pk)
    return Again(campaign, count, left)


_NOBODY = {
    Status.FAILED: (gettext_lazy("No message of this campaign failed like that."), "reasons"),
    Status.UNKNOWN: (gettext_lazy("No message of this campaign is unknown."), "unknown"),
}


def _make_pending(campaign: Campaign, status: Status, reasons: list[str] | None) -> int:
    """In the order of the ids, in which receipts lock them too, so that neither waits for the other in a circle."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH chosen AS MATERIALIZED ("
            " SELECT id FROM outbound_messages WHERE campaign_id = %(campaign)s AND status = %(status)s"
            " AND (%(reasons)s::text[] IS NULL OR reason = ANY(%(reasons)s))"
            " ORDER BY id FOR NO KEY UPDATE)"
            " UPDATE outbound_messages AS message SET status = 'pending', reason = NULL, due_at = NULL,"
            " retries_before = message.retry_count, stops = 0, updated_at = statement_timestamp()"
            " FROM chosen WHERE message.id = chosen.id",
            {"campaign": campaign.pk, "status": status.value, "reasons": reasons},
        )
        return int(cursor.rowcount)


def _write_batches(campaign: Campaign, size: int) -> int:
    """Batches of this size over all that is pending in the campaign, by pages of its ids: they cannot overlap."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO message_batches (campaign_id, provider, first_id, last_id)"
            " SELECT %(campaign)s, %(provider)s, min(id), max(id) FROM ("
            " SELECT id, (row_number() OVER (ORDER BY id) - 1) / %(batch)s AS page"
            " FROM outbound_messages WHERE campaign_id = %(campaign)s AND status = 'pending') AS paged"
            " GROUP BY page ORDER BY page",
            {"campaign": campaign.pk, "provider": routing.route(campaign), "batch": size},
        )
        return int(cursor.rowcount)
