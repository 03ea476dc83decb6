"""What providers say later of messages that they took: statuses only move forward, whatever comes late or twice."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import connection, transaction

from campaigns.audience import LARGEST_ID
from messaging import vendor_opt_outs
from messaging.providers.base import Receipt
from messaging.reasons import Reason
from messaging.verdicts import LONGEST_ERROR, LONGEST_PROVIDER_ID, storable

log = structlog.get_logger(__name__)

# Test sends and answers to replies are no messages of the ledger.
OUTSIDE = ("test-", "reply-")
# A message ends at the highest of what is said of it, so the order in which receipts come does not matter.
RANKS = {"sent": 1, "failed": 2, "delivered": 3, "read": 4}


@dataclass(frozen=True, slots=True)
class Applied:
    """How many messages moved, and the receipts that named no message of this provider.

    An unmatched one may be early, when the provider was faster than the worker that writes down its answer. A test's or
    an answer's is only among them when it says that somebody opted out, and nobody knows who.
    """

    moved: int
    unmatched: Sequence[Receipt]


@dataclass(frozen=True, slots=True)
class Said:
    """All that receipts say of one message."""

    status: str
    sent_at: datetime | None
    delivered_at: datetime | None
    error: str
    provider_message_id: str


def apply(alias: str, receipts: Sequence[Receipt]) -> Applied:
    """Write what this provider's receipts say, in one transaction; how many messages moved, and which are not known.

    Who a receipt says has opted out is not written to again: that is written in the same transaction, also where the
    message is not known but the number is.
    What is known already, or ranks lower, changes nothing, so it may be repeated, also when a deadlock made it fail.
    `pending`, `skipped` and `cancelled` messages never move, nor does a campaign that has ended.
    """
    with transaction.atomic():
        matches = _lock(alias, receipts)
        about: dict[int, list[Receipt]] = defaultdict(list)
        strays = []
        for receipt in receipts:
            ids = matches.get(_key(receipt), ())
            for message_id in ids:
                about[message_id].append(receipt)
            if not ids:
                strays.append(receipt)
        moved = _write({message_id: combine(said) for message_id, said in about.items()}) if about else 0
        vendor_opt_outs.note(
            {
                pk: min(each.at for each in said if each.opted_out)
                for pk, said in about.items()
                if any(map(_is_wish, said))
            }
        )
        lost = vendor_opt_outs.note_strays(alias, [each for each in strays if each.opted_out])
    unmatched = [each for each in strays if not each.reference.startswith(OUTSIDE) or each in lost]
    # Without the providers' ids: those of WhatsApp hold the phone.
    log.info("receipts", provider=alias, given=len(receipts), moved=moved, unmatched=len(unmatched))
    return Applied(moved, unmatched)


def combine(receipts: Iterable[Receipt]) -> Said:
    """What these receipts of one message say together, whatever their order. Pure."""
    # The parts of a message may fail in the same second, each with an error of its own.
    by_rank = sorted(receipts, key=lambda each: (RANKS[each.status], each.at, each.error, each.provider_message_id))
    failed = [receipt for receipt in by_rank if receipt.status == "failed"]
    arrived = [receipt.at for receipt in by_rank if receipt.status in ("delivered", "read")]
    reached = [receipt.at for receipt in by_rank if receipt.status != "failed"]
    names = [receipt.provider_message_id for receipt in by_rank if receipt.provider_message_id]
    return Said(
        status=by_rank[-1].status,
        sent_at=min(reached, default=None),
        delivered_at=min(arrived, default=None),
        error=storable(failed[-1].error)[:LONGEST_ERROR] if failed else "",
        provider_message_id=storable(names[-1])[:LONGEST_PROVIDER_ID] if names else "",
    )


def _is_wish(receipt: Receipt) -> bool:
    return receipt.opted_out


def _key(receipt: Receipt) -> int | str | None:
    """Our id where it gives one, else the provider's; None for a reference that is none of ours, such as a test's."""
    if not receipt.reference:
        return storable(receipt.provider_message_id)[:LONGEST_PROVIDER_ID] or None
    ours = receipt.reference.isascii() and receipt.reference.isdecimal() and len(receipt.reference) <= 19
    return int(receipt.reference) if ours and int(receipt.reference) <= LARGEST_ID else None


def _lock(alias: str, receipts: Sequence[Receipt]) -> dict[int | str | None, list[int]]:
    """The ids of the messages behind each key, locked in the order of the ids: two that come at once wait in line."""
    keys = {_key(receipt) for receipt in receipts}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, provider_message_id FROM outbound_messages WHERE provider = %(alias)s AND id IN ("
            " SELECT unnest(%(ids)s::bigint[]) UNION ALL SELECT id FROM outbound_messages"
            " WHERE provider_message_id = ANY(%(names)s::text[]) AND provider_message_id <> '')"
            " ORDER BY id FOR NO KEY UPDATE",
            {
                "alias": alias,
                "ids": [key for key in keys if isinstance(key, int)],
                "names": [key for key in keys if isinstance(key, str)],
            },
        )
        found: dict[int | str | None, list[int]] = defaultdict(list)
        for message_id, name in cursor.fetchall():
            found[message_id].append(message_id)
            if name:
                found[name].append(message_id)
    return found


def _write(said: dict[int, Said]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, _columns(said))
        return int(cursor.rowcount)


def _columns(said: dict[int, Said]) -> dict[str, Any]:
    each = list(said.values())
    return {
        "ids": list(said),
        "statuses": [one.status for one in each],
        "ranks": [RANKS[one.status] for one in each],
        "sent_ats": [one.sent_at for one in each],
        "delivered_ats": [one.delivered_at for one in each],
        "errors": [one.error for one in each],
        "names": [one.provider_message_id for one in each],
    }


# A message that failed by a receipt ranks as one; that we held for failed otherwise ranks lowest, since the provider,
# which took it after all, knows better.
_RANK = f"""CASE
    WHEN message.status IN ('sending', 'unknown') THEN 0
    WHEN message.status = 'failed' AND message.reason <> '{Reason.UNDELIVERED}' THEN 0
    {" ".join(f"WHEN message.status = '{status}' THEN {rank}" for status, rank in RANKS.items())}
END"""
# A provider's clock may be ahead of ours, but nothing happened after now; least() alone takes null for infinity.
_PAST = "CASE WHEN {0} IS NOT NULL THEN least({0}, statement_timestamp()) END"
_WRITE = f"""
UPDATE outbound_messages AS message SET
    status = said.status,
    reason = CASE WHEN said.status = 'failed' THEN '{Reason.UNDELIVERED}' END,
    last_error = CASE WHEN said.status = 'failed' THEN said.error ELSE message.last_error END,
    due_at = NULL,
    provider_message_id = coalesce(nullif(message.provider_message_id, ''), said.name),
    sent_at = coalesce(message.sent_at, {_PAST.format("said.sent_at")}),
    delivered_at = coalesce(message.delivered_at, {_PAST.format("said.delivered_at")}),
    updated_at = statement_timestamp()
FROM unnest(
    %(ids)s::bigint[], %(statuses)s::text[], %(ranks)s::int[], %(sent_ats)s::timestamptz[],
    %(delivered_ats)s::timestamptz[], %(errors)s::text[], %(names)s::text[]
) AS said (id, status, rank, sent_at, delivered_at, error, name)
WHERE message.id = said.id AND said.rank > {_RANK}
    AND NOT (message.status = 'failed' AND said.status = 'failed')
"""  # noqa: S608
