"""Those whom a campaign did not reach, as a CSV file for a spreadsheet: who, why, and since when."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection

from customers.spreadsheets import BOM, harmless, lines_of, moment
from messaging.models import Status
from messaging.reasons import Reason

STATUSES = (Status.FAILED, Status.UNKNOWN, Status.SKIPPED)
HEADER = (
    "message", "customer", "phone", "first_name", "last_name", "status", "reason", "why", "last_error", "retry_count",
    "updated_at",
)  # fmt: skip
PAGE = 2_000


def lines(campaign_id: int) -> Iterator[str]:
    """The file, page by page: the failed, then the unknown, then the skipped, each by ascending id.

    `phone` is the number as it was at launch. A page is a query of its own, so no memory and no transaction is held
    however long somebody takes to read it; a message that moves meanwhile may be missing or stand there twice.
    """
    yield BOM + lines_of([HEADER])
    words = dict(Reason.choices)
    for status in STATUSES:
        after = 0
        while page := _page(campaign_id, status, after):
            after = page[-1][0]
            yield lines_of([_row(row, words) for row in page])


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
    updated_at = moment(at)
    return [harmless(str(cell)) for cell in (*texts, reason, why, error, retries, updated_at)]
