"""What must leave the house and may take long: answering replies, telling people, and asking providers
what became of messages; and what has time: forgetting lists that were uploaded long ago.

In a thread of its own, one a process, so that a mail server or a provider that hangs holds up neither the sweep nor a
delivery. Whatever dies on the way is found again: alerts and look-ups are claimed for a while only.
"""

import threading
from collections.abc import Callable

import structlog
from django.db import Error, connection

from customers import consent_uploads
from messaging import alerts, answers, look_ups

log = structlog.get_logger(__name__)

_under_way = threading.Lock()


def begin() -> threading.Thread | None:
    """Do all errands in a thread of their own, which is returned; None when this process is still at the last ones.

    May be called anywhere and at any time.
    """
    if not _under_way.acquire(blocking=False):
        return None
    thread = threading.Thread(target=_run_and_leave, name="errands", daemon=True)
    thread.start()
    return thread


def run() -> None:
    """Do all errands, here and now. One that fails is logged and keeps none of the others from being done."""
    for name, errand in ERRANDS.items():
        try:
            errand()
        except Error as fault:
            # Also what a database that is away says; the next round finds the same work.
            log.warning("errand_failed", errand=name, fault=type(fault).__name__)
            connection.close_if_unusable_or_obsolete()
        except Exception:
            log.exception("errand_failed", errand=name)


def _run_and_leave() -> None:
    try:
        run()
    finally:
        connection.close()
        _under_way.release()


ERRANDS: dict[str, Callable[[], int]] = {
    "answer": answers.answer_due,
    "tell": alerts.tell_waiting,
    "look_up": look_ups.look_up_due,
    "forget": consent_uploads.forget_old,
}
