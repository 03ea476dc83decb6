"""What Celery runs: each task is a bell that makes a worker look at the database. Nothing else of messaging knows
Celery.

`autoretry_for` is for what befalls the task itself, the database or the broker being away; a message's own retries
stand in its row. Tasks take keyword arguments and tolerate unknown ones, so that old and new workers can run side by
side.
"""

import gc
import sys
import threading
import time
from typing import Any

from celery import shared_task
from celery.signals import celeryd_after_setup, worker_shutting_down
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from campaigns.audience import InvalidAudience
from campaigns.models import Campaign
from messaging import bells, delivery, dispatch, errands, heartbeat, hooks, launching, leases, recovery  # noqa: F401 (heartbeat: its receivers)
from messaging.seats import Seats

# So long a thread stays with one batch; then it is another campaign's turn, or the same one's again.
TURN_SECONDS = 1.0
# Longer, because with each turn the page that was read ahead is thrown away.
LAUNCH_TURN_SECONDS = 5.0
HOOKS_TURN_SECONDS = 0.5

AWAY: dict[str, Any] = {
    "autoretry_for": (OperationalError, InterfaceError, BrokerError),
    "retry_backoff": 1,
    "retry_backoff_max": 30,
    "retry_jitter": True,
    "max_retries": 8,
}


# Set to the worker's own number of threads when it starts.
seats = Seats(threads=8)


@shared_task(name="messaging.deliver", **AWAY)
def deliver(**_: Any) -> None:
    """Deliver due batches, one after the other, until none is left for this thread or the worker is told to stop.

    The thread need not be given back: `Seats` leaves others for sweeps and starts. When it was, and rang for its
    successor, workers whose seats were taken heard that bell as well as any (four delivered at 3.0 times one's speed).
    """
    while not delivery.stopping.is_set():
        try:
            with seats.lease() as lease:
                if lease is None:
                    return
                released = delivery.deliver(lease, until=time.monotonic() + TURN_SECONDS)
        except leases.NoProvider as missing:
            delivery.stop(missing.campaign_id)
            raise
        if released is None:
            continue
        if released.due_at is None:
            recovery.complete(Campaign(pk=lease.campaign_id))
        elif released.due_at > timezone.now():
            bells.ring_delivery(at=released.due_at)


# One launch at a time in a process: the other threads that deliver nothing are for sweeps and starts.
_launching = threading.Lock()


@shared_task(name="messaging.launch", **AWAY)
def launch(*, campaign_id: int, **_: Any) -> None:
    """Write the messages of a launching campaign, page after page, until it is done or the turn is over.

    While this process is at another launch it does nothing: a sweep rings again for one at which nobody is.
    """
    if not _launching.acquire(blocking=False):
        return
    try:
        ends = time.monotonic() + LAUNCH_TURN_SECONDS
        more = launching.launch(campaign_id, stops=lambda: delivery.stopping.is_set() or time.monotonic() > ends)
    except InvalidAudience:
        # No sender is left for it. The rest is written when there is one again.
        delivery.stop(campaign_id)
        raise
    finally:
        _launching.release()
    if more and (waiting := launching.next_launch()):
        bells.ring_launch(waiting)


# One thread of a process works off, and not for long: the seats that deliver nothing are also for sweeps.
_working_off = threading.Lock()


@shared_task(name="messaging.hooks", **AWAY)
def work_off(**_: Any) -> None:
    """Work off what came in at the door until nothing is left or the turn is over."""
    if not _working_off.acquire(blocking=False):
        return
    try:
        ends = time.monotonic() + HOOKS_TURN_SECONDS
        while (done := hooks.work_off()) and time.monotonic() < ends and not delivery.stopping.is_set():
            pass
    finally:
        _working_off.release()
    if done:
        bells.ring_hooks()


@shared_task(name="messaging.start", **AWAY)
def start(**_: Any) -> None:
    """Begin the scheduled campaigns whose time has come."""
    dispatch.start_due()


@shared_task(name="messaging.sweep", ignore_result=True)
def sweep(**_: Any) -> None:
    """Find what no bell announced, and have errands done; not retried: the next sweep does the same a second later."""
    recovery.sweep()
    errands.begin()


@celeryd_after_setup.connect
def settle_in(instance: Any, **_: Any) -> None:
    """Learn how many threads this worker has, before it takes tasks."""
    seats.threads = instance.concurrency
    tune_python()


def tune_python() -> None:
    """Set Python up for a process that does nothing but work.

    Its garbage collector went through all that Django and Celery have loaded again and again: a message over HTTP took
    141 µs of the processor, and 97 without that. A thread that computes gives way after half a millisecond instead of
    five: the one that feeds COPY waited for the one that renders (launches at 0.82 of a raw COPY, and 0.91 so).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    sys.setswitchinterval(0.0005)


@worker_shutting_down.connect
def hand_back(**_: Any) -> None:
    """On TERM: finish the slice on the wire, hand back the rest. Heard by this process's threads (`-P threads`)."""
    delivery.stopping.set()
