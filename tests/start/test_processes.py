"""The keeping of processes: back-off, giving up, and ending what an earlier run left."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.logs import Log
from devstack.processes import Book, Service


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "some.log")


def test_each_death_doubles_the_delay_up_to_half_a_minute(log: Log) -> None:
    service = Service("worker", ["true"], log)
    assert [service._delay(1, lived=3) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_life_of_a_minute_makes_the_next_death_the_first_again(log: Log) -> None:
    service = Service("worker", ["true"], log)
    for _ in range(5):
        service._delay(1, lived=59)
    assert service._delay(1, lived=60) == 0.5


def test_a_server_that_dies_six_times_in_a_row_is_given_up_with_its_last_words(log: Log) -> None:
    log.path.write_text("first\nFATAL: no space left\n")
    service = Service("postgres", ["true"], log, tries=5)
    for _ in range(5):
        service._delay(1, lived=1)
    with pytest.raises(SystemExit, match=r"(?s)postgres ended with status 1 and cannot be brought back.*no space left"):
        service._delay(1, lived=1)


def test_a_dead_process_is_started_again_only_after_its_delay(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = Book(tmp_path / "pids")
    service = Service("worker", ["sh", "-c", "exit 3"], log)
    service.start(book)
    assert service.process
    service.process.wait(10)
    first = service.process.pid
    service.keep(book)
    service.keep(book)
    assert service.process.pid == first
    assert "worker ended with status 3; it is started again in 0.5 s" in capsys.readouterr().out
    assert service._again_at
    service._again_at -= 1
    service.keep(book)
    assert service.process.pid != first
    service.process.wait(10)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        yield process
        process.kill()


def test_what_an_earlier_run_left_is_ended_by_the_next(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    Book(tmp_path / "pids").note(sleeper.pid, signal.SIGTERM)
    Book(tmp_path / "pids").end_leftovers()
    assert sleeper.wait(10) == -signal.SIGTERM
    assert not (tmp_path / "pids").exists()


def test_a_process_that_only_has_an_old_ones_number_is_left_alone(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    book = Book(tmp_path / "pids")
    book.note(sleeper.pid, signal.SIGTERM)
    pid, number, identity = book.path.read_text().split()
    book.path.write_text(f"{pid} {number} {int(identity) - 1}\n")
    book.end_leftovers()
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(0.3)
