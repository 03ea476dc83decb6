"""From rows to the provider and back to rows: leases a batch, marks slice after slice, calls, writes what came of it.

No transaction is open while the provider is called. A worker that dies leaves one slice `sending`, which `recovery.py`
turns `unknown` when the lease has run out; what it had not marked was never touched.
"""

import random
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, cast

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from campaigns.models import Campaign, IllegalTransition
from customers import consent
from messaging import alerts, providers
from messaging.models import Status
from messaging.providers.base import Envelope, Outcome, StopAll
from messaging.reasons import Reason
from messaging.verdicts import RetryPolicy, Verdict, verdict

log = structlog.get_logger(__name__)
Result = TypeVar("Result")

# Set when this process is asked to stop: the slice on the wire is finished and the rest of the batch handed back.
stopping = threading.Event()


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of this worker, until it runs out, to be the only one that moves the pending messages of a batch."""

    token: uuid.UUID
    batch_id: int
    campaign_id: int
    channel: str
    provider: str
    first_id: int
    last_id: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Released:
    """What is left of a batch: its next due time, or None when nothing in it is pending."""

    due_at: datetime | None


def take() -> Lease | None:
    """Lease the next due batch of a campaign that is sending, or None when there is none. One short transaction.

    Campaigns take turns by chance, so that a large one cannot keep a small one waiting.
    """
    token = uuid.uuid4()
    with connection.cursor() as cursor:
        # At first for as long as it takes to learn the provider's time-out: a connection lost here costs only this.
        cursor.execute(_TAKE, {"token": token, "turn": random.getrandbits(31), "seconds": 10.0})
        row = cursor.fetchone()
        if row is None:
            return None
        batch_id, campaign_id, channel, provider, first_id, last_id = row
        # Longer than two calls may take, so that a lease in use never runs out; as short as that, so that the batch of
        # a dead worker is soon another's.
        seconds = 2 * providers.capabilities(provider).timeout_seconds + 5
        lease = Lease(token, batch_id, campaign_id, channel, provider, first_id, last_id, seconds)
    return lease if _renew(lease) else None


_TAKE = """
UPDATE message_batches AS batch
SET lease = %(token)s, leased_until = statement_timestamp() + make_interval(secs => %(seconds)s)
FROM campaigns AS campaign
WHERE campaign.id = batch.campaign_id AND batch.id = (
    SELECT candidate.id
    FROM message_batches AS candidate JOIN campaigns AS running ON running.id = candidate.campaign_id
    WHERE running.status = 'sending' AND candidate.lease IS NULL AND candidate.due_at <= statement_timestamp()
    ORDER BY hashint8(running.id # %(turn)s), candidate.due_at, candidate.id
    LIMIT 1 FOR UPDATE OF candidate SKIP LOCKED)
RETURNING batch.id, batch.campaign_id, campaign.channel, batch.provider, batch.first_id, batch.last_id
"""


def deliver(lease: Lease) -> Released | None:
    """Deliver what is due in the batch, slice by slice, and hand the batch back.

    None when the lease was lost on the way: then somebody else has the batch. Raises database errors that outlast the
    lease; what was then on the wire ends `unknown`. Leaves the house.
    """
    size = providers.capabilities(lease.provider).in_flight
    after = lease.first_id - 1
    while not stopping.is_set():
        begun = time.monotonic()
        marked = persistently(lease, partial(_mark, lease, after=after, limit=size))
        if marked is None:
            log.warning("lease_lost", batch=lease.batch_id, campaign=lease.campaign_id)
            return None
        if not marked:
            break
        after = max(marked, key=lambda row: row[0])[0]
        rows = [row for row in marked if row[1] == Status.SENDING]
        if rows and not _deliver_slice(lease, rows, begun):
            return None
    return persistently(lease, lambda: _release(lease))


Row = Sequence[Any]  # id, status, address, rendered_content, parts, retry_count


def _deliver_slice(lease: Lease, rows: Sequence[Row], begun: float) -> bool:
    """Call the provider with the marked rows and write the outcomes; false when the lease was lost meanwhile."""
    envelopes = [Envelope(str(pk), lease.channel, to, text, parts, tries) for pk, _, to, text, parts, tries in rows]
    ids = [row[0] for row in rows]
    if time.monotonic() - begun > lease.seconds - providers.capabilities(lease.provider).timeout_seconds:
        # This process stood still for so long that the lease might end during the call, and another worker with it
        # begin. Nothing has left: the rows go back, unless they are no longer ours.
        log.error("stalled", batch=lease.batch_id, campaign=lease.campaign_id, messages=len(rows))
        return persistently(lease, lambda: _settle(lease, ids, [Verdict(Status.PENDING)] * len(ids)))
    outcomes = providers.submit(lease.provider, envelopes)
    policy = RetryPolicy(
        settings.MESSAGE_RETRY_LIMIT, settings.MESSAGE_RETRY_BASE_SECONDS, settings.MESSAGE_RETRY_CAP_SECONDS
    )
    verdicts = [
        verdict(outcome, envelope.attempt, policy, random.random())  # noqa: S311 (jitter is no secret)
        for envelope, outcome in zip(envelopes, outcomes, strict=True)
    ]
    stopped = persistently(lease, lambda: _stop_if_told(lease, outcomes))
    held = persistently(lease, lambda: _settle(lease, ids, verdicts))
    # Only now: to tell somebody may take longer than the lease.
    if stopped:
        persistently(lease, lambda: alerts.tell(lease.campaign_id, alerts.Code.PROVIDER_STOPPED))
    if any(each.reason == Reason.RETRIES_EXHAUSTED for each in verdicts):
        persistently(lease, lambda: alerts.tell(lease.campaign_id, alerts.Code.RETRIES_EXHAUSTED))
    return held


def _stop_if_told(lease: Lease, outcomes: Sequence[Outcome]) -> bool:
    """Pause the campaign when the account is broken, before its messages can be taken again; whether it now is."""
    if not any(isinstance(outcome, StopAll) for outcome in outcomes):
        return False
    campaign = Campaign.objects.filter(pk=lease.campaign_id).first()
    if campaign is None:
        return False
    try:
        campaign.pause(reason=Reason.PROVIDER_STOPPED)
    except IllegalTransition:  # somebody else moved it first, or we did and the commit was not confirmed to us
        return campaign.reason == Reason.PROVIDER_STOPPED
    return True


def _renew(lease: Lease) -> bool:
    """Lengthen the lease, and lock the batch for the rest of the transaction; false when it is no longer ours."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE message_batches SET leased_until = statement_timestamp() + make_interval(secs => %s)"
            " WHERE id = %s AND lease = %s",
            [lease.seconds, lease.batch_id, lease.token],
        )
        return bool(cursor.rowcount == 1)


