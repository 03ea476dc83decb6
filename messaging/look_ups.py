"""Asks providers afterwards what became of messages whose answer never came, where their adapters can tell.

A message that becomes `unknown` is due to be asked about after some seconds; `updated_at` is since when it is unknown,
and the waits double from there. Where nobody can tell within an hour it stays unknown for its owner to settle.

An account that never got a message says so truthfully, also when the one that its alias stood for before has delivered
it. So that something was never accepted is believed only of what was handed over to the account that is asked.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import structlog
from django.db import connection

from messaging import accounts, providers
from messaging.providers.base import Accepted, GiveUp
from messaging.reasons import Reason
from messaging.verdicts import LONGEST_ERROR, LONGEST_PROVIDER_ID, storable

log = structlog.get_logger(__name__)

# A provider may need a moment before it can find what it was just given.
FIRST_SECONDS = 10.0
GIVE_UP_SECONDS = 3600.0
# Before that a provider that knows nothing of a message may still have it in a queue of its own: told failed, it might
# be retried and arrive twice.
CERTAIN_SECONDS = 120.0
# After that it may have forgotten: logs go back 48 hours, and a system that stood still over a weekend must not take
# what was delivered for never accepted.
FORGOTTEN_SECONDS = 86_400.0
# How long before it was told `unknown` a message may have been handed over: a lease, the patience of `delivery.py`, and
# processes that learn of a changed account one after the other.
HANDED_OVER_SECONDS = 900.0

# The accounts as this process noticed them last.
_noticed: dict[str, accounts.Account] = {}


def first_wait(alias: str) -> float | None:
    """In how many seconds an unknown message of this provider is asked about; None when its adapter cannot tell."""
    try:
        return FIRST_SECONDS if providers.capabilities(alias).looks_up else None
    except providers.UnknownAlias:
        return None


def notice(alias: str) -> None:
    """Note whether the alias stands for another account than before; nothing where this process has done so already.

    Call it before anything is handed over to an account that can be asked afterwards. One statement; may be repeated.
    """
    if _noticed.get(alias) != accounts.of_alias(alias):
        _notice(alias)


def _notice(alias: str) -> None:
    account = accounts.of_alias(alias)
    with connection.cursor() as cursor:
        cursor.execute(_NOTICE, {"alias": alias, "digest": accounts.digest(account)})
    _noticed[alias] = account


_NOTICE = """
INSERT INTO account_changes AS known (alias, digest) VALUES (%(alias)s, %(digest)s)
ON CONFLICT (alias) DO UPDATE SET
    changed_at = CASE WHEN known.digest <> excluded.digest THEN clock_timestamp() ELSE known.changed_at END,
    digest = excluded.digest, noticed_at = clock_timestamp()
"""


def look_up_due() -> int:
    """Ask each provider that can tell about one slice of what is due; of how many messages something came to be known.

    Leaves the house, with no transaction open. May run anywhere and at any time: a slice belongs to who claimed it, and
    one whose worker died is due again a little after the call's time-out.
    """
    return sum(_look_up(alias) for alias in accounts.known() if first_wait(alias) is not None)


def _look_up(alias: str) -> int:
    claimed = _claim(alias)
    if claimed is None:
        return 0
    ids, until = claimed
    answers = providers.look_up(alias, [str(message_id) for message_id in ids])
    _notice(alias)  # after the answer, which may be the first word of another account
    known = _write(ids, until, answers)
    log.info("looked_up", provider=alias, asked=len(ids), **known)
    return sum(known.values())


def _claim(alias: str) -> tuple[list[int], datetime] | None:
    """The ids of the next slice, and the time until which it is ours; None when nothing is due."""
    capabilities = providers.capabilities(alias)
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH slice AS MATERIALIZED ("
            " SELECT id FROM outbound_messages"
            " WHERE provider = %(alias)s AND status = 'unknown' AND due_at <= statement_timestamp()"
            " ORDER BY due_at LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED)"
            " UPDATE outbound_messages AS message"
            " SET due_at = statement_timestamp() + make_interval(secs => %(seconds)s)"
            " FROM slice WHERE message.id = slice.id RETURNING message.id, message.due_at",
            {"alias": alias, "limit": capabilities.in_flight, "seconds": capabilities.timeout_seconds + 5},
        )
        rows = sorted(cursor.fetchall())
    return ([message_id for message_id, _ in rows], rows[0][1]) if rows else None


def _write(ids: Sequence[int], until: datetime, answers: Sequence[Accepted | GiveUp | None]) -> Counter[str]:
    """Write what came of it where the claim still stands; how many were `sent` and `failed`.

    The claim no longer stands for what a receipt or a late answer settled meanwhile, or what its owner resent.
    """
    accepted = [answer.provider_message_id if isinstance(answer, Accepted) else None for answer in answers]
    refused = [answer.error if isinstance(answer, GiveUp) else None for answer in answers]
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            {
                "ids": list(ids), "until": until, "most": GIVE_UP_SECONDS, "certain": CERTAIN_SECONDS,
                "forgotten": FORGOTTEN_SECONDS, "handed_over": HANDED_OVER_SECONDS,
                "accepted": [name if name is None else storable(name)[:LONGEST_PROVIDER_ID] for name in accepted],
                "refused": [error if error is None else storable(error)[:LONGEST_ERROR] for error in refused],
            },
        )  # fmt: skip
        return Counter(status for (status,) in cursor.fetchall() if status != "unknown")


# Locked in the order of the ids, as receipts lock them. The wait that doubles is the time that it is unknown already;
# the last question is asked when the hour is over.
_WRITE = f"""
WITH answer AS MATERIALIZED (
    SELECT candidate.id, given.accepted,
        CASE WHEN statement_timestamp() - candidate.updated_at
            BETWEEN make_interval(secs => %(certain)s) AND make_interval(secs => %(forgotten)s)
            AND NOT EXISTS (
                SELECT 1 FROM account_changes WHERE alias = candidate.provider
                    AND changed_at > candidate.updated_at - make_interval(secs => %(handed_over)s)
            ) THEN given.refused END AS refused,
        extract(epoch FROM statement_timestamp() - candidate.updated_at) AS age
    FROM outbound_messages AS candidate
    JOIN unnest(%(ids)s::bigint[], %(accepted)s::text[], %(refused)s::text[]) AS given (id, accepted, refused)
        ON given.id = candidate.id
    WHERE candidate.status = 'unknown' AND candidate.due_at = %(until)s
    ORDER BY candidate.id FOR NO KEY UPDATE OF candidate
)
UPDATE outbound_messages AS message SET
    status = CASE WHEN accepted IS NOT NULL THEN 'sent' WHEN refused IS NOT NULL THEN 'failed' ELSE 'unknown' END,
    reason = CASE WHEN accepted IS NOT NULL THEN NULL
        WHEN refused IS NOT NULL THEN '{Reason.NOT_ACCEPTED}' ELSE message.reason END,
    last_error = coalesce(refused, message.last_error),
    provider_message_id = coalesce(nullif(accepted, ''), message.provider_message_id),
    sent_at = CASE WHEN accepted IS NOT NULL THEN message.updated_at ELSE message.sent_at END,
    due_at = CASE WHEN accepted IS NULL AND refused IS NULL AND age < %(most)s
        THEN statement_timestamp() + make_interval(secs => least(age, %(most)s - age)::float8) END,
    updated_at = CASE WHEN accepted IS NULL AND refused IS NULL THEN message.updated_at ELSE statement_timestamp() END
FROM answer WHERE message.id = answer.id
RETURNING message.status
"""  # noqa: S608
