"""Rings the workers. A bell carries nothing that matters: what is to be done stands in the database, and the sweep
finds it when the bell was lost.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from celery import current_app
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

# Each bell makes a worker go on as long as it finds something, so more that wait would only fill Redis.
MOST_WAITING = 16


def ring_delivery(batches: int = 1, *, at: datetime | None = None) -> None:
    """Wake up to `batches` workers for what is due, now or `at` that time; harmless when nothing is."""
    _ring("messaging.deliver", at=at, times=batches)


def ring_launch(campaign_id: int) -> None:
    """Wake a worker to write the messages of a campaign that is launching."""
    _ring("messaging.launch", campaign_id=campaign_id)


def ring_start(at: datetime) -> None:
    """Wake a worker at the time of a scheduled campaign."""
    _ring("messaging.start", at=at)


def on_commit(ring: Callable[[], object]) -> None:
    """Ring when the running transaction is committed; never when it is rolled back."""
    transaction.on_commit(ring)


def _ring(task: str, *, at: datetime | None = None, times: int = 1, **kwargs: Any) -> None:
    """Put bells in the task's queue by its name (the tasks import those who ring), unless enough wait there."""
    now = timezone.now()
    # What is far off is left to the sweep: Redis hands out again and again what it holds longer than the visibility
    # timeout (measured: 20 tasks ran 80 times).
    if at is not None and (at - now).total_seconds() > settings.BROKER_VISIBILITY_SECONDS / 2:
        return
    when: dict[str, Any] = {"eta": at} if at is not None and at > now else {}
    queue = settings.CELERY_TASK_ROUTES[task]["queue"]
    broker: Any
    # From the pool: a connection of its own for each bell took a tenth of a busy worker's time.
    with current_app.pool.acquire(block=True) as broker:
        try:
            # kombu's own patience holds up whoever rings while Redis is away (measured: 6 s a bell).
            broker.ensure_connection(max_retries=0)
            for _ in range(min(times, MOST_WAITING - broker.default_channel.client.llen(queue))):
                current_app.send_task(task, kwargs=kwargs, connection=broker, **when)
        except (OperationalError, RedisError) as fault:
            log.warning("bell_lost", task=task, fault=type(fault).__name__, found_by="the sweep")
