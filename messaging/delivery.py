"""From rows to the provider and back to rows: marks slice after slice of a leased batch, calls, writes what came of it.

No transaction is open while the provider is called. A worker that dies leaves one slice `sending`, which `recovery.py`
turns `unknown` when the lease has run out; what it had not marked was never touched.
"""

import random
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction

from campaigns.models import Campaign, IllegalTransition
from customers import consent
from messaging import alerts, leases, providers
from messaging.leases import Lease, Released
from messaging.models import Status
from messaging.patience import persistently
from messaging.providers.base import Envelope, StopAll
from messaging.reasons import Reason
from messaging.verdicts import RetryPolicy, Verdict, verdict

log = structlog.get_logger(__name__)

# An outcome is known only to the worker that got it. It is worth more patience than the lease: after that it can still
# settle what became unknown.
OUTCOME_SECONDS = 600.0

# Set when this process is asked to stop: the slice on the wire is finished and the rest of the batch handed back.
stopping = threading.Event()


def deliver(lease: Lease, *, until: float = float("inf")) -> Released | None:
    """Deliver what is due in the batch, slice by slice, and hand the batch back; `until` is a time of `monotonic()`.

    None when the lease was lost on the way: then somebody else has the batch. Raises database errors that outlast all
    patience; what was then on the wire ends `unknown`. Leaves the house.
    """
    size = providers.capabilities(lease.provider).in_flight
    after = lease.first_id - 1
    while not stopping.is_set():
        begun = time.monotonic()
        marked = persistently(partial(_mark, lease, after=after, limit=size), seconds=lease.seconds)
        if marked is None:
            log.warning("lease_lost", batch=lease.batch_id, campaign=lease.campaign_id)
            return None
        if not marked:
            break
        after = marked[-1][0]
        rows = [row for row in marked if row[1] == Status.SENDING]
        if rows and not _deliver_slice(lease, rows, begun):
            return None
        if time.monotonic() > until:
            break
    return persistently(partial(leases.release, lease), seconds=lease.seconds)


def stop(campaign_id: int) -> None:
    """Pause a campaign whose provider's account is not working, and note that somebody must be told.

    May be repeated; a campaign that somebody else paused, cancelled or ended first stays as it is.
    """
    with transaction.atomic():
        campaign = Campaign.objects.filter(pk=campaign_id).first()
        if campaign is None:
            return
        try:
            campaign.pause(reason=Reason.PROVIDER_STOPPED)
        except (IllegalTransition, Campaign.DoesNotExist):
            return
        alerts.note(campaign_id, alerts.Code.PROVIDER_STOPPED)


Row = Sequence[Any]  # id, status, address, rendered_content, parts, retry_count


def _deliver_slice(lease: Lease, rows: Sequence[Row], begun: float) -> bool:
    """Call the provider with the marked rows and write the outcomes; false when the lease was lost meanwhile."""
    envelopes = [Envelope(str(pk), lease.channel, to, text, parts, tries) for pk, _, to, text, parts, tries in rows]
    ids = [row[0] for row in rows]
    if time.monotonic() - begun > lease.seconds - providers.capabilities(lease.provider).timeout_seconds:
        # This process stood still for so long that the lease might end during the call, and another worker with it
        # begin. Nothing has left: the rows go back, unless they are no longer ours.
        log.error("stalled", batch=lease.batch_id, campaign=lease.campaign_id, messages=len(rows))
        return persistently(partial(_settle, lease, ids, [Verdict(Status.PENDING)] * len(ids)), seconds=lease.seconds)
    outcomes = providers.submit(lease.provider, envelopes)
    policy = RetryPolicy(
        settings.MESSAGE_RETRY_LIMIT, settings.MESSAGE_RETRY_BASE_SECONDS, settings.MESSAGE_RETRY_CAP_SECONDS
    )
    verdicts = [
        verdict(outcome, envelope.attempt, policy, random.random())  # noqa: S311 (jitter is no secret)
        for envelope, outcome in zip(envelopes, outcomes, strict=True)
    ]
    _tell_unanswered(lease, ids, verdicts)
    if any(isinstance(outcome, StopAll) for outcome in outcomes):
        # Before its messages are pending again.
        persistently(partial(stop, lease.campaign_id), seconds=lease.seconds)
    held = persistently(partial(_settle, lease, ids, verdicts), seconds=OUTCOME_SECONDS)
    if any(each.reason in TOLD for each in verdicts):
        alerts.tell_waiting()  # only now: it may take longer than the lease
    return held


