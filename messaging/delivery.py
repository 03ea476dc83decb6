"""From rows to the provider and back to rows: marks slice after slice of a leased batch, calls, writes what came of it.

No transaction is open while the provider is called. A worker that dies leaves one slice `sending`, which `recovery.py`
turns `unknown` when the lease has run out; what it had not marked was never touched.
"""

import json
import random
import threading
import time
from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction

from campaigns.models import Campaign, IllegalTransition
from customers import consent
from messaging import alerts, bells, board, breaker, leases, look_ups, providers, senders, settling, throttle
from messaging.leases import Lease, Released
from messaging.models import Status
from messaging.patience import persistently
from messaging.providers.base import Envelope, Outcome, StopAll, Template
from messaging.reasons import Reason
from messaging.throttle import Grant
from messaging.verdicts import RetryPolicy, Verdict, to_blame, verdict

log = structlog.get_logger(__name__)

# Set when this process is asked to stop: the slice on the wire is finished and the rest of the batch handed back.
stopping = threading.Event()


def deliver(lease: Lease, *, until: float = float("inf")) -> Released | None:
    """Deliver what is due in the batch, slice by slice, and hand the batch back; `until` is a time of `monotonic()`.

    Of an account with a limit it delivers a fair turn's worth, so that campaigns share the account by their turns.
    None when the lease was lost on the way: then somebody else has the batch. Raises database errors that outlast all
    patience; what was then on the wire ends `unknown`. Leaves the house.
    """
    try:
        _deliver_turn(lease, until)
    except leases.LeaseLost:
        log.warning("lease_lost", batch=lease.batch_id, campaign=lease.campaign_id)
        return None
    return persistently(partial(leases.release, lease), seconds=lease.seconds)


def _deliver_turn(lease: Lease, until: float) -> None:
    capabilities = providers.capabilities(lease.provider)
    if capabilities.looks_up:
        persistently(partial(look_ups.notice, lease.provider), seconds=lease.seconds)
    size = breaker.PROBE_MESSAGES if lease.probes else capabilities.in_flight
    after, parts = lease.first_id - 1, 0
    while not stopping.is_set():
        grant = throttle.acquire(
            lease.provider, size, seconds=lease.seconds / 3, stopping=stopping, paced=capabilities.paces
        )
        if grant is None:
            return
        if grant.awaited:
            bells.ring_delivery()  # for the one who waits for the next grant while this one is on the wire
        begun = time.monotonic()
        marked = persistently(partial(_mark, lease, after=after, limit=size, parts=grant.parts), seconds=lease.seconds)
        rows = [row for row in marked if row[1] == Status.SENDING]
        used = sum(row[4] for row in rows)
        throttle.give_back(lease.provider, grant, used)
        if not marked:
            return
        after, parts = marked[-1][0], parts + used
        is_held = bool(rows) and _deliver_slice(lease, rows, grant, begun=begun)
        if is_held or (lease.probes and rows) or parts >= grant.quota or time.monotonic() > until:
            return


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


# id, status, address, rendered_content, parts, retry_count, retries_before, variables, stops
Row = Sequence[Any]


def _deliver_slice(lease: Lease, rows: Sequence[Row], grant: Grant, *, begun: float) -> bool:
    """Call the provider with the marked rows and write the outcomes; whether its account is now left alone.

    `begun` is when marking began. Raises `LeaseLost` when it was lost meanwhile.
    """
    ids = [row[0] for row in rows]
    envelopes = _envelopes(lease, rows, grant)
    time.sleep(max(0.0, envelopes[0].not_before - time.monotonic()))
    ends = max(time.monotonic(), envelopes[-1].not_before) + providers.capabilities(lease.provider).timeout_seconds
    if ends - begun > lease.seconds:
        # This process stood still for so long that the lease might end during the call, and another worker with it
        # begin. Nothing has left: the rows go back, unless they are no longer ours.
        log.error("stalled", batch=lease.batch_id, campaign=lease.campaign_id, messages=len(rows))
        persistently(partial(settling.settle, lease, ids, [Verdict(Status.PENDING)] * len(ids)), seconds=lease.seconds)
        return False
    called = time.monotonic()
    outcomes = providers.submit(lease.provider, envelopes)
    board.tally(lease.provider, outcomes, time.monotonic() - called)
    verdicts = _verdicts(rows, outcomes, took_others=_took_others(lease, ids, outcomes))
    _tell_unanswered(lease, ids, verdicts)
    if any(each.reason == Reason.PROVIDER_STOPPED for each in verdicts):
        # Before its messages are pending again.
        persistently(partial(stop, lease.campaign_id), seconds=settling.OUTCOME_SECONDS)
    persistently(partial(settling.settle, lease, ids, verdicts), seconds=settling.OUTCOME_SECONDS)
    heed = partial(breaker.heed, lease.campaign_id, lease.provider, outcomes, troubled=lease.troubled)
    return persistently(partial(heed, probes=lease.probes), seconds=lease.seconds)


def _envelopes(lease: Lease, rows: Sequence[Row], grant: Grant) -> list[Envelope]:
    """Evenly spaced by their parts, for adapters that pace; the first one's time is for all."""
    ats = accumulate((row[4] * grant.spacing for row in rows), initial=grant.call_at)
    door = senders.hook_url(lease.provider)
    return [
        Envelope(
            str(row[0]), lease.channel, row[2], row[3], row[4], row[5], at, _template(lease, row[7]), receipt_url=door
        )
        for row, at in zip(rows, ats, strict=False)
    ]


