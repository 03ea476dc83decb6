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
    from messaging import tasks  # (tasks import those who ring)

    _ring(tasks.deliver, at=at, times=min(batches, MOST_WAITING))


def ring_launch(campaign_id: int) -> None:
    """Wake a worker to write the messages of a campaign that is launching."""
    from messaging import tasks  # (tasks import those who ring)

    _ring(tasks.launch, campaign_id=campaign_id)


def ring_start(at: datetime) -> None:
    """Wake a worker at the time of a scheduled campaign."""
    from messaging import tasks  # (tasks import those who ring)

    _ring(tasks.start, at=at)


def on_commit(ring: Callable[[], object]) -> None:
    """Ring when the running transaction is committed; never when it is rolled back."""
    transaction.on_commit(ring)


def _ring(task: Any, *, at: datetime | None = None, times: int = 1, **kwargs: Any) -> None:
    """A time beyond half the broker's visibility timeout is left to the sweep: Redis would hand such a task out again
    and again (measured: 20 tasks ran 80 times).
    """
    now = timezone.now()
    if at is not None and (at - now).total_seconds() > settings.BROKER_VISIBILITY_SECONDS / 2:
        return
    queue = settings.CELERY_TASK_ROUTES[task.name]["queue"]
    when: dict[str, Any] = {"eta": at} if at is not None and at > now else {}
    broker: Any
    with current_app.connection_for_write() as broker:
        try:
            # kombu's own patience holds up whoever rings while Redis is away (measured: 6 s a bell).
            broker.ensure_connection(max_retries=0)
            for _ in range(min(times, MOST_WAITING - broker.default_channel.client.llen(queue))):
                task.apply_async(kwargs=kwargs, **when, connection=broker)
        except (OperationalError, RedisError) as fault:
            log.warning("bell_lost", task=task.name, fault=type(fault).__name__, found_by="the sweep")
