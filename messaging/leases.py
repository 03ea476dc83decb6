"""Who may move the pending messages of a batch: taken, renewed, handed back, and narrowed to what is left."""

import os
import socket
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from messaging import breaker, providers
from messaging.turns import Candidate, choose

# Who we are, for those who read a log or ask who held a batch: host and process.
WORKER = f"{socket.gethostname()[:200]}:{os.getpid()}"


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
    # The account had failures or was held when the batch was taken; and this lease is to try it again.
    troubled: bool = False
    probes: bool = False
    # Of the campaign's WhatsApp template: its name, or none for free text, and its language.
    template: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Released:
    """What is left of a batch: its next due time, or None when nothing in it is pending."""

    due_at: datetime | None


class LeaseLost(Exception):
    """Somebody else has the batch now, or nobody: it was taken for dead. Nothing more may be done in it."""


class NoProvider(LookupError):
    """A batch waits for an account that is no longer there; nothing was leased."""

    def __init__(self, campaign_id: int, alias: str) -> None:
        self.campaign_id = campaign_id
        super().__init__(alias)


def take(*, without: Collection[str] = ()) -> Lease | None:
    """Lease the next due batch of a campaign that is sending, or None when there is none.

    Campaigns take turns in proportion to their weights. Accounts of `without` are passed over, as are those that are
    held; of an account whose breaker is open one batch is leased to probe it. Raises `NoProvider` when the batch's
    alias is no longer configured.
    """
    candidates, turn = _candidates(without)
    while candidates:
        candidate = choose(candidates, turn)
        if lease := _lease(candidate):
            return lease
        candidates.remove(candidate)
    return None


def _candidates(without: Collection[str]) -> tuple[list[Candidate], int]:
    with connection.cursor() as cursor:
        cursor.execute(_CANDIDATES, {"without": list(without)})
        rows = cursor.fetchall()
    return [Candidate(*row[1:]) for row in rows], rows[0][0] if rows else 0


_CANDIDATES = """
SELECT (SELECT nextval('message_turns')), campaign.id, due.provider, campaign.weight,
    coalesce(state.failures, 0), coalesce(state.hold, '')
FROM campaigns AS campaign
JOIN (
    SELECT DISTINCT campaign_id, provider FROM message_batches
    WHERE lease IS NULL AND due_at <= statement_timestamp()
) AS due ON due.campaign_id = campaign.id
LEFT JOIN sender_states AS state ON state.alias = due.provider
WHERE campaign.status = 'sending' AND due.provider <> ALL(%(without)s)
    AND (state.held_until IS NULL OR state.held_until <= statement_timestamp())
ORDER BY campaign.id, due.provider
"""


def _lease(candidate: Candidate) -> Lease | None:
    """Lease the candidate's first due batch; None when others took all, or somebody else probes its account."""
    token = uuid.uuid4()
    try:
        timeout_seconds = providers.capabilities(candidate.provider).timeout_seconds
    except providers.UnknownAlias:
        raise NoProvider(candidate.campaign_id, candidate.provider) from None
    # Longer than two calls may take, so that a lease in use never runs out; as short as that, so that the batch of a
    # dead worker is soon another's.
    seconds = 2 * timeout_seconds + 5
    probes = candidate.hold == "breaker"
    if probes and not breaker.may_probe(candidate.provider, seconds):
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE,
            {
                "campaign": candidate.campaign_id, "provider": candidate.provider, "token": token, "worker": WORKER,
                "seconds": seconds,
            },
        )  # fmt: skip
        row = cursor.fetchone()
    if row is None:
        return None
    batch_id, channel, first_id, last_id, *template = row
    troubled = bool(candidate.failures or candidate.hold)
    return Lease(
        token,
        batch_id,
        candidate.campaign_id,
        channel,
        candidate.provider,
        first_id,
        last_id,
        seconds,
        troubled,
        probes,
        *template,
    )


_TAKE = """
UPDATE message_batches AS batch
SET lease = %(token)s, worker = %(worker)s,
    leased_until = statement_timestamp() + make_interval(secs => %(seconds)s)
FROM campaigns AS campaign
WHERE campaign.id = batch.campaign_id AND campaign.status = 'sending' AND batch.id = (
    SELECT id FROM message_batches
    WHERE campaign_id = %(campaign)s AND provider = %(provider)s AND lease IS NULL AND due_at <= statement_timestamp()
    ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING batch.id, campaign.channel, batch.first_id, batch.last_id, campaign.whatsapp_template,
    campaign.whatsapp_language
"""


def params(lease: Lease) -> dict[str, Any]:
    """What statements about a leased batch need to know of it."""
    return {
        "batch": lease.batch_id, "token": lease.token, "seconds": lease.seconds, "campaign": lease.campaign_id,
        "first": lease.first_id, "last": lease.last_id,
    }  # fmt: skip


# The beginning of a statement that does what it does only `WHERE EXISTS (SELECT 1 FROM renewed)`: it locks the batch
# first, and waits for whoever takes it for dead.
RENEWED = """renewed AS (
    UPDATE message_batches SET leased_until = statement_timestamp() + make_interval(secs => %(seconds)s)
    WHERE id = %(batch)s AND lease = %(token)s RETURNING 1
)"""


def renew(lease: Lease) -> bool:
    """Lengthen the lease, and lock the batch for the rest of the transaction; false when it is no longer ours."""
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {RENEWED} SELECT count(*) FROM renewed", params(lease))  # noqa: S608
        return bool(cursor.fetchone()[0])


def release(lease: Lease) -> Released | None:
    """Hand the batch back, narrowed to what is still pending; it goes when nothing is.

    What is `sending` here was marked by a transaction whose commit was never confirmed to us, so nobody was called for
    it: it is pending again.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if not renew(lease):
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