def _tell_unanswered(lease: Lease, ids: Sequence[int], verdicts: Sequence[Verdict]) -> None:
    """Log which messages of a slice got no answer, and why: nothing else can explain them later."""
    unanswered = {pk: each.error for pk, each in zip(ids, verdicts, strict=True) if each.status == Status.UNKNOWN}
    if unanswered:
        log.warning(
            "no_answer", batch=lease.batch_id, campaign=lease.campaign_id, worker=leases.WORKER,
            messages=len(ids), unknown=list(unanswered), errors=sorted({error or "" for error in unanswered.values()}),
        )  # fmt: skip


# The reasons that a person is told of.
TOLD = frozenset({Reason.RETRIES_EXHAUSTED, Reason.PROVIDER_STOPPED})


def _mark(lease: Lease, *, after: int, limit: int) -> list[Row] | None:
    """Mark the next slice `sending`, and skip in the same statement who has opted out; None when the lease is lost.

    Empty when nothing is due or the campaign no longer sends. A STOP committed before this statement wins.
    """
    with transaction.atomic():
        if not leases.renew(lease):
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
# The slice is materialized, and the range stands twice, because the planner may believe that nothing is pending: it
# then drove from the index of all pending rows and drew up the slice once for each (measured: 24 s a mark, against 13
# ms).
_MARK = f"""
WITH slice AS MATERIALIZED (
    SELECT id, {consent.opted_out_sql("candidate.address")} AS opted_out
    FROM outbound_messages AS candidate
    WHERE campaign_id = %(campaign)s AND id > %(after)s AND id <= %(last)s
        AND status = 'pending' AND (due_at IS NULL OR due_at <= statement_timestamp())
    ORDER BY id LIMIT %(limit)s
)
UPDATE outbound_messages AS message SET
    status = CASE WHEN slice.opted_out THEN 'skipped' ELSE 'sending' END,
    reason = CASE WHEN slice.opted_out THEN '{Reason.OPTED_OUT}' END,
    provider = %(provider)s,
    due_at = NULL,
    updated_at = statement_timestamp()
FROM slice
WHERE message.id = slice.id AND message.status = 'pending'
    AND message.campaign_id = %(campaign)s AND message.id > %(after)s AND message.id <= %(last)s
    AND EXISTS (SELECT 1 FROM campaigns WHERE id = %(campaign)s AND status = 'sending')
RETURNING message.id, message.status, message.address, message.rendered_content, message.parts, message.retry_count
"""  # noqa: S608


def _settle(lease: Lease, ids: Sequence[int], verdicts: Sequence[Verdict]) -> bool:
    """Write the verdicts; false when the lease was lost, and then only what is certain about `unknown` rows is
    written.
    """
    with transaction.atomic():
        held = leases.renew(lease)
        if held and any(each.reason == Reason.RETRIES_EXHAUSTED for each in verdicts):
            alerts.note(lease.campaign_id, alerts.Code.RETRIES_EXHAUSTED)
        with connection.cursor() as cursor:
            cursor.execute(_SETTLE if held else _SETTLE_LATE, _columns(lease, ids, verdicts))
            if not held:
                log.warning("late_answer", batch=lease.batch_id, messages=len(ids), settled=cursor.rowcount)
    return held


def _columns(lease: Lease, ids: Sequence[int], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    return {
        "campaign": lease.campaign_id,
        "first": lease.first_id,
        "last": lease.last_id,
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
WHERE message.id = verdict.id AND message.campaign_id = %(campaign)s AND message.id BETWEEN %(first)s AND %(last)s
"""
_SETTLE = _WRITE + " AND message.status = 'sending'"
_SETTLE_LATE = _WRITE + " AND message.status = 'unknown' AND verdict.status IN ('sent', 'failed')"
