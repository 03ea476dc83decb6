"""The noticeboard in Redis: what is noted can be read, and nobody ever waits for it."""

import json
import time
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from structlog.testing import capture_logs

from messaging import board
from messaging.providers.base import Accepted, GiveUp, OptedOut, Outcome, SlowDown, StopAll, TryLater, Unknown

pytestmark = pytest.mark.usefixtures("empty_board")

EVERY_OUTCOME: list[Outcome] = [
    Accepted("a"), TryLater("b"), SlowDown("c"), GiveUp("d"), OptedOut("e"), Unknown("f"), StopAll("g"),
]  # fmt: skip


def notices() -> board.Notices:
    found = board.read()
    assert found is not None
    return found


def age(key: str, member: str, seconds: float) -> None:
    """Let a sign be as old as that."""
    with redis.Redis.from_url(django_settings.REDIS_URL) as broker:
        broker.zincrby(board._key(key), -seconds, member)


def test_an_empty_board_has_no_notices() -> None:
    assert notices() == board.Notices({}, {}, [], {})


def test_every_outcome_of_the_port_is_counted_by_its_name() -> None:
    board.tally("sim", [*EVERY_OUTCOME, Accepted("h")], 0.2)

    assert notices().outcomes == {
        ("sim", "accepted"): 2, ("sim", "try_later"): 1, ("sim", "slow_down"): 1, ("sim", "give_up"): 1,
        ("sim", "opted_out"): 1, ("sim", "unknown"): 1, ("sim", "stop_all"): 1,
    }  # fmt: skip


def test_tallies_add_up_and_providers_stay_apart_whatever_their_alias() -> None:
    board.tally("a:b", [Accepted("1")], 0.1)
    board.tally("a:b", [Accepted("2"), GiveUp("x")], 0.1)
    board.tally("a", [Accepted("3")], 0.1)

    assert notices().outcomes == {("a:b", "accepted"): 2, ("a:b", "give_up"): 1, ("a", "accepted"): 1}


def test_a_call_falls_into_the_first_bucket_that_is_not_too_short_for_it() -> None:
    for seconds in (0.001, 0.025, 0.026, 30.0, 31.0):
        board.tally("sim", [Accepted("1")], seconds)

    latency = notices().latencies["sim"]
    assert latency.counts == (2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1)
    assert latency.seconds == pytest.approx(61.052)


def test_a_worker_is_alive_while_it_gives_signs_and_is_then_remembered_as_silent() -> None:
    board.sign_of_worker("celery@a", "a:1", 8)
    [worker] = notices().workers
    assert (worker.name, worker.process, worker.threads, worker.is_alive) == ("celery@a", "a:1", 8, True)
    assert worker.silent_seconds < 5

    age("workers", json.dumps(["celery@a", "a:1", 8]), board.ALIVE_SECONDS + 1)
    [worker] = notices().workers
    assert not worker.is_alive
    assert board.ALIVE_SECONDS < worker.silent_seconds < board.ALIVE_SECONDS + 6


def test_a_sign_renews_the_last_one_and_a_farewell_takes_it_away() -> None:
    board.sign_of_worker("celery@a", "a:1", 8)
    age("workers", json.dumps(["celery@a", "a:1", 8]), 100)
    board.sign_of_worker("celery@a", "a:1", 8)
    assert [worker.is_alive for worker in notices().workers] == [True]

    board.farewell("celery@a", "a:1", 8)
    assert notices().workers == []


def test_a_killed_worker_is_forgotten_after_an_hour_by_the_signs_of_others() -> None:
    board.sign_of_worker("celery@a", "a:1", 8)
    age("workers", json.dumps(["celery@a", "a:1", 8]), board.REMEMBERED_SECONDS + 1)
    board.sign_of_worker("celery@b", "b:2", 4)

    assert [worker.process for worker in notices().workers] == ["b:2"]


def test_a_clock_that_stopped_is_never_forgotten() -> None:
    board.sign_of_clock("beat")
    age("clocks", "beat", 2 * board.REMEMBERED_SECONDS)
    board.sign_of_clock("sweep")

    clocks = notices().clocks
    assert clocks["beat"] == pytest.approx(2 * board.REMEMBERED_SECONDS, abs=5)
    assert clocks["sweep"] < 5


def test_whoever_shares_a_redis_with_another_prefix_sees_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    board.tally("sim", [Accepted("1")], 0.1)
    monkeypatch.setitem(django_settings.CELERY_BROKER_TRANSPORT_OPTIONS, "global_keyprefix", "another-")

    assert notices().outcomes == {}


def test_without_redis_a_tally_is_dropped_said_once_and_then_costs_nothing(settings: Any, nobody_listens: int) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{nobody_listens}/0"
    with capture_logs() as logs:
        for _ in range(3):
            board.tally("sim", [Accepted("1")], 0.1)
            board._Fault.until = 0.0
    assert [line["event"] for line in logs] == ["notices_dropped"]
    assert board.read() is None


def test_a_redis_that_says_nothing_holds_nobody_up(settings: Any, silence: int) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{silence}/0"
    begun = time.monotonic()
    for _ in range(100):
        board.tally("sim", [Accepted("1")], 0.1)
        board.sign_of_worker("celery@a", "a:1", 8)
    assert time.monotonic() - begun < 1.5

    begun = time.monotonic()
    assert board.read() is None
    assert time.monotonic() - begun < 2.5


def test_when_redis_is_back_counting_goes_on_and_the_next_fault_is_said_again(
    settings: Any, nobody_listens: int
) -> None:
    there, away = settings.REDIS_URL, f"redis://127.0.0.1:{nobody_listens}/0"
    with capture_logs() as logs:
        for url in (away, there, away):
            settings.REDIS_URL = url
            board.tally("sim", [Accepted("1")], 0.1)
            board._Fault.until = 0.0
    assert [line["event"] for line in logs] == ["notices_dropped", "notices_dropped"]
    settings.REDIS_URL = there
    assert notices().outcomes == {("sim", "accepted"): 1}


def test_a_redis_that_refuses_the_write_raises_nothing() -> None:
    with redis.Redis.from_url(django_settings.REDIS_URL) as broker:
        broker.set(board._key("outcomes"), "no hash")
    with capture_logs() as logs:
        board.tally("sim", [Accepted("1")], 0.1)
    assert [line["event"] for line in logs] == ["notices_dropped"]
    assert board.read() is None
