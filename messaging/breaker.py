"""Leaves an account alone that only fails or asks to slow down, and tries it again by itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.db import connection, transaction

from messaging import alerts
from messaging.providers.base import Outcome, SlowDown, StopAll, TryLater, Unknown

log = structlog.get_logger(__name__)

# So many messages in a row that came to nothing open the breaker, in slices of which none was answered; one that is
# answered closes it. Fewer would take a few bad numbers, tried again and again, for a provider that is down.
TRIPS_AFTER = 100
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
        return Reading(hold_seconds=min(max(wait, THROTTLED_SECONDS), LONGEST_THROTTLED_SECONDS))
    return Reading()


def hold_seconds(holds: int) -> float:
    """How long an account is left alone whose breaker has opened so many times in a row before. Pure."""
    return float(min(LONGEST_HOLD_SECONDS, FIRST_HOLD_SECONDS * 2.0 ** min(holds, 16)))


def heed(campaign_id: int, alias: str, outcomes: Sequence[Outcome], *, troubled: bool, probes: bool = False) -> bool:
    """Note what a slice's outcomes say of the account; whether it is now left alone.

    `troubled` says that it had failures or a hold when its batch was taken: only then an answered slice writes
    anything. `probes` says that the slice was to try an account whose breaker is open. May be repeated. When the
    breaker opens for the first time, people are told.
    """
    if all(isinstance(outcome, StopAll) for outcome in outcomes):
        return False  # the campaign pauses itself
    reading = read(outcomes)
    if reading.failed:
        return _failed(campaign_id, alias, len(outcomes), probes=probes)
    if reading.hold_seconds is not None:
        _hold(alias, reading.hold_seconds)
        return True
    if troubled:
        _write(
            "UPDATE sender_states SET failures = 0, holds = 0, hold = '', held_until = NULL WHERE alias = %(alias)s",
            alias,
        )
        log.info("provider_answers_again", provider=alias)
    return False


def _failed(campaign_id: int, alias: str, count: int, *, probes: bool) -> bool:
    row = _write(
        "INSERT INTO sender_states AS state (alias, failures) VALUES (%(alias)s, %(count)s)"
        " ON CONFLICT (alias) DO UPDATE SET failures = state.failures + %(count)s RETURNING failures, holds",
        alias, count=count,
    )  # fmt: skip
    failures, holds = row or (0, 0)
    if failures < TRIPS_AFTER:
        return False
    seconds = hold_seconds(holds)
    with transaction.atomic():
        # Slices that were on the wire when the breaker opened must not open it again and again.
        opened = _write(
            "UPDATE sender_states SET holds = holds + 1, hold = 'breaker',"
            " held_until = clock_timestamp() + make_interval(secs => %(seconds)s)"
            " WHERE alias = %(alias)s AND holds = %(holds)s"
            " AND (%(probes)s OR held_until IS NULL OR held_until <= clock_timestamp()) RETURNING 1",
            alias, seconds=seconds, holds=holds, probes=probes,
        )  # fmt: skip
        if opened and not holds:
            alerts.note(campaign_id, alerts.Code.PROVIDER_FAILING)
    if opened:
        log.error("breaker_open", provider=alias, failed_messages=failures, again_in_seconds=seconds)
    return True


def _hold(alias: str, seconds: float) -> None:
    """What a provider wishes never shortens a hold, nor does it end the breaker's: that takes a probe."""
    _write(
        "INSERT INTO sender_states AS state (alias, hold, held_until)"
        " VALUES (%(alias)s, 'throttled', clock_timestamp() + make_interval(secs => %(seconds)s))"
        " ON CONFLICT (alias) DO UPDATE SET hold = CASE"
        " WHEN state.hold = 'breaker' AND state.held_until > clock_timestamp() THEN 'breaker' ELSE 'throttled' END,"
        " held_until = greatest(state.held_until, excluded.held_until)",
        alias, seconds=seconds,
    )  # fmt: skip


def may_probe(alias: str, seconds: float) -> bool:
    """Whether the caller is the one who tries an account whose breaker is open: of many, one in so many seconds is."""
    row = _write(
        "UPDATE sender_states SET held_until = clock_timestamp() + make_interval(secs => %(seconds)s)"
        " WHERE alias = %(alias)s AND hold = 'breaker' AND held_until <= clock_timestamp() RETURNING 1",
        alias, seconds=seconds,
    )  # fmt: skip
    return row is not None


def _write(sql: str, alias: str, **params: str | float) -> tuple[int, ...] | None:
    """The row that the statement returns, if any."""
    with connection.cursor() as cursor:
        cursor.execute(sql, {"alias": alias, **params})
        row: tuple[int, ...] | None = cursor.fetchone() if cursor.description else None
    return row
