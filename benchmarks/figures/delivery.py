"""Delivery through Celery to a provider that answers at once, against what bounds it: the database, and Celery."""

import os
import time
from collections.abc import Generator
from typing import Any

from django.db import connection

from benchmarks import bare, stage
from benchmarks.processes import THREADS, Process, worker
from benchmarks.providers import Instant
from benchmarks.ratios import Figure, Round, Run

TASKS = 5_000
FIGURES = [
    Figure(
        "delivery_vs_update",
        "rows from pending to sent with a provider that answers at once, through Celery",
        "one UPDATE of all those rows",
        "messages/s",
        at_least=0.30,
    ),
    Figure("delivery_vs_celery", "the same", "bare no-op Celery tasks", "messages/s", at_least=25),
]


def measure(rows: int) -> Generator[Round, None, None]:
    """Each round launches the rows twice: for the workers, and for the UPDATE."""
    with worker("instant", Instant) as running:
        running.until_ready()
        while True:
            stage.clear()
            campaign = stage.launched(rows, "instant")
            stage.settle()
            delivered = rows / stage.deliver(campaign)
            stage.clear()
            stage.launched(rows, "instant")
            stage.settle()
            updated = rows / _update()
            tasks = _tasks_a_second()
            yield {
                "delivery_vs_update": Run(delivered, updated, rows),
                "delivery_vs_celery": Run(delivered, tasks, rows),
            }


def _update() -> float:
    begun = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outbound_messages SET status = 'sent', provider = 'instant',"
            " provider_message_id = 'instant-' || id, sent_at = now(), updated_at = now()"
        )
    return time.monotonic() - begun


def _tasks_a_second() -> float:
    """How many a worker with as many threads gets through; they wait for it, so that nobody's sending is measured."""
    queue = f"bare-{os.urandom(4).hex()}"
    options = ["-P", "threads", "-c", str(THREADS), "--without-gossip", "--without-mingle", "-Q", queue]
    for _ in range(TASKS):
        bare.nothing.apply_async(queue=queue)
    broker: Any
    with bare.app.connection_for_read() as broker:
        client = broker.default_channel.client
        with Process(["-m", "celery", "-A", "benchmarks.bare", "worker", *options], {}):
            stage.until(lambda: client.llen(queue) < TASKS, "the bare worker begins")
            begun, waiting = time.monotonic(), client.llen(queue)
            stage.until(lambda: not client.llen(queue), "the bare worker is done")
            return float(waiting / (time.monotonic() - begun))
