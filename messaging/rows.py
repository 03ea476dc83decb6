"""Letters as rows of the ledger: composed as the text that COPY takes, and written with the batches over them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from campaigns.writing import LONGEST_TEXT, Letter
from messaging.models import MessageBatch, Status
from messaging.reasons import Reason

# Messages a worker takes on together. Claim and outcome together ran at 0.48-0.57 of one UPDATE of all rows in slices
# of 2,000 and 0.31-0.38 in slices of 50; a batch is the most that one lease can cover.
BATCH = 2_000
# A small campaign is shared among some threads all the same, because a batch is one thread's: 3,500 messages in two
# batches reached 0.69 of a limit of 500/s at a vendor that takes 400 ms.
LEAST_BATCH, BATCHES = 250, 5
# Rows a transaction: what comes with each of them (locks, cursor, commit, bells) takes 10 ms, the rows 15 µs each.
PAGE = BATCHES * BATCH

_COLUMNS = "id, campaign_id, customer_id, status, reason, address, rendered_content, parts"
# COPY's text format (PostgreSQL, COPY, “File Formats”): \N is null; these four end a value or begin an escape.
_ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_PENDING = f"{Status.PENDING.value}\t\\N"
_SKIPPED = {reason: f"{Status.SKIPPED.value}\t{reason.value}" for reason in Reason}


@dataclass(frozen=True, slots=True)
class Rows:
    """A campaign's rows for some customers, the first and the last id of each batch, and how many of the rows wait."""

    campaign_id: int
    text: str
    batches: tuple[tuple[int, int], ...]
    pending: int
    skipped: int
    has_variables: bool = False


def batch_size(messages: int) -> int:
    """How many messages a batch has where so many are written together. Pure."""
    return min(BATCH, max(LEAST_BATCH, -(-messages // BATCHES)))


def compose(campaign_id: int, letters: Sequence[Letter], *, batch: int) -> Rows:
    """One row a letter, in their order and with fresh ids, and a batch for every `batch` of those that wait.

    Written out by hand, in one piece: `write_row` took 2.3 µs a row instead of 1.4, and asked for Python's lock with
    every few rows, which the thread that reads ahead holds.
    """
    lines: list[str] = []
    waiting: list[int] = []
    has_variables = bool(letters) and letters[0].variables is not None
    for message_id, letter in zip(_new_ids(len(letters)), letters, strict=True):
        customer_id, address, text, parts, refusal, variables = letter
        reason = Reason(refusal) if refusal else _why_not(text)
        if reason is None:
            waiting.append(message_id)
            fate = _PENDING
        else:
            fate = _SKIPPED[reason]
            if reason is Reason.TOO_LONG:
                text, parts = "", 0
        if "\n" in text or "\\" in text or "\t" in text or "\r" in text:
            text = text.translate(_ESCAPED)
        filled = f"\t{json.dumps(variables).translate(_ESCAPED)}" if has_variables else ""
        lines.append(f"{message_id}\t{campaign_id}\t{customer_id}\t{fate}\t{address}\t{text}\t{parts}{filled}\n")
    spans = (waiting[first : first + batch] for first in range(0, len(waiting), batch))
    batches = tuple((span[0], span[-1]) for span in spans)
    return Rows(campaign_id, "".join(lines), batches, len(waiting), len(letters) - len(waiting), has_variables)


def write(rows: Rows, provider: str) -> None:
    """COPY the rows, and hand those that wait to the workers of this provider. Call it inside a transaction."""
    if rows.text:
        copying = f"COPY outbound_messages ({_COLUMNS}{', variables' if rows.has_variables else ''}) FROM STDIN"
        # `copy` is psycopg's own: without this its faults are not Django's, and nobody repeats or expects them.
        with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(copying) as copy:
            copy.write(rows.text)
    MessageBatch.objects.bulk_create(
        MessageBatch(campaign_id=rows.campaign_id, provider=provider, first_id=first, last_id=last)
        for first, last in rows.batches
    )


def _why_not(text: str) -> Reason | None:
    if not text or text.isspace():
        return Reason.EMPTY_TEXT
    return Reason.TOO_LONG if len(text) > LONGEST_TEXT else None


def _new_ids(count: int) -> list[int]:
    """Fresh ids, ascending: COPY returns none, and the batches need to know their range."""
    with connection.cursor() as cursor:
        # The name of the sequence is looked up once: for every row it took 3 µs of PostgreSQL's time.
        cursor.execute(
            "WITH ids AS MATERIALIZED (SELECT pg_get_serial_sequence('outbound_messages', 'id')::regclass AS sequence)"
            " SELECT nextval(ids.sequence) FROM ids, generate_series(1, %s)",
            [count],
        )
        return [message_id for (message_id,) in cursor.fetchall()]
