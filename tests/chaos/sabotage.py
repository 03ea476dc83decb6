"""The workers' Celery application with one of the engine's safeguards broken on purpose: the run must see it.

SABOTAGE names it. `claim`: a slice takes in what was sent already. `lease`: what a dead worker had on the wire is sent
again. `fence`: a worker whose lease was lost goes on as if it had it.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import django
from django.db import connection

from config.celery import app

django.setup()

from messaging import delivery, leases, recovery  # noqa: E402  (models need the setup)

__all__ = ["app"]


def break_the_claim() -> None:
    """Mark what is sent like what is pending."""
    broken = delivery._MARK.replace("status = 'pending'", "status IN ('pending', 'sent')")
    if broken == delivery._MARK:
        raise RuntimeError("the claim no longer reads as this sabotage expects")
    delivery._MARK = broken


def break_the_lease() -> None:
    """Make pending, and not unknown, what a dead worker had on the wire."""
    whole = recovery.reclaim

    def reclaim() -> Iterator[int]:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE outbound_messages AS message SET status = 'pending' FROM message_batches AS batch"
                " WHERE batch.leased_until < statement_timestamp() AND message.campaign_id = batch.campaign_id"
                " AND message.id BETWEEN batch.first_id AND batch.last_id AND message.status = 'sending'"
            )
        yield from whole()

    recovery.reclaim = reclaim


def break_the_fence() -> None:
    """Take every lease for ours, whether it was lost or not."""
    whole = leases.renew

    def renew(*arguments: Any, **named: Any) -> bool:
        whole(*arguments, **named)
        return True

    leases.renew = renew


BREAKS: dict[str, Callable[[], None]] = {
    "claim": break_the_claim,
    "lease": break_the_lease,
    "fence": break_the_fence,
}
BREAKS[os.environ["SABOTAGE"]]()
