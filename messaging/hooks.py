"""Works off what the door took: reads each event again and applies what it says, some events a transaction."""

import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models.functions import Now

from messaging import inbound, providers, receipts, unmatched
from messaging.arrivals import LONGEST_NAME, HookEvent
from messaging.providers.base import Hook, Malformed, Receipt, Reply

log = structlog.get_logger(__name__)

# What one transaction takes. While it runs it holds its messages, and its campaigns' counts, against delivery: events
# of a hundred receipts each make some 1,500 of it, a tenth of a second.
MOST_EVENTS, MOST_BYTES = 200, 256 * 1024


class UnknownSender(Exception):
    """Nobody of this alias hears anything here any more; `str()` says so."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Events that wait to be worked off and for how long the oldest has, and those that could not be."""

    events: int
    oldest_seconds: float
    faulty: int


def work_off() -> int:
    """Apply some of the events that wait, of one account, in one transaction; how many. 0 when none waits.

    Killed anywhere it leaves them waiting, and done twice it changes nothing. An event that cannot be read or applied
    is marked with its fault and kept, and the others go on. Raises what a database says that is away or in a deadlock.
    """
    with transaction.atomic():
        events = _take()
        if events:
            _work_off(events)
    return len(events)


def _take() -> list[HookEvent]:
    """The oldest that wait, of the account of the very oldest, locked; those that another worker has are passed over.

    Of one account only, because two transactions over several could wait in a circle for the counts of campaigns that
    several accounts served.
    """
    return list(HookEvent.objects.raw(_TAKE, {"events": MOST_EVENTS, "bytes": MOST_BYTES}))


# The sum of bytes is taken over what is locked already: PostgreSQL locks no rows of a window.
_TAKE = """
WITH oldest AS MATERIALIZED (
    SELECT alias FROM hook_events WHERE done_at IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
), waiting AS MATERIALIZED (
    SELECT * FROM hook_events WHERE done_at IS NULL AND alias = (SELECT alias FROM oldest)
    ORDER BY id LIMIT %(events)s FOR UPDATE SKIP LOCKED
)
SELECT * FROM (
    SELECT *, sum(octet_length(body)) OVER (ORDER BY id) - octet_length(body) AS before FROM waiting
) AS counted
WHERE before < %(bytes)s ORDER BY id
"""


def _work_off(events: Sequence[HookEvent]) -> None:
    """All of them together; when that fails, each alone, so that only the one that is to blame is left out."""
    try:
        with transaction.atomic():
            _apply(events[0].alias, events)
    except (OperationalError, InterfaceError):
        raise
    except Exception as fault:  # noqa: BLE001  (whatever it is, its neighbours must not wait for it)
        if len(events) > 1:
            for event in events:
                _work_off([event])
            return
        if not isinstance(fault, (Malformed, UnknownSender)):
            log.error("hook_event_failed", hook_event=events[0].pk, provider=events[0].alias, fault=place(fault))  # noqa: TRY400
        _mark(events, fault=_words(fault))
    else:
        _mark(events)


def _apply(alias: str, events: Iterable[HookEvent]) -> None:
    said = [(each, event) for event in events for each in read(event)]
    told = [each for each, _event in said if isinstance(each, Receipt)]
    if told:
        unmatched.keep(alias, receipts.apply(alias, told).unmatched)
    if replies := [each for each, _event in said if isinstance(each, Reply)]:
        # Who gives no time that can be believed is taken to speak when we hear it.
        inbound.take(alias, replies, undated={each for each, event in said if each.at == event.received_at})


def read(event: HookEvent) -> Sequence[Receipt | Reply]:
    """What it says; raises `Malformed`, `UnknownSender`, and whatever an adapter with a mistake raises."""
    if (adapter := providers.ear(event.alias)) is None:
        raise UnknownSender("its sender hears nothing here any more")
    url = f"/hooks/{event.alias}" + (f"?{event.query}" if event.query else "")
    return adapter.read(Hook(event.method, url, event.headers, bytes(event.body), event.received_at))


def _mark(events: Sequence[HookEvent], fault: str = "") -> None:
    HookEvent.objects.filter(pk__in=[event.pk for event in events]).update(done_at=Now(), fault=fault)


def _words(fault: Exception) -> str:
    is_ours = isinstance(fault, (Malformed, UnknownSender))
    return (f"{type(fault).__name__}: {fault}" if is_ours else place(fault))[:LONGEST_NAME]


def place(fault: Exception) -> str:
    """A fault's name and where it was raised, without its words: they may quote a phone or a text."""
    *_, frame = traceback.extract_tb(fault.__traceback__)
    return f"{type(fault).__name__} at {Path(frame.filename).name}:{frame.lineno}"


def again(alias: str) -> int:
    """Have the events of this account that could not be worked off read again; how many. May be repeated."""
    return HookEvent.objects.filter(alias=alias).exclude(fault="").update(done_at=None, fault="")


def waiting(most: int) -> Waiting:
    """How many events wait, counted up to `most`, and for how long the oldest has; answered from small indexes."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, {"most": most})
        return Waiting(*cursor.fetchone())


_WAITING = """
SELECT count(*), coalesce(extract(epoch FROM statement_timestamp() - min(received_at)), 0)::float8, (
    SELECT count(*) FROM (SELECT FROM hook_events WHERE fault <> '' LIMIT %(most)s) AS faulty
) FROM (SELECT received_at FROM hook_events WHERE done_at IS NULL ORDER BY id LIMIT %(most)s) AS waiting
"""
