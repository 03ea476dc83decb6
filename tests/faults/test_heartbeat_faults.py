"""A worker's heartbeat: there while it is connected, silent while it is not, and gone when it ended in peace."""

import time
from pathlib import Path
from typing import Any

import pytest

from messaging import board
from tests.faults.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture
def heartbeat(stack: Stack, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the stack's workers touch; their notices are read from the stack's own broker."""
    settings.REDIS_URL = stack.broker.url
    monkeypatch.setattr(board._Fault, "until", 0.0)
    file = stack.folder / "heartbeat"
    stack.environment["WORKER_HEARTBEAT_FILE"] = str(file)
    return file


def touched(file: Path) -> float:
    return file.stat().st_mtime if file.exists() else 0.0


def workers() -> list[board.Worker]:
    found = board.read()
    return list(found.workers) if found else []


def clocks() -> dict[str, float]:
    found = board.read()
    return dict(found.clocks) if found else {}


def test_it_beats_while_the_worker_is_connected_stops_without_redis_and_comes_back(
    stack: Stack, heartbeat: Path
) -> None:
    stack.worker(threads=3)
    stack.until(workers, "the worker gives a sign of life")
    [worker] = workers()
    assert worker.threads == 3
    assert worker.name.startswith(f"{stack.folder.name}@")
    first = touched(heartbeat)
    stack.until(lambda: touched(heartbeat) > first, "it beats again", 5)

    stack.broker.kill()
    time.sleep(2.5)  # a beat that was under way
    stopped = touched(heartbeat)
    time.sleep(3)
    assert touched(heartbeat) == stopped

    stack.broker.start()

    def back() -> bool:
        stack.supervise()
        return touched(heartbeat) > stopped

    stack.until(back, "it beats again", 20)
    stack.until(lambda: [each.is_alive for each in workers()] == [True], "it stands on the board again", 20)


def test_a_worker_that_ends_in_peace_is_not_missed_and_one_that_is_killed_is(stack: Stack, heartbeat: Path) -> None:
    peaceful, killed = stack.worker(), stack.worker()
    stack.until(lambda: len(workers()) == 2, "both give a sign of life")
    peaceful.terminate()
    killed.kill()
    assert len(workers()) == 1


def test_beat_and_sweeps_give_signs_of_their_own(stack: Stack, heartbeat: Path) -> None:
    beat = stack.beat()
    stack.until(lambda: "beat" in clocks(), "beat rings")
    assert "sweep" not in clocks()
    stack.worker()
    stack.until(lambda: "sweep" in clocks(), "a worker sweeps")
    beat.kill()
    time.sleep(1.5)
    assert clocks()["beat"] > 1
