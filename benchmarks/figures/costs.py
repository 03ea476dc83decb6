"""What one message costs: processor time, and bytes of write-ahead log, table and indexes. No reach is set."""

import time
from collections.abc import Generator

from django.db import connection

from benchmarks import stage
from benchmarks.processes import postgres_cpu_seconds, worker
from benchmarks.providers import Instant
from benchmarks.ratios import Figure, Round, Run

MOST_ROWS = 100_000
FIGURES = [
    Figure("launch_cpu", "processor time of a launch, Clarion's", "PostgreSQL's", "µs/message", digits=1),
    Figure("delivery_cpu", "processor time of a delivery, the worker's", "PostgreSQL's", "µs/message", digits=1),
    Figure("wal", "write-ahead log of a delivery", "of a launch", "bytes/message"),
    Figure("bytes_launched", "table after the launch", "its indexes", "bytes/message"),
    Figure("bytes_delivered", "table after the delivery, dead rows included", "its indexes", "bytes/message"),
]


def measure(rows: int) -> Generator[Round, None, None]:
    """Launched in this process, delivered by a worker."""
    rows = min(rows, MOST_ROWS)
    with worker("instant", Instant) as running:
        running.until_ready()
        while True:
            stage.clear()
            campaign = stage.paused(rows)
            stage.settle()
            log, cpu, own = _log_bytes(), postgres_cpu_seconds(), time.process_time()
            stage.launch(campaign, "instant")
            launched = (_log_bytes() - log, postgres_cpu_seconds() - cpu, time.process_time() - own)
            sizes = _sizes()
            stage.settle()
            log, cpu, own = _log_bytes(), postgres_cpu_seconds(), running.cpu_seconds
            stage.deliver(campaign)
            delivered = (_log_bytes() - log, postgres_cpu_seconds() - cpu, running.cpu_seconds - own)
            yield {
                "launch_cpu": Run(launched[2] / rows * 1e6, launched[1] / rows * 1e6, rows),
                "delivery_cpu": Run(delivered[2] / rows * 1e6, delivered[1] / rows * 1e6, rows),
                "wal": Run(delivered[0] / rows, launched[0] / rows, rows),
                "bytes_launched": Run(sizes[0] / rows, sizes[1] / rows, rows),
                "bytes_delivered": Run(_sizes()[0] / rows, _sizes()[1] / rows, rows),
            }


def _log_bytes() -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT (pg_current_wal_insert_lsn() - '0/0')::float8")
        return float(cursor.fetchone()[0])


def _sizes() -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_table_size('outbound_messages'), pg_indexes_size('outbound_messages')")
        table, indexes = cursor.fetchone()
        return table, indexes
