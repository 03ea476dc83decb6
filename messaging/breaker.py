"""Leaves an account alone that only fails or asks to slow down, and tries it again by itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.db import connection

from messaging.providers.base import Outcome, SlowDown, StopAll, TryLater, Unknown

log = structlog.get_logger(__name__)

# So many slices in a row of which nothing came through open the breaker; one that is answered closes it.
TRIPS_AFTER = 5
FIRST_HOLD_SECONDS, LONGEST_HOLD_SECONDS = 5.0, 300.0
# How long an account that is mostly throttled, without saying for how long, is left alone.
THROTTLED_SECONDS = 1.0
LONGEST_THROTTLED_SECONDS = 3_600.0
# A probe of an account whose breaker is open: few messages, since each of them may lose a try or become unknown.
PROBE_MESSAGES = 5


@dataclass(frozen=True, slots=True)
class Reading:
    """What a slice's outcomes say of the account: that it `failed`, or is to be left alone for `hold_seconds`."""

    failed: bool = False
    hold_seconds: float | None = None


def read(outcomes: Sequence[Outcome]) -> Reading:
    """The reading of one slice. Pure.

    One throttled number in a slice is the number's affair; a slice that was mostly throttled is the account's.
    """
    if all(isinstance(outcome, TryLater | Unknown) for outcome in outcomes):
        return Reading(failed=True)
    throttled = [outcome for outcome in outcomes if isinstance(outcome, SlowDown)]
    if 2 * len(throttled) > len(outcomes):
        wishes = [outcome.seconds for outcome in throttled if outcome.seconds is not None]
        wait = max(wishes, default=THROTTLED_SECONDS)
        return Reading(hold_seconds=min(max(wait, 0.0), LONGEST_THROTTLED_SECONDS))
    return Reading()


def hold_seconds(failures: int) -> float | None:
    """How long an account is left alone after so many failed slices in a row; None while it is not. Pure."""
    if failures < TRIPS_AFTER:
        return None
    return float(min(LONGEST_HOLD_SECONDS, FIRST_HOLD_SECONDS * 2.0 ** min(failures - TRIPS_AFTER, 16)))


def heed(alias: str, outcomes: Sequence[Outcome], *, troubled: bool) -> bool:
    """Note what a slice's outcomes say of the account; whether it is now left alone.

    `troubled` says that it had failures or a hold when its batch was taken: only then an answered slice writes
    anything. One small statement of its own; may be repeated. The next batch is taken only when the hold is over.
    """
    if all(isinstance(outcome, StopAll) for outcome in outcomes):
        return False  # the campaign pauses itself
    reading = read(outcomes)
    if reading.failed:
        return _failed(alias)
    if reading.hold_seconds is not None:
        _hold(alias, reading.hold_seconds)
        return True
    if troubled:
        _write("UPDATE sender_states SET failures = 0, hold = '', held_until = NULL WHERE alias = %(alias)s", alias)
        log.info("provider_answers_again", provider=alias)
    return False


def _failed(alias: str) -> bool:
    failures = _write(
        "INSERT INTO sender_states AS state (alias, failures) VALUES (%(alias)s, 1)"
        " ON CONFLICT (alias) DO UPDATE SET failures = state.failures + 1 RETURNING failures",
        alias,
    )
    seconds = hold_seconds(failures)
    if seconds is None:
        return False
    _hold(alias, seconds, "breaker")
    log.error("breaker_open", provider=alias, failed_slices=failures, again_in_seconds=seconds)
    return True


def _hold(alias: str, seconds: float, hold: str = "throttled") -> None:
    """A provider's wish never shortens a hold; the breaker's next try is when it says."""
    _write(
        "INSERT INTO sender_states AS state (alias, hold, held_until)"
        " VALUES (%(alias)s, %(hold)s, clock_timestamp() + make_interval(secs => %(seconds)s))"
        " ON CONFLICT (alias) DO UPDATE SET hold = excluded.hold,"
        " held_until = CASE excluded.hold WHEN 'breaker' THEN excluded.held_until"
        " ELSE greatest(state.held_until, excluded.held_until) END RETURNING 0",
        alias, hold=hold, seconds=seconds,
    )  # fmt: skip


def may_probe(alias: str, seconds: float) -> bool:
    """Whether the caller is the one who tries an account whose breaker is open: of many, one in so many seconds is."""
    return bool(
        _write(
            "UPDATE sender_states SET held_until = clock_timestamp() + make_interval(secs => %(seconds)s)"
            " WHERE alias = %(alias)s AND hold = 'breaker' AND held_until <= clock_timestamp() RETURNING 1",
            alias, seconds=seconds,
        )
    )  # fmt: skip


def _write(sql: str, alias: str, **params: str | float) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"alias": alias, **params})
        row = cursor.fetchone() if cursor.description else None
    return int(row[0]) if row else 0
