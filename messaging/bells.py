"""Rings the workers. A bell carries nothing that matters: what is to be done stands in the database, and the sweep
finds it when the bell was lost.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from celery import current_app
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import LimitExceeded, OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

log = structlog.get_logger(__name__)

# What a connection that has ended raises.
BROKEN = (OperationalError, RedisConnectionError)

# A Redis that keeps silent is left alone for this long: whoever rings would else wait for its whole time-out each time.
LEFT_ALONE_SECONDS = 15.0
# For a connection of the pool, which has more than a worker has threads.
POOL_SECONDS = 1.0

# Each bell makes a worker go on as long as it finds something, so more that wait would only fill Redis.
MOST_WAITING = 16


@dataclass(frozen=True, slots=True)
class Bell:
    """A task to put in its queue so many times; `when` is what tells Celery to wait."""

    task: str
    kwargs: dict[str, Any]
    when: dict[str, Any]
    times: int


def ring_delivery(batches: int = 1, *, at: datetime | None = None) -> None:
    """Wake up to `batches` workers for what is due, now or `at` that time; harmless when nothing is."""
    _ring("messaging.deliver", at=at, times=batches)


def ring_launch(campaign_id: int) -> None:
    """Wake a worker to write the messages of a campaign that is launching."""
    _ring("messaging.launch", campaign_id=campaign_id)


def ring_start(at: datetime) -> None:
    """Wake a worker at the time of a scheduled campaign."""
    _ring("messaging.start", at=at)


def ring_hooks() -> None:
    """Wake a worker for what came in at the door."""
    _ring("messaging.hooks")


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
    bell = Bell(task, kwargs, {"eta": at} if at is not None and at > now else {}, times)
    if time.monotonic() < _Silence.until:
        _lost(bell, "silence")
        return
    try:
        # A connection of its own for each bell took a tenth of a busy worker's time.
        with current_app.pool.acquire(block=True, timeout=POOL_SECONDS) as broker:
            _put(broker, bell)
    except BROKEN as fault:
        if isinstance(fault.__cause__, RedisTimeoutError):
            _keep_away(bell, fault)
        else:
            _ring_anew(bell)
    except RedisTimeoutError as fault:
        _keep_away(bell, fault)
    except (RedisError, LimitExceeded) as fault:
        _lost(bell, type(fault).__name__)


class _Silence:
    """Until when this process rings nobody, because Redis took a connection and kept silent."""

    until = 0.0


def _keep_away(bell: Bell, fault: Exception) -> None:
    _Silence.until = time.monotonic() + LEFT_ALONE_SECONDS
    _lost(bell, type(fault).__name__)


def forget() -> None:
    """Believe in Redis again: for tests."""
    _Silence.until = 0.0


def _ring_anew(bell: Bell) -> None:
    """The pool's connection may be one to a Redis that was started again since."""
    try:
        with current_app.connection_for_write() as broker:
            _put(broker, bell)
    except (OperationalError, RedisError) as fault:
        if isinstance(fault, RedisTimeoutError) or isinstance(fault.__cause__, RedisTimeoutError):
            _keep_away(bell, fault)
        else:
            _lost(bell, type(fault).__name__)


def _put(broker: Any, bell: Bell) -> None:
    # kombu's own patience holds up whoever rings while Redis is away (measured: 6 s a bell).
    broker.ensure_connection(max_retries=0)
    queue = settings.CELERY_TASK_ROUTES[bell.task]["queue"]
    for _ in range(min(bell.times, MOST_WAITING - broker.default_channel.client.llen(queue))):
        current_app.send_task(bell.task, kwargs=bell.kwargs, connection=broker, **bell.when)


def _lost(bell: Bell, fault: str) -> None:
    log.warning("bell_lost", task=bell.task, fault=fault, found_by="the sweep")
