"""Receipts that name no message yet: the provider may be faster than the worker that writes down its answer."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

import structlog
from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Least, Now

from messaging import receipts
from messaging.arrivals import LONGEST_NAME, UnmatchedReceipt
from messaging.providers.base import Receipt
from messaging.verdicts import LONGEST_ERROR, storable

log = structlog.get_logger(__name__)

# An answer is written down within OUTCOME_SECONDS or never.
TRIED_FOR = timedelta(minutes=10)
# But what says that somebody opted out: a look-up, or a late receipt that carries both names, may still tell whose it
# is. Vendors repeat theirs for up to a week.
WISHES_TRIED_FOR = timedelta(days=7)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(minutes=1)
# So many a transaction, and so many transactions a sweep: receipts of somebody else's messages must not hold it up.
MOST, MOST_ROUNDS = 500, 10


def keep(alias: str, unmatched: Sequence[Receipt]) -> None:
    """Keep them to be tried again. Call it in the transaction that found them unmatched."""
    UnmatchedReceipt.objects.bulk_create(
        UnmatchedReceipt(
            alias=alias,
            reference=storable(receipt.reference)[:LONGEST_NAME],
            provider_message_id=storable(receipt.provider_message_id)[:LONGEST_NAME],
            status=receipt.status,
            at=receipt.at,
            error=storable(receipt.error)[:LONGEST_ERROR],
            opted_out=receipt.opted_out,
            next_try_at=Now() + FIRST_WAIT,
        )
        for receipt in unmatched
    )


def try_again() -> int:
    """Apply those that are due, some hundred at a time; how many found their message and are gone.

    Each that did not waits as long again as it has waited so far, and after ten minutes stays as it is; one that says
    that somebody opted out does so after a week.
    """
    found = 0
    for _ in range(MOST_ROUNDS):
        with transaction.atomic():
            due = _due()
            found += _try(due)
        if len(due) < MOST:
            break
    return found


def _due() -> list[UnmatchedReceipt]:
    """Due ones of one account, locked: a transaction over several could wait in a circle for the campaigns' counts."""
    due = UnmatchedReceipt.objects.filter(next_try_at__lte=Now()).order_by("next_try_at")
    due = due.select_for_update(skip_locked=True)
    first = due.first()
    return list(due.filter(alias=first.alias)[:MOST]) if first else []


def _try(due: Sequence[UnmatchedReceipt]) -> int:
    if not due:
        return 0
    ids: dict[Receipt, list[int]] = defaultdict(list)
    for row in due:
        ids[_receipt(row)].append(row.pk)
    applied = receipts.apply(due[0].alias, list(ids))
    missed = {pk for receipt in applied.unmatched for pk in ids[receipt]}
    matched = [row.pk for row in due if row.pk not in missed]
    UnmatchedReceipt.objects.filter(pk__in=matched).delete()
    _wait(missed)
    return len(matched)


def _wait(missed: set[int]) -> None:
    rows = UnmatchedReceipt.objects.filter(pk__in=missed)
    young, again = Q(received_at__gt=Now() - TRIED_FOR), Now() + (Now() - F("received_at"))
    wishes = Q(opted_out=True, received_at__gt=Now() - WISHES_TRIED_FOR)
    wishes_lost = rows.filter(~young & ~wishes, opted_out=True).count()
    given_up = rows.filter(~young & ~wishes).update(tried_at=Now(), next_try_at=None)
    rows.filter(~young & wishes).update(tried_at=Now(), next_try_at=again)
    rows.filter(young).update(tried_at=Now(), next_try_at=Least(again, Now() + LONGEST_WAIT))
    if given_up:
        log.warning("receipts_unmatched", receipts=given_up, opted_out=wishes_lost)


def _receipt(row: UnmatchedReceipt) -> Receipt:
    return Receipt(
        status=row.status,  # type: ignore[arg-type]  # the table's constraint
        at=row.at,
        reference=row.reference,
        provider_message_id=row.provider_message_id,
        error=row.error,
        opted_out=row.opted_out,
    )


def counts(most: int) -> tuple[int, int]:
    """How many are tried again, and how many are kept for people to look at; each counted up to `most`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT"
            " (SELECT count(*) FROM (SELECT FROM unmatched_receipts WHERE next_try_at IS NOT NULL LIMIT %s) AS found),"
            " (SELECT count(*) FROM (SELECT FROM unmatched_receipts WHERE next_try_at IS NULL LIMIT %s) AS found)",
            [most, most],
        )
        tried, kept = cursor.fetchone()
        return tried, kept