def _mark(lease: Lease, *, after: int, limit: int) -> list[Row] | None:
    """Mark the next slice `sending`, and skip in the same statement who has opted out; None when the lease is lost.

    Empty when nothing is due or the campaign no longer sends. A STOP committed before this statement wins.
    """
    with transaction.atomic():
        if not _renew(lease):
            return None
        with connection.cursor() as cursor:
            cursor.execute(
                _MARK,
                {
                    "campaign": lease.campaign_id, "channel": lease.channel, "provider": lease.provider,
                    "after": after, "last": lease.last_id, "limit": limit,
                },
            )  # fmt: skip
            return sorted(cursor.fetchall())


# By primary key range: ORDER BY … SKIP LOCKED over the big table walks past the dead entries of earlier claims
# (measured: 5-33 thousand messages a second and falling, against 40-80 thousand by range).
_MARK = f"""
UPDATE outbound_messages AS message SET
    status = CASE WHEN slice.opted_out THEN 'skipped' ELSE 'sending' END,
    reason = CASE WHEN slice.opted_out THEN '{Reason.OPTED_OUT}' END,
    provider = %(provider)s,
    due_at = NULL,
    updated_at = statement_timestamp()
FROM (
    SELECT id, {consent.opted_out_sql("candidate.address")} AS opted_out
    FROM outbound_messages AS candidate
    WHERE campaign_id = %(campaign)s AND id > %(after)s AND id <= %(last)s
        AND status = 'pending' AND (due_at IS NULL OR due_at <= statement_timestamp())
    ORDER BY id LIMIT %(limit)s
) AS slice
WHERE message.id = slice.id AND message.status = 'pending'
    AND EXISTS (SELECT 1 FROM campaigns WHERE id = %(campaign)s AND status = 'sending')
RETURNING message.id, message.status, message.address, message.rendered_content, message.parts, message.retry_count
"""  # noqa: S608


