"""The limiter of an account: how many parts may leave now, over all workers; smooth, and changed while it runs.

It lives in PostgreSQL, one row an account, so that it holds without Redis and has one clock (ADR 7). An account without
a rate costs one small query a second and process.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace

import structlog
from django.db import InterfaceError, OperationalError, connection

from messaging import senders

log = structlog.get_logger(__name__)

# A grant is at most what the rate gives in this time, so that what leaves together is never a burst.
QUANTUM_SECONDS = 0.02
# The same where the adapter hands each message over at its own time. With bursts alone a thread hands over 20 ms' worth
# and then waits for the answers: four threads reach the rate while the vendor answers within 35 ms, and so within 0.7 s
# (calculated; measured: 34 of 100/s at 0.2 s before, 0.97 of 500/s at 0.4 s now). What is in the hands of a worker that
# dies grows with it.
PACED_QUANTUM_SECONDS = 0.25
# A caller who comes a little late does not lose what it could have had meanwhile, up to this.
TOLERANCE_SECONDS = 0.01
# Of the rate is given out, so that no second, wherever it begins, sees more than the rate: it can hold a quantum and
# the tolerance more than a second's worth, 0.97 × (1 + 0.02 + 0.01) = 0.999.
SHARE = 0.97
# Between the grant and the call lies the statement that marks the messages, now slow, now fast. To call this long after
# the grant keeps the calls as even as the grants.
CALL_AFTER_SECONDS = 0.025
# How long a process believes that an account has no limit: the contract gives a change two seconds.
BELIEF_SECONDS = 1.0
# How long a test or a reply that must wait keeps everything else back, should its caller die.
URGENT_SECONDS = 1.0
# Who waits longer than this for a grant waits alone: a second thread of the process could do nothing for the account,
# and two slow accounts would keep all threads from everybody else.
LONG_SECONDS = 0.3
# How long a thread waits for its turn to ask, while grants come quickly.
TURN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Grant:
    """The leave to hand over `parts` parts now (None: without limit), one each `spacing` seconds where the adapter
    paces; `quota` is a fair turn's worth of parts. `awaited` says that the thread waited long for it, and alone.
    """

    parts: int | None
    quota: float
    at: float
    spacing: float = 0.0
    awaited: bool = False

    @property
    def call_at(self) -> float:
        """When to call, as a time of `monotonic()`."""
        return self.at if self.parts is None else self.at + CALL_AFTER_SECONDS


# How many seconds' worth of the rate a campaign gets before it is another's turn.
FAIR_SECONDS = 0.1

_unlimited_until: dict[str, float] = {}
# One thread of a process asks for an account at a time; the others wait for it instead of for the database.
_asking: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
_awaited: set[str] = set()


def acquire(alias: str, most: int, *, seconds: float, stopping: threading.Event, paced: bool = False) -> Grant | None:
    """Leave to hand over at most `most` parts, after waiting for it up to `seconds`; None when it did not come.

    With `paced` the caller hands them over evenly, each `spacing` seconds after the one before. What is not used is to
    be given back. Opens no transaction of its own; call it outside any. Waiting ends at once when `stopping` is set,
    and does not begin while another thread of this process waits long for the same account (`awaited`).
    """
    if time.monotonic() < _unlimited_until.get(alias, 0.0):
        return Grant(None, float("inf"), time.monotonic())
    quantum = PACED_QUANTUM_SECONDS if paced else QUANTUM_SECONDS
    ends = time.monotonic() + seconds
    lock = _asking[alias]
    if alias in _awaited or not lock.acquire(timeout=min(seconds, TURN_SECONDS)):
        return None
    try:
        while not (grant := _ask(alias, most, quantum)):
            wait = _wait_seconds(alias)
            if wait > LONG_SECONDS:
                _awaited.add(alias)
            # Asked again every second: the rate may have been raised.
            wait = min(wait, ends - time.monotonic(), BELIEF_SECONDS)
            if (wait <= 0 and time.monotonic() >= ends) or stopping.wait(max(wait, 0.001)):
                return None
        return replace(grant, awaited=alias in _awaited)
    finally:
        _awaited.discard(alias)
        lock.release()


def awaited() -> Collection[str]:
    """The accounts for whose next grant a thread of this process waits long, so that no second one is of use."""
    return list(_awaited)


def acquire_urgently(alias: str, parts: int, *, seconds: float) -> bool:
    """Leave for a test or a reply, before everything that waits; false when it did not come within `seconds`."""
    ends = time.monotonic() + seconds
    while not _ask(alias, parts, urgent=True):
        if time.monotonic() > ends:
            return False
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE sender_states SET urgent_until = clock_timestamp() + make_interval(secs => %s)"
                " WHERE alias = %s",
                [URGENT_SECONDS, alias],
            )
        time.sleep(min(max(_wait_seconds(alias, urgent=True), 0.001), URGENT_SECONDS / 2))
    return True


def give_back(alias: str, grant: Grant, used: int) -> None:
    """Correct a grant to the parts that were really handed over; a message may have more parts than were granted.

    Raises nothing: what was granted is already marked, and a correction is worth less than a slice.
    """
    if grant.parts is None or used == grant.parts:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute(_GIVE_BACK, _params(alias) | {"parts": used - grant.parts})
    except (OperationalError, InterfaceError) as fault:
        connection.close()
        log.warning("correction_lost", provider=alias, fault=type(fault).__name__, parts=used - grant.parts)


def forget() -> None:
    """Believe nothing about any account any more: for tests, and for whoever changes a rate in this process."""
    _unlimited_until.clear()


def _ask(alias: str, most: int, quantum: float = QUANTUM_SECONDS, *, urgent: bool = False) -> Grant | None:
    with connection.cursor() as cursor:
        params = _params(alias) | {"most": most, "quantum": quantum}
        cursor.execute(_GRANT_URGENTLY if urgent else _GRANT, params)
        row = cursor.fetchone()
    if row is None:
        return None
    parts, rate = row
    if rate is None:
        _unlimited_until[alias] = time.monotonic() + BELIEF_SECONDS
        return Grant(None, float("inf"), time.monotonic())
    return Grant(parts, max(1.0, rate * FAIR_SECONDS), time.monotonic(), 1 / (rate * SHARE))


def _wait_seconds(alias: str, *, urgent: bool = False) -> float:
    """How long until the next grant, by the database's clock; the account's row is made when it is missing."""
    with connection.cursor() as cursor:
        cursor.execute(_WAIT_URGENTLY if urgent else _WAIT, _params(alias))
        row = cursor.fetchone()
        if row is None:
            cursor.execute("INSERT INTO sender_states (alias) VALUES (%s) ON CONFLICT DO NOTHING", [alias])
            return 0.0
    return float(row[0])


def _params(alias: str) -> dict[str, str | float | None]:
    return {
        "alias": alias, "configured": senders.configured_rate(alias), "share": SHARE, "tolerance": TOLERANCE_SECONDS,
    }  # fmt: skip


# GCRA (ITU-T I.371): `free_at` is when the account has worked off what was let out. To lose the last of these rows in a
# crash of the database is harmless, since the restart takes longer than they reach ahead: so the commit does not wait
# for the disk.
_RATE = """
WITH hasty AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
sender AS (
    SELECT coalesce((SELECT rate FROM senders WHERE alias = %(alias)s), %(configured)s::float8) AS rate FROM hasty
)"""
_FREE = "state.free_at <= clock_timestamp()"
_NOBODY_URGENT = "(state.urgent_until IS NULL OR state.urgent_until <= clock_timestamp())"


def _grant(*, wish: str, free: str, urgent_until: str) -> str:
    return f"""{_RATE},
