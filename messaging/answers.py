"""Answers replies: the one confirmation of a wish that the law allows, and help; outside the ledger, at most once."""

import structlog
from django.db import connection, transaction
from django.utils import timezone

from campaigns import parts
from customers.models import Channel
from messaging import providers, throttle, vendor_opt_outs
from messaging.arrivals import AnswerStatus
from messaging.providers.base import Accepted, Envelope, OptedOut, Outcome, SlowDown, StopAll, TryLater, Unknown
from messaging.verdicts import LONGEST_ERROR, storable

log = structlog.get_logger(__name__)

# A confirmation that comes later than five minutes after the wish is a message to somebody who wanted none (47 CFR
# 64.1200(a)(12)).
LATEST_SECONDS = 300.0
MOST = 50
PATIENCE_SECONDS = 2.0


def answer_due() -> int:
    """Send the answers that are due; how many were sent. Leaves the house: call it outside any transaction.

    May run anywhere and at any time: an answer belongs to who claimed it. One whose worker died while it was on the
    wire is `unknown` and never repeated; what the vendor surely did not take is tried again until it would be too late.
    """
    _end_what_is_late()
    sent = 0
    for _ in range(MOST):
        claimed = _claim()
        if claimed is None:
            break
        sent += _send(*claimed)
    return sent


def _end_what_is_late() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_LATE, {"latest": LATEST_SECONDS})


# Who said START and then STOP is not welcomed.
_TAKEN_BACK = """replies.wish = 'opt_in' AND EXISTS (SELECT 1 FROM consents
    WHERE consents.phone = replies.phone AND consents.channel = replies.channel AND consents.state = 'opted_out')"""
_LATE = f"""
UPDATE replies SET answer_until = NULL,
    answer_status = CASE answer_status WHEN 'sending' THEN 'unknown' ELSE 'expired' END
WHERE (answer_status = 'sending' AND answer_until < statement_timestamp())
    OR (answer_status = 'due' AND least(at, received_at) < statement_timestamp() - make_interval(secs => %(latest)s))
    OR (answer_status = 'due' AND {_TAKEN_BACK})
"""  # noqa: S608


def _claim() -> tuple[int, str, str, str, str] | None:
    """The id, account, channel, number and text of the next one, which is now ours; None when none is due."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM)
        row: tuple[int, str, str, str, str] | None = cursor.fetchone()
    return row


# Longer than any adapter may take.
_CLAIM = f"""
UPDATE replies SET answer_status = 'sending', answer_until = statement_timestamp() + interval '5 minutes'
WHERE id = (
    SELECT id FROM replies
    WHERE answer_status = 'due' AND (answer_until IS NULL OR answer_until <= statement_timestamp())
        AND NOT ({_TAKEN_BACK})
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id, alias, channel, phone, answer
"""  # noqa: S608


def _send(pk: int, alias: str, channel: str, phone: str, text: str) -> bool:
    count = parts.count(text).parts if channel == Channel.SMS else 1
    asked_at = timezone.now()
    try:
        if not throttle.acquire_urgently(alias, count, seconds=PATIENCE_SECONDS):
            outcome: Outcome = SlowDown("the account is at its limit")
        else:
            [outcome] = providers.submit(alias, [Envelope(f"reply-{pk}", channel, phone, text, count)])
    except providers.UnknownAlias:
        outcome = TryLater("there is no such sender")
    with transaction.atomic():
        _write(pk, outcome)
        if isinstance(outcome, OptedOut):
            vendor_opt_outs.note_number(phone, channel, alias, asked_at=asked_at)
    log.info("reply_answered", reply=pk, provider=alias, outcome=type(outcome).__name__)
    return isinstance(outcome, Accepted)


def _write(pk: int, outcome: Outcome) -> None:
    """Where the claim still stands; what was surely not taken is due again in a few seconds."""
    match outcome:
        case Accepted():
            status = AnswerStatus.SENT
        case TryLater() | SlowDown() | StopAll():
            status = AnswerStatus.DUE
        case Unknown():
            status = AnswerStatus.UNKNOWN
        case _:
            status = AnswerStatus.FAILED
    error = "" if isinstance(outcome, Accepted) else storable(outcome.error)[:LONGEST_ERROR]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE replies SET answer_status = %(status)s, answer_error = %(error)s,"
            " answer_until = CASE WHEN %(status)s = 'due' THEN statement_timestamp() + interval '10 seconds' END"
            " WHERE id = %(id)s AND answer_status = 'sending'",
            {"id": pk, "status": status.value, "error": error},
        )
