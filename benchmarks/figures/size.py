"""Whether a large campaign leaves the next one as fast; only when it is asked for, since it takes minutes.

`STORAGE="outbound_messages: fillfactor = 70" BENCH_ROWS=1000000 make bench ARGS=size` tries other settings of a table:
how those of the migration were chosen.
"""

import os
from collections.abc import Generator

from django.db import connection

from benchmarks import stage
from benchmarks.processes import worker
from benchmarks.providers import Instant
from benchmarks.ratios import Figure, Round, Run

# A campaign of BENCH_ROWS is the large one, the one before it and the one after it have so many times fewer messages.
TIMES = 5
FIGURES = [
    Figure(
        "after_a_large_one",
        "delivery of a campaign just after one of five times its size",
        "the same before it, in an empty ledger",
        "messages/s",
        at_least=0.9,
    ),
    Figure("large_one", "delivery of the large campaign itself", "the same", "messages/s"),
    Figure(
        "bytes_after",
        "the ledger and its indexes when all is delivered",
        "seven times what the first campaign took",
        "MB",
    ),
    Figure("hot_batches", "updates of message_batches that touched no index (HOT)", "all its updates", "updates"),
    Figure("hot_counts", "updates of campaign_progress that touched no index (HOT)", "all its updates", "updates"),
    Figure("dead_after", "dead rows in the ledger when all is delivered", "all its rows", "rows"),
]


def measure(rows: int) -> Generator[Round, None, None]:
    """Delivery alone; nothing is emptied in between, and autovacuum does what it does."""
    with worker("instant", Instant) as running:
        running.until_ready()
        while True:
            stage.clear()
            _set_storage()
            small = rows // TIMES
            before, one = _rate(small), _megabytes()
            large, after = _rate(rows), _rate(small)
            yield _statistics(rows) | {
                "after_a_large_one": Run(after, before, small),
                "large_one": Run(large, before, rows),
                "bytes_after": Run(_megabytes(), (TIMES + 2) * one, (TIMES + 2) * small),
            }


def _rate(rows: int) -> float:
    campaign = stage.launched(rows, "instant")
    stage.settle()
    return rows / stage.deliver(campaign)


def _set_storage() -> None:
    with connection.cursor() as cursor:
        for change in filter(None, os.environ.get("STORAGE", "").split(";")):
            table, _, storage = change.partition(":")
            cursor.execute(f"ALTER TABLE {table} SET ({storage})")


def _statistics(rows: int) -> Round:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, n_tup_hot_upd, n_tup_upd, n_dead_tup, n_live_tup FROM pg_stat_user_tables"
            " WHERE relname IN ('outbound_messages', 'message_batches', 'campaign_progress')"
        )
        stats = {name: counts for name, *counts in cursor.fetchall()}
    (hot_b, all_b, *_), (hot_c, all_c, *_) = stats["message_batches"], stats["campaign_progress"]
    *_, dead, live = stats["outbound_messages"]
    return {
        "hot_batches": Run(hot_b, all_b, rows),
        "hot_counts": Run(hot_c, all_c, rows),
        "dead_after": Run(dead, dead + live, rows),
    }


def _megabytes() -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('outbound_messages') / 1e6")
        return float(cursor.fetchone()[0])
