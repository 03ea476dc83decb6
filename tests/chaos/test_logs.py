"""What a run reads from the logs of its processes, half-written lines of killed ones among them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import logs
from tests.chaos.verdict import Line

LOST = {
    "event": "worker_lost", "worker": "host:1", "unknown": [3, 4], "level": "warning",
    "timestamp": "1970-01-01T00:00:02.500000Z",
}  # fmt: skip
SILENT = LOST | {"event": "no_answer", "unknown": [5], "messages": 50}


def write(folder: Path, name: str, *lines: Any) -> None:
    """A log of these events and raw lines."""
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    (folder / f"{name}.log").write_text(text)


def test_every_worker_is_asked_who_became_unknown(tmp_path: Path) -> None:
    write(tmp_path, "worker-1", LOST, {"event": "campaign_ended", "level": "info"})
    write(tmp_path, "worker-2", " -------------- celery", SILENT)
    assert logs.lines(tmp_path) == [
        Line(2.5, "worker_lost", "host:1", frozenset({3, 4}), 2),
        Line(2.5, "no_answer", "host:1", frozenset({5}), 50),
    ]


def test_a_lease_that_ran_out_with_nothing_on_the_wire_is_no_line(tmp_path: Path) -> None:
    write(tmp_path, "worker-1", LOST | {"unknown": []})
    assert logs.lines(tmp_path) == []


@pytest.mark.parametrize("rest", ['{"event": "worker_lo', "{", '{"event": "worker_lost"} and more'])
def test_a_line_that_a_kill_cut_short_is_passed_over(tmp_path: Path, rest: str) -> None:
    write(tmp_path, "worker-1", rest, LOST)
    assert len(logs.lines(tmp_path)) == 1


def test_complaints_are_counted_by_what_they_say_and_the_fault_behind_them(tmp_path: Path) -> None:
    fault = "Traceback (most recent call last):\n  File …\npsycopg.OperationalError: away\nDETAIL: …"
    write(tmp_path, "worker-1", LOST, LOST, {"event": "swept", "level": "info"})
    write(
        tmp_path, "web", {"event": "failed", "level": "error", "exception": fault}, "Traceback (most recent call last):"
    )
    assert logs.complaints(tmp_path) == {
        "warning worker_lost": 2, "error failed psycopg.OperationalError": 1, "bare traceback": 1,
    }  # fmt: skip


def test_the_provider_tells_what_it_accepted_and_whom_it_mistreated(tmp_path: Path) -> None:
    write(
        tmp_path, "provider", {"at": 1.0, "event": "accepted", "reference": "7"},
        {"at": 2.0, "event": "dropped", "reference": "7"}, {"at": 3.0, "event": "hung", "reference": "8"},
    )  # fmt: skip
    assert logs.provider(tmp_path / "provider.log") == ([(1.0, 7)], {7, 8})
