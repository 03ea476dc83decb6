"""Does a short transaction again while the database is away, or picks it as the victim of a deadlock."""

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from django.db import InterfaceError, OperationalError, connection

log = structlog.get_logger(__name__)
Result = TypeVar("Result")


def persistently(write: Callable[[], Result], *, seconds: float) -> Result:
    """What `write` returns, after as many tries as it takes; raises the fault when `seconds` have passed.

    `write` must be one transaction that may be repeated although an earlier try was committed without our being told.
    """
    deadline = time.monotonic() + seconds
    wait = 0.05
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as fault:
            connection.close()
            if time.monotonic() > deadline:
                raise
            sqlstate = getattr(fault.__cause__, "sqlstate", None)
            log.warning("database_write_failed", fault=type(fault).__name__, sqlstate=sqlstate, again_in_seconds=wait)
            time.sleep(wait)
            wait = min(2 * wait, 2.0)
