"""What of the children's logs a person sees at the terminal."""

from pathlib import Path

import pytest

from devstack.logs import LARGEST_BYTES, Log


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        ('{"event": "not_ready", "level": "warning", "part": "broker"}', "warning not_ready"),
        ('{"event": "failed", "level": "error", "exception": "…\\nValueError: 3"}', "error failed ValueError: 3"),
        ("[2026-11-24] [7] [CRITICAL] WORKER TIMEOUT", "[2026-11-24] [7] [CRITICAL] WORKER TIMEOUT"),
        (
            'Traceback (most recent call last):\n  File "x.py"\n    f()\nImproperlyConfigured: no',
            "ImproperlyConfigured: no",
        ),
        ('{"event": "campaign_launched", "level": "info"}', ""),
        ("[2026-11-24] [7] [INFO] Booting worker", ""),
        ('{"broken', ""),
        ("[1, 2]", ""),
    ],
)
def test_warnings_and_worse_are_shown_and_nothing_else(tmp_path: Path, lines: str, shown: str) -> None:
    log = Log(tmp_path / "web.log")
    log.path.write_text(f"{lines}\n")
    assert list(log.complaints()) == ([shown] if shown else [])
    assert list(log.complaints()) == []


def test_a_line_that_is_still_being_written_is_shown_once_it_is_whole(tmp_path: Path) -> None:
    log = Log(tmp_path / "web.log")
    with log.path.open("a") as file:
        file.write("[ERR")
        file.flush()
        assert list(log.complaints()) == []
        file.write("OR] whole\n")
    assert list(log.complaints()) == ["[ERROR] whole"]


def test_what_an_earlier_run_wrote_is_not_shown_again(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_text("[ERROR] old\n")
    assert list(Log(tmp_path / "web.log").complaints()) == []


def test_a_large_log_is_put_aside_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    with path.open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    Log(path)
    assert path.stat().st_size == 0
    assert (tmp_path / "web.log.1").stat().st_size == LARGEST_BYTES + 1


def test_the_last_lines_are_the_last(tmp_path: Path) -> None:
    log = Log(tmp_path / "web.log")
    log.path.write_text("".join(f"{number}\n" for number in range(10_000)))
    assert log.last_lines(2) == "9998\n9999"
