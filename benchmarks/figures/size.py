"""Whether a large campaign leaves the next one as fast; only when it is asked for, since it takes minutes.

`STORAGE="fillfactor = 70" make bench ARGS=size` tries other settings of the ledger's table: how those of the migration
were chosen.
"""

import os
from collections.abc import Generator

from django.db import connection

from benchmarks import stage
from benchmarks.processes import worker
from benchmarks.providers import Instant
from benchmarks.ratios import Figure, Round, Run

# So many times the rows is a large campaign: a million with the default.
LARGE = 5
FIGURES = [
    Figure(
        "after_a_large_one",
        "delivery of a campaign just after one of five times BENCH_ROWS",
        "the same before it, in an empty ledger",
        "messages/s",
        at_least=0.9,
    ),
    Figure("large_one", "delivery of the large campaign itself", "the same", "messages/s"),
    Figure(
        "bytes_after", "the table and its indexes when all is delivered", "as often what the first campaign took", "MB"
    ),
]


def measure(rows: int) -> Generator[Round, None, None]:
    """Delivery alone; nothing is emptied in between, and autovacuum does what it does."""
    with worker("instant", Instant) as running:
        running.until_ready()
        while True:
            stage.clear()
            _set_storage()
            before, one = _rate(rows), _megabytes()
            large, after = _rate(LARGE * rows), _rate(rows)
            yield {
                "after_a_large_one": Run(after, before, rows),
                "large_one": Run(large, before, LARGE * rows),
                "bytes_after": Run(_megabytes(), (LARGE + 2) * one, (LARGE + 2) * rows),
            }


def _rate(rows: int) -> float:
    campaign = stage.launched(rows, "instant")
    stage.settle()
    return rows / stage.deliver(campaign)


def _set_storage() -> None:
    if storage := os.environ.get("STORAGE"):
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE outbound_messages SET ({storage})")


def _megabytes() -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('outbound_messages') / 1e6")
        return float(cursor.fetchone()[0])
