"""Signs of life: a worker's heartbeat, which Celery's event loop drives while it is connected, and the clocks' bells.

A worker that hangs, or has lost its broker and not found it again, falls silent; one that is busy does not.
"""

import atexit
from pathlib import Path
from typing import Any

import structlog
from celery.signals import after_task_publish, heartbeat_sent, task_postrun, worker_ready
from django.conf import settings

from messaging import board, leases

log = structlog.get_logger(__name__)

SWEEP = "messaging.sweep"

# Name and threads of the worker that this process is; none before it takes tasks.
_worker: list[tuple[str, int]] = []


@worker_ready.connect
def begin(sender: Any, **_: Any) -> None:
    """The worker takes tasks, for the first time or again."""
    if not _worker:
        atexit.register(end)
    _worker[:] = [(sender.hostname, sender.pool.limit)]
    beat()


@heartbeat_sent.connect
def beat(**_: Any) -> None:
    """Every two seconds: note it in Redis and touch the file whose age a container's health check looks at."""
    for name, threads in _worker:
        board.sign_of_worker(name, leases.WORKER, threads)
        if settings.WORKER_HEARTBEAT_FILE:
            try:
                Path(settings.WORKER_HEARTBEAT_FILE).touch()
            except OSError as fault:
                log.error("heartbeat_file_untouched", file=settings.WORKER_HEARTBEAT_FILE, fault=fault.strerror)  # noqa: TRY400


def end() -> None:
    """The worker ended in peace: it is not missing.

    At the process's exit, and not at Celery's `worker_shutdown`, which a cold shutdown never sends.
    """
    for name, threads in _worker:
        board.farewell(name, leases.WORKER, threads)
    _worker.clear()


@after_task_publish.connect(sender=SWEEP)
def rang(**_: Any) -> None:
    """Beat rang for a sweep; nobody else does."""
    board.sign_of_clock("beat")


@task_postrun.connect
def swept(task: Any, **_: Any) -> None:
    """A worker swept."""
    if task.name == SWEEP:
        board.sign_of_clock("sweep")
