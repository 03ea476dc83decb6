"""Celery alone, with production's settings and a task that does nothing: `celery -A benchmarks.bare worker`."""

import os

from celery import Celery

# Not the current application: bells that this process rings are for Clarion's workers.
app = Celery("bare", broker=os.environ.get("BARE_BROKER"), set_as_current=False)
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=1, broker_connection_retry_on_startup=True)


@app.task(name="bare.nothing", ignore_result=True)
def nothing() -> None:
    """Do nothing."""