def _template(lease: Lease, variables: str | None) -> Template | None:
    return Template(lease.template, lease.language, tuple(json.loads(variables or "[]"))) if lease.template else None


def _verdicts(rows: Sequence[Row], outcomes: Sequence[Outcome], *, took_others: bool = False) -> list[Verdict]:
    policy = RetryPolicy(
        settings.MESSAGE_RETRY_LIMIT, settings.MESSAGE_RETRY_BASE_SECONDS, settings.MESSAGE_RETRY_CAP_SECONDS
    )
    blamed = to_blame(outcomes, [row[8] for row in rows], took_others=took_others)
    return [
        verdict(outcome, row[5] - row[6], policy, random.random(), stops=row[8], is_to_blame=blame)  # noqa: S311 (jitter is no secret)
        for row, outcome, blame in zip(rows, outcomes, blamed, strict=True)
    ]


def _took_others(lease: Lease, ids: Sequence[int], outcomes: Sequence[Outcome]) -> bool:
    """Whether the account, which stopped at a slice of one message, took others just before; false for any other."""
    if len(outcomes) > 1 or not isinstance(outcomes[0], StopAll):
        return False
    return persistently(partial(settling.took_others, lease, ids[0]), seconds=settling.OUTCOME_SECONDS)


def _tell_unanswered(lease: Lease, ids: Sequence[int], verdicts: Sequence[Verdict]) -> None:
    """Log which messages of a slice got no answer, and why: nothing else can explain them later."""
    unanswered = {pk: each.error for pk, each in zip(ids, verdicts, strict=True) if each.status == Status.UNKNOWN}
    if unanswered:
        log.warning(
            "no_answer", batch=lease.batch_id, campaign=lease.campaign_id, worker=leases.WORKER,
            messages=len(ids), unknown=list(unanswered), errors=sorted({error or "" for error in unanswered.values()}),
        )  # fmt: skip


def _mark(lease: Lease, *, after: int, limit: int, parts: int | None = None) -> list[Row]:
    """Mark the next slice `sending`, and end in the same statement who must not be written to or is too late.

    Empty when nothing is due or the campaign no longer sends; raises `LeaseLost`. `parts` bounds the slice, but for one
    message that has more. A STOP committed before this statement wins.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _MARK,
            leases.params(lease)
            | {
                **consent.params(lease.channel), "provider": lease.provider, "after": after, "limit": limit,
                "parts": UNBOUNDED if parts is None else parts,
            },
        )  # fmt: skip
        marked = sorted(cursor.fetchall())
    if not marked and not leases.renew(lease):
        raise leases.LeaseLost
    return marked


UNBOUNDED = 2**31 - 1

# By key range: ORDER BY … SKIP LOCKED over the big table walks past the dead entries of earlier claims (measured: 5-33
# thousand messages a second and falling, against 40-80 thousand by range).
# No join: the planner may believe that next to nothing is pending, and then joined the slice with the range row by row
# (measured: 57 ms a mark of 500 instead of 6, and before that 24 s a mark of 250). The slice is a range's end instead.
# One statement that renews, marks and commits: the row of the campaign's counts is then locked for as long as the
# database needs, and not until Python has its turn to commit (measured: 20 thousand messages a second with four
# threads, where one thread alone moved 16).
_MARK = f"""
WITH {leases.RENEWED}
UPDATE outbound_messages AS message SET
    (status, reason) = (
        SELECT CASE WHEN why IS NULL THEN 'sending'
            WHEN why = '{Reason.EXPIRED}' AND message.retry_count > 0 THEN 'failed' ELSE 'skipped' END, why
        FROM (
            SELECT coalesce(
                {consent.refusal_sql("message.address")},
                CASE WHEN least(message.expires_at, (SELECT expires_at FROM campaigns WHERE id = %(campaign)s))
                    <= statement_timestamp() THEN '{Reason.EXPIRED}' END
            ) AS why
            OFFSET 0 -- or it would be asked again wherever it is named
        ) AS asked
    ),
    provider = %(provider)s,
    due_at = NULL,
    updated_at = statement_timestamp()
WHERE EXISTS (SELECT 1 FROM renewed)
    AND message.campaign_id = %(campaign)s AND message.id > %(after)s AND message.id <= (
        SELECT max(id) FROM (
            SELECT id, parts, sum(parts) OVER (ORDER BY id) AS through FROM (
                SELECT id, parts FROM outbound_messages
                WHERE campaign_id = %(campaign)s AND id > %(after)s AND id <= %(last)s
                    AND status = 'pending' AND (due_at IS NULL OR due_at <= statement_timestamp())
                ORDER BY id LIMIT %(limit)s
            ) AS due
        ) AS counted
        WHERE through <= greatest(%(parts)s, parts)
    )
    AND message.status = 'pending' AND (message.due_at IS NULL OR message.due_at <= statement_timestamp())
    AND EXISTS (SELECT 1 FROM campaigns WHERE id = %(campaign)s AND status = 'sending')
RETURNING message.id, message.status, message.address, message.rendered_content, message.parts, message.retry_count,
    message.retries_before, message.variables, message.stops
"""  # noqa: S608
