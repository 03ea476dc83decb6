"""The noticeboard in Redis, where processes tell operators of themselves: signs of life, and what providers answered.

Nothing else depends on it. Counters begin at zero again after a flush, as after a restart, which Prometheus expects;
while Redis is away nothing is noted and nobody waits for it.
"""

import json
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import redis
import structlog
from django.conf import settings

from messaging.providers.base import Accepted, GiveUp, OptedOut, Outcome, SlowDown, StopAll, TryLater, Unknown

log = structlog.get_logger(__name__)

# Who notes something has better things to do than to wait; who reads may wait a little.
NOTING_SECONDS, READING_SECONDS = 0.2, 1.0
# After a fault nobody tries for this long: eight threads would else lose 0.2 s each with every slice.
LEFT_ALONE_SECONDS = 10.0
# A worker says something every two seconds.
ALIVE_SECONDS = 15.0
# What providers answered lately is counted in spans of so long, by the clock of who notes it.
SPAN_SECONDS, SPANS = 300, 12
# A killed worker is shown as silent for an hour; one that ended in peace goes at once.
REMEMBERED_SECONDS = 3600

OUTCOMES: Mapping[type[Outcome], str] = {
    Accepted: "accepted", TryLater: "try_later", SlowDown: "slow_down", GiveUp: "give_up", OptedOut: "opted_out",
    Unknown: "unknown", StopAll: "stop_all",
}  # fmt: skip
# Upper ends in seconds; what took longer than the last is counted beyond them.
BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Latency:
    """How long the calls to a provider took: their number by bucket, the last one for all beyond, and their sum."""

    counts: tuple[int, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that delivers, and how long ago it last gave a sign."""

    name: str
    process: str
    threads: int
    silent_seconds: float

    @property
    def is_alive(self) -> bool:
        """Whether it can be counted on."""
        return self.silent_seconds < ALIVE_SECONDS


@dataclass(frozen=True, slots=True)
class Notices:
    """All that stands on the board; a clock that never rang, or rang before Redis was emptied, is not among them."""

    outcomes: Mapping[tuple[str, str], int]
    latencies: Mapping[str, Latency]
    workers: Sequence[Worker]
    clocks: Mapping[str, float]
    refusals: Mapping[tuple[str, str], int] = field(default_factory=dict)


def tally(alias: str, outcomes: Sequence[Outcome], seconds: float) -> None:
    """Count what one call to a provider brought, and how long it took. Never raises, nor waits for a Redis that is
    away.
    """
    counts = {OUTCOMES[kind]: count for kind, count in Counter(map(type, outcomes)).items()}
    span = _span(0)

    def write(board: Any) -> None:
        for name, count in counts.items():
            board.hincrby(_key("outcomes"), f"{name}:{alias}", count)
            board.hincrby(span, f"{name}:{alias}", count)
        board.expire(span, (SPANS + 1) * SPAN_SECONDS)
        board.hincrby(_key("latencies"), f"{bisect_left(BUCKETS, seconds)}:{alias}", 1)
        board.hincrbyfloat(_key("latencies"), f"sum:{alias}", seconds)

    _note(write)


def refused(alias: str, why: str) -> None:
    """Count a request that our door did not take; `alias` is empty for one that is none of ours. Never raises."""
    _note(lambda board: board.hincrby(_key("refusals"), f"{why}:{alias}", 1))


def last_hour(alias: str) -> Mapping[str, int] | None:
    """What this provider answered within the last hour, by outcome; None when Redis does not answer within a second."""
    try:
        with _client(settings.REDIS_URL, READING_SECONDS).pipeline(transaction=False) as board:
            for back in range(SPANS):
                board.hgetall(_span(back))
            spans = board.execute()
    except (redis.RedisError, OSError) as fault:
        log.warning("board_unreadable", fault=type(fault).__name__)
        return None
    counts: Counter[str] = Counter()
    for span in spans:
        counts.update({name: int(count) for (name, whose), count in _split(span) if whose == alias})
    return counts


def sign_of_clock(name: str) -> None:
    """Note that this clock rang just now. Never raises."""
    _note(lambda board: board.eval(_SIGN, 1, _key("clocks"), name))


def sign_of_worker(name: str, process: str, threads: int) -> None:
    """Note that this worker lives. Never raises."""
    _note(lambda board: board.eval(_SIGN, 1, _key("workers"), _member(name, process, threads), REMEMBERED_SECONDS))


def farewell(name: str, process: str, threads: int) -> None:
    """Note that this worker ended in peace. Never raises."""
    _note(lambda board: board.zrem(_key("workers"), _member(name, process, threads)))


def read() -> Notices | None:
    """All notices, or None when Redis does not answer within a second."""
    try:
        with _client(settings.REDIS_URL, READING_SECONDS).pipeline(transaction=False) as board:
            board.time()
            board.hgetall(_key("outcomes"))
            board.hgetall(_key("latencies"))
            board.zrange(_key("workers"), 0, -1, withscores=True)
            board.zrange(_key("clocks"), 0, -1, withscores=True)
            board.hgetall(_key("refusals"))
            (seconds, micros), outcomes, latencies, workers, clocks, refusals = board.execute()
    except (redis.RedisError, OSError) as fault:
        log.warning("board_unreadable", fault=type(fault).__name__)
        return None
    now = seconds + micros / 1e6
    return Notices(
        _counts(outcomes),
        _latencies(latencies),
        [_worker(member, now - at) for member, at in workers],
        {name: max(0.0, now - at) for name, at in clocks},
        _counts(refusals),
    )


# By Redis's own clock, so that no two machines' clocks are ever compared.
_SIGN = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
redis.call('ZADD', KEYS[1], now, ARGV[1])
if ARGV[2] then redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2]) end
"""


class _Fault:
    """Until when Redis is left alone after a fault, and whether that was told."""

    until = 0.0
    told = False


def _note(write: Callable[[Any], object]) -> None:
    if time.monotonic() < _Fault.until:
        return
    try:
        with _client(settings.REDIS_URL, NOTING_SECONDS).pipeline(transaction=False) as board:
            write(board)
            board.execute()
    except (redis.RedisError, OSError) as fault:
        _Fault.until = time.monotonic() + LEFT_ALONE_SECONDS
        if not _Fault.told:
            log.warning("notices_dropped", fault=type(fault).__name__)
        _Fault.told = True
    else:
        _Fault.told = False


@cache
def _client(url: str, seconds: float) -> redis.Redis:
    return redis.Redis.from_url(
        url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=None, decode_responses=True
    )


def _key(name: str) -> str:
    return f"{settings.CELERY_BROKER_TRANSPORT_OPTIONS['global_keyprefix']}clarion:{name}"


def _span(back: int) -> str:
    return _key(f"outcomes:{int(time.time() // SPAN_SECONDS) - back}")


def _member(*facts: str | int) -> str:
    return json.dumps(facts)


def _worker(member: str, silent_seconds: float) -> Worker:
    name, process, threads = json.loads(member)
    return Worker(name, process, threads, max(0.0, silent_seconds))


def _split(fields: Mapping[str, str]) -> list[tuple[tuple[str, str], str]]:
    """Fields are `what:alias`; an alias may hold a colon, what stands before it does not."""
    return [((field.partition(":")[0], field.partition(":")[2]), value) for field, value in fields.items()]


def _counts(fields: Mapping[str, str]) -> dict[tuple[str, str], int]:
    return {(alias, what): int(count) for (what, alias), count in _split(fields)}


def _latencies(fields: Mapping[str, str]) -> dict[str, Latency]:
    counts: dict[str, list[int]] = {}
    sums: dict[str, float] = {}
    for (what, alias), value in _split(fields):
        if what == "sum":
            sums[alias] = float(value)
        elif int(what) <= len(BUCKETS):
            counts.setdefault(alias, [0] * (len(BUCKETS) + 1))[int(what)] = int(value)
    return {alias: Latency(tuple(by_bucket), sums.get(alias, 0.0)) for alias, by_bucket in counts.items()}
