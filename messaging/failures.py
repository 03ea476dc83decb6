"""Those whom a campaign did not reach, as a CSV file for a spreadsheet: who, why, and since when."""

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from messaging.models import Status
from messaging.reasons import Reason

STATUSES = (Status.FAILED, Status.UNKNOWN, Status.SKIPPED)
HEADER = (
    "message", "customer", "phone", "first_name", "last_name", "status", "reason", "why", "last_error", "retry_count",
    "updated_at",
)  # fmt: skip
PAGE = 2_000
# Without it Excel reads UTF-8 as something else.
BOM = "\ufeff"


def lines(campaign_id: int) -> Iterator[str]:
    """The file, page by page: the failed, then the unknown, then the skipped, each by ascending id.

    `phone` is the number as it was at launch. A page is a query of its own, so no memory and no transaction is held
    however long somebody takes to read it; a message that moves meanwhile may be missing or stand there twice.
    """
    yield BOM + _csv([HEADER])
    words = dict(Reason.choices)
    for status in STATUSES:
        after = 0
        while page := _page(campaign_id, status, after):
            after = page[-1][0]
            yield _csv([_row(row, words) for row in page])


def harmless(cell: str) -> str:
    """The cell, with an apostrophe before what a spreadsheet would take for a formula.

    A phone number in E.164 stays as it is: at the worst it is read as the number that it is.
    """
    return f"'{cell}" if cell[:1] in _BEGINS_FORMULA and not _PHONE.fullmatch(cell) else cell


_BEGINS_FORMULA = frozenset("=+-@\t\r")
_PHONE = re.compile(r"\+[0-9]{1,15}")

# By the index on status, campaign and id: as quick at the end of a million as at the beginning. The page is cut before
# it is joined, so that no plan can join more.
_PAGE = """
SELECT page.id, page.customer_id, page.address, customer.first_name, customer.last_name, page.status,
    coalesce(page.reason, ''), page.last_error, page.retry_count, page.updated_at
FROM (
    SELECT * FROM outbound_messages WHERE status = %s AND campaign_id = %s AND id > %s ORDER BY id LIMIT %s
) AS page JOIN customers AS customer ON customer.id = page.customer_id
ORDER BY page.id
"""


def _page(campaign_id: int, status: Status, after: int) -> Sequence[Any]:
    with connection.cursor() as cursor:
        cursor.execute(_PAGE, [status.value, campaign_id, after, PAGE])
        return list(cursor.fetchall())


def _row(row: Any, words: dict[str, Any]) -> list[str]:
    *texts, reason, error, retries, at = row
    why = str(words.get(reason, ""))
    updated_at = _moment(at)
    return [harmless(str(cell)) for cell in (*texts, reason, why, error, retries, updated_at)]


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def _csv(rows: list[Any]) -> str:
    writer = csv.writer(_Echo())
    return "".join(map(writer.writerow, rows))  # it returns what the file's write returns