def _settle(lease: Lease, ids: Sequence[int], verdicts: Sequence[Verdict]) -> bool:
    """Write the verdicts; false when the lease was lost, and then only what is certain about `unknown` rows is
    written.
    """
    with transaction.atomic():
        held = _renew(lease)
        with connection.cursor() as cursor:
            cursor.execute(_SETTLE if held else _SETTLE_LATE, _columns(ids, verdicts))
            if not held:
                log.warning("late_answer", batch=lease.batch_id, messages=len(ids), settled=cursor.rowcount)
    return held


def _columns(ids: Sequence[int], verdicts: Sequence[Verdict]) -> dict[str, list[Any]]:
    return {
        "ids": list(ids),
        "statuses": [each.status.value for each in verdicts],
        "reasons": [each.reason and each.reason.value for each in verdicts],
        "errors": [each.error for each in verdicts],
        "failures": [each.failures for each in verdicts],
        "waits": [each.wait_seconds for each in verdicts],
        "provider_ids": [each.provider_message_id for each in verdicts],
    }


_WRITE = """
UPDATE outbound_messages AS message SET
    status = verdict.status,
    reason = verdict.reason,
    last_error = coalesce(verdict.error, message.last_error),
    retry_count = message.retry_count + verdict.failures,
    due_at = statement_timestamp() + make_interval(secs => verdict.wait),
    provider_message_id = verdict.provider_id,
    sent_at = CASE WHEN verdict.status = 'sent' THEN statement_timestamp() ELSE message.sent_at END,
    updated_at = statement_timestamp()
FROM unnest(
    %(ids)s::bigint[], %(statuses)s::text[], %(reasons)s::text[], %(errors)s::text[], %(failures)s::int[],
    %(waits)s::float8[], %(provider_ids)s::text[]
) AS verdict (id, status, reason, error, failures, wait, provider_id)
WHERE message.id = verdict.id
"""
_SETTLE = _WRITE + " AND message.status = 'sending'"
_SETTLE_LATE = _WRITE + " AND message.status = 'unknown' AND verdict.status IN ('sent', 'failed')"


def _release(lease: Lease) -> Released | None:
    """Hand the batch back, narrowed to what is still pending; it goes when nothing is.

    What is `sending` here was marked by a transaction whose commit was never confirmed to us, so nobody was called for
    it: it is pending again.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if not _renew(lease):
            return None
        cursor.execute(
            "UPDATE outbound_messages SET status = 'pending', updated_at = statement_timestamp()"
            " WHERE campaign_id = %s AND id BETWEEN %s AND %s AND status = 'sending'",
            [lease.campaign_id, lease.first_id, lease.last_id],
        )
        due_at = narrow(cursor, lease.batch_id)
    return Released(due_at)


def narrow(cursor: CursorWrapper, batch_id: int) -> datetime | None:
    """End a batch's lease and shrink it to what is pending in it, or delete it; its next due time, if it has one.

    The caller holds the lock on the batch, and nothing in its range is `sending`.
    """
    cursor.execute(
        "SELECT min(message.id), max(message.id), min(coalesce(message.due_at, statement_timestamp()))"
        " FROM message_batches AS batch JOIN outbound_messages AS message"
        " ON message.campaign_id = batch.campaign_id AND message.id BETWEEN batch.first_id AND batch.last_id"
        " WHERE batch.id = %s AND message.status = 'pending'",
        [batch_id],
    )
    first_id, last_id, due_at = cursor.fetchone()
    if first_id is None:
        cursor.execute("DELETE FROM message_batches WHERE id = %s", [batch_id])
        return None
    cursor.execute(
        "UPDATE message_batches"
        " SET lease = NULL, leased_until = NULL, first_id = %s, last_id = %s, due_at = %s WHERE id = %s",
        [first_id, last_id, due_at, batch_id],
    )
    return cast(datetime, due_at)


def persistently(lease: Lease, write: Callable[[], Result]) -> Result:
    """Do a short transaction again while the database is away or picks it as the victim of a deadlock.

    An outcome is known only here: giving it up at the first fault would leave an accepted message `unknown`. Raises the
    fault when the lease has surely run out.
    """
    deadline = time.monotonic() + lease.seconds
    wait = 0.05
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as fault:
            connection.close()
            if time.monotonic() > deadline:
                raise
            log.warning("database_away", batch=lease.batch_id, fault=type(fault).__name__)
            time.sleep(wait)
            wait = min(2 * wait, 2.0)
