"""Writes down what came of a slice: by set, in the lease's range only, and without the lease only what is certain."""

from collections.abc import Sequence
from typing import Any

import structlog
from django.db import connection, transaction

from messaging import alerts, leases, look_ups, vendor_opt_outs
from messaging.leases import Lease
from messaging.models import Status
from messaging.reasons import Reason
from messaging.verdicts import Verdict

log = structlog.get_logger(__name__)

# An outcome is known only to the worker that got it. It is worth more patience than the lease: after that it can still
# settle what became unknown.
OUTCOME_SECONDS = 600.0


def took_others(lease: Lease, message_id: int) -> bool:
    """Whether the lease's account took one of the hundred messages before this one within the last minute."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM (SELECT provider, sent_at FROM outbound_messages"
            " WHERE campaign_id = %(campaign)s AND id < %(id)s ORDER BY id DESC LIMIT 100) AS before"
            " WHERE provider = %(provider)s AND sent_at > statement_timestamp() - interval '1 minute')",
            {"campaign": lease.campaign_id, "provider": lease.provider, "id": message_id},
        )
        return bool(cursor.fetchone()[0])


def settle(lease: Lease, ids: Sequence[int], verdicts: Sequence[Verdict]) -> None:
    """Write the verdicts. When the lease was lost only what is certain about `unknown` rows is written, and then
    `LeaseLost` is raised.
    """
    settled = list(zip(ids, verdicts, strict=True))
    sent = [(pk, each) for pk, each in settled if each.status == Status.SENT]
    others = [(pk, each) for pk, each in settled if each.status != Status.SENT]
    if not others and _settle_sent(lease, sent):
        return
    with transaction.atomic():
        held = leases.renew(lease)
        if held and any(each.reason == Reason.RETRIES_EXHAUSTED for each in verdicts):
            alerts.note(lease.campaign_id, alerts.Code.RETRIES_EXHAUSTED)
        with connection.cursor() as cursor:
            if sent:
                cursor.execute(_SENT if held else _SENT_LATE, leases.params(lease) | _columns_of_sent(sent))
                cursor.execute(_NAMED, leases.params(lease) | _columns_of_sent(sent))
            if others:
                cursor.execute(_OTHERS if held else _OTHERS_LATE, leases.params(lease) | _columns(lease, others))
        # Also when the lease was lost: that the vendor knows of a wish is true whoever has the batch.
        vendor_opt_outs.note({pk: None for pk, each in others if each.reason == Reason.OPTED_OUT})
    if not held:
        log.warning("late_answer", batch=lease.batch_id, messages=len(ids), sent=len(sent))
        raise leases.LeaseLost


def _settle_sent(lease: Lease, sent: Sequence[tuple[int, Verdict]]) -> bool:
    """Write in one statement that all were sent, as most slices are; false when some were not `sending` any more, or
    the lease was lost: then nothing, or only what is right, was written.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SENT_AT_ONCE, leases.params(lease) | _columns_of_sent(sent))
        return bool(cursor.rowcount == len(sent))


def _columns_of_sent(settled: Sequence[tuple[int, Verdict]]) -> dict[str, Any]:
    return {"ids": [pk for pk, _ in settled], "provider_ids": [each.provider_message_id for _, each in settled]}


def _columns(lease: Lease, settled: Sequence[tuple[int, Verdict]]) -> dict[str, Any]:
    verdicts = [each for _, each in settled]
    unknown_wait = look_ups.first_wait(lease.provider)
    return {
        "ids": [pk for pk, _ in settled],
        "statuses": [each.status.value for each in verdicts],
        "reasons": [each.reason and each.reason.value for each in verdicts],
        "errors": [each.error for each in verdicts],
        "failures": [each.failures for each in verdicts],
        "stops": [each.stops for each in verdicts],
        "waits": [unknown_wait if each.status == Status.UNKNOWN else each.wait_seconds for each in verdicts],
    }


_RANGE = "message.id = verdict.id AND message.campaign_id = %(campaign)s AND message.id BETWEEN %(first)s AND %(last)s"
# What most messages become, apart: to hand PostgreSQL six columns that are the same for all took as long as to render.
_WRITE_SENT = f"""
UPDATE outbound_messages AS message SET
    status = 'sent', reason = NULL, due_at = NULL, provider_message_id = verdict.provider_id,
    sent_at = statement_timestamp(), updated_at = statement_timestamp()
FROM unnest(%(ids)s::bigint[], %(provider_ids)s::text[]) AS verdict (id, provider_id)
WHERE {_RANGE}
"""  # noqa: S608
_SENT = _WRITE_SENT + " AND message.status = 'sending'"
_SENT_AT_ONCE = f"WITH {leases.RENEWED} {_SENT} AND EXISTS (SELECT 1 FROM renewed)"  # noqa: S608
# A receipt that was faster has moved the message and named it by our reference; later ones may use the provider's.
_NAMED = f"""
UPDATE outbound_messages AS message SET
    provider_message_id = verdict.provider_id, updated_at = statement_timestamp()
FROM unnest(%(ids)s::bigint[], %(provider_ids)s::text[]) AS verdict (id, provider_id)
WHERE {_RANGE} AND message.provider_message_id = '' AND verdict.provider_id <> ''
    AND message.status IN ('sent', 'delivered', 'read')
"""  # noqa: S608
_SENT_LATE = _WRITE_SENT + " AND message.status = 'unknown'"
_WRITE = f"""
UPDATE outbound_messages AS message SET
    status = verdict.status,
    reason = verdict.reason,
    last_error = coalesce(verdict.error, message.last_error),
    retry_count = message.retry_count + verdict.failures,
    stops = message.stops + verdict.stops,
    due_at = statement_timestamp() + make_interval(secs => verdict.wait),
    updated_at = statement_timestamp()
FROM unnest(
    %(ids)s::bigint[], %(statuses)s::text[], %(reasons)s::text[], %(errors)s::text[], %(failures)s::int[],
    %(stops)s::int[], %(waits)s::float8[]
) AS verdict (id, status, reason, error, failures, stops, wait)
WHERE {_RANGE}
"""  # noqa: S608
_OTHERS = _WRITE + " AND message.status = 'sending'"
_OTHERS_LATE = _WRITE + " AND message.status = 'unknown' AND verdict.status = 'failed'"
