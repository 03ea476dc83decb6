"""Deletes what is old: campaigns that ended, with their messages, and what came in at the door; what concerns people,
such as opt-outs and replies, stays.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from campaigns.models import Campaign, Status
from messaging.arrivals import HookEvent, UnmatchedReceipt

ENDED = (Status.SENT, Status.FAILED, Status.CANCELLED)
# Messages a transaction: it holds the campaign's and its count's row for about a tenth of a second.
SLICE = 5_000


@dataclass(frozen=True, slots=True)
class Deleted:
    """What one transaction deleted."""

    messages: int
    campaign: bool = False


def ended_before(age: timedelta) -> "QuerySet[Campaign]":
    """The campaigns that ended longer ago than this, by the database's clock, the oldest first."""
    return Campaign.objects.filter(_is_old(age)).order_by("ended_at", "id")


def purge(campaign_id: int, age: timedelta) -> Iterator[Deleted]:
    """Delete the campaign's messages slice by slice, each in a transaction of its own, and at last the campaign.

    It stops when the campaign is no longer one that ended longer ago than `age`, for instance because its owner had the
    failed ones tried again. May be interrupted and repeated; the counts stay right in between.
    """
    after: int | None = 0
    while after is not None:
        with transaction.atomic():
            # The lock keeps the owner's retry from beginning while its messages go. Campaign before messages, as
            # everywhere.
            if not Campaign.objects.select_for_update(no_key=True).filter(_is_old(age), pk=campaign_id).exists():
                return
            count, after = _delete_slice(campaign_id, after)
            if after is None:
                Campaign.objects.filter(pk=campaign_id).delete()
        yield Deleted(count, campaign=after is None)


def received_before(age: timedelta) -> "Sequence[QuerySet[Any]]":
    """Requests that were worked off and receipts that named no message, received longer ago than this."""
    return [
        HookEvent.objects.filter(received_at__lt=Now() - age, done_at__isnull=False),
        UnmatchedReceipt.objects.filter(received_at__lt=Now() - age, next_try_at__isnull=True),
    ]


def purge_received(age: timedelta) -> Iterator[int]:
    """Delete them, so many a transaction; yields how many each deleted. May be interrupted and repeated."""
    for rows in received_before(age):
        while count := _delete_oldest(rows):
            yield count


def _delete_oldest(rows: "QuerySet[Any]") -> int:
    oldest = rows.order_by("received_at").values_list("pk", flat=True)[:SLICE]
    count: int = rows.model._default_manager.filter(pk__in=list(oldest)).delete()[0]  # noqa: SLF001  (Django's own API)
    return count


def _is_old(age: timedelta) -> Q:
    return Q(status__in=ENDED, ended_at__lt=Now() - age)


def _delete_slice(campaign_id: int, after: int) -> tuple[int, int | None]:
    """How many messages were deleted, and the last id of them, or None when there were none.

    From where the last slice ended, so that none walks past the dead index entries of those before.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(id) FROM (SELECT id FROM outbound_messages WHERE campaign_id = %s AND id > %s"
            " ORDER BY id LIMIT %s) AS slice",
            [campaign_id, after, SLICE],
        )
        [last] = cursor.fetchone()
        if last is None:
            return 0, None
        cursor.execute(
            "DELETE FROM outbound_messages WHERE campaign_id = %s AND id > %s AND id <= %s", [campaign_id, after, last]
        )
        return cursor.rowcount, last