wish AS (SELECT rate, ({wish})::int AS parts FROM sender)
UPDATE sender_states AS state SET
    urgent_until = {urgent_until},
    free_at = CASE WHEN wish.rate IS NULL THEN state.free_at ELSE
        greatest(state.free_at, clock_timestamp() - make_interval(secs => %(tolerance)s))
        + make_interval(secs => wish.parts / (wish.rate * %(share)s)) END
FROM wish
WHERE state.alias = %(alias)s AND (wish.rate IS NULL OR ({free}))
RETURNING wish.parts, wish.rate"""  # noqa: S608


_GRANT = _grant(
    wish="least(%(most)s, greatest(1, floor(rate * %(quantum)s)))",
    free=f"{_FREE} AND {_NOBODY_URGENT}",
    urgent_until="state.urgent_until",
)
_GRANT_URGENTLY = _grant(wish="%(most)s", free=_FREE, urgent_until="NULL")
_GIVE_BACK = f"""{_RATE}
UPDATE sender_states AS state
SET free_at = state.free_at + make_interval(secs => %(parts)s / (sender.rate * %(share)s))
FROM sender WHERE state.alias = %(alias)s AND sender.rate IS NOT NULL"""  # noqa: S608
_WAIT = (
    "SELECT extract(epoch FROM greatest(free_at, urgent_until) - clock_timestamp())"
    " FROM sender_states WHERE alias = %(alias)s"
)
_WAIT_URGENTLY = "SELECT extract(epoch FROM free_at - clock_timestamp()) FROM sender_states WHERE alias = %(alias)s"
