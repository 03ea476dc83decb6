"""Which figures are measured, and that measuring works from end to end."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from django.db import connection

from benchmarks import suite
from benchmarks.providers import Noting, noted
from benchmarks.ratios import Figure, Round, Run
from benchmarks.server import _size
from config.env import BASE_DIR
from messaging import providers
from messaging.providers.base import Envelope

# The table: nobody moves a reach without moving it here.
REACHES = {
    "ledger_vs_copy": "≥ 0.9",
    "delivery_vs_update": "≥ 0.3",
    "delivery_vs_celery": "≥ 25",
    "http_vs_aiohttp": "≥ 0.6",
    "http_cpu": "≤ 1.5",
    "receipts_vs_insert": "≥ 0.3",
    "vs_seed_design": "≥ 50",
    "limit_peak": "≤ 1",
    "limit_median": "≥ 0.95",
    "slow_limit_peak": "≤ 1",
    "slow_limit_median": "≥ 0.95",
    "late_start": "≤ 1",
    "late_without_bell": "≤ 1",
    "page_depth": "≤ 1.2",
    "rss_growth": "≤ 1.1",
    "scale": "≥ 3.2",
}


def test_every_figure_has_the_reach_that_was_promised() -> None:
    figures = [figure for group in suite.chosen([]) for figure in group.figures]

    assert {figure.key: figure.reach for figure in figures if figure.reach} == REACHES
    every = [figure.key for group in suite.GROUPS for figure in group.figures]
    assert len(set(every)) == len(every)


def test_figures_are_chosen_by_their_own_name_or_their_groups() -> None:
    assert [group.name for group in suite.chosen(["http", "delivery_vs_update"])] == ["delivery", "http"]
    assert suite.chosen([]) == [group for group in suite.GROUPS if group.name != "size"]
    assert [group.name for group in suite.chosen(["size"])] == ["size"]


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"There is no htpp; there are .*http_cpu"):
        suite.chosen(["htpp"])


def test_each_figure_has_three_runs_and_its_measuring_is_closed_afterwards() -> None:
    ended = []

    def measure(rows: int) -> Generator[Round, None, None]:
        try:
            for ratio in (1.0, 3.0, 2.0, 9.0):
                yield {"figure": Run(ratio, 1.0, rows)}
        finally:
            ended.append(True)

    [result] = suite._measured(suite.Group("group", [Figure("figure", "ours", "theirs", "s")], measure), 5)

    assert [run.ratio for run in result.runs] == [1.0, 3.0, 2.0]
    assert result.median.rows == 5
    assert ended


def test_grants_are_noted_by_each_process_and_read_from_a_time_on(tmp_path: Path) -> None:
    (tmp_path / "17").write_text("99.5 50\n100.25 50\n")
    (tmp_path / "18").write_text("100.125 7\n")

    assert noted(tmp_path, since=100.0) == [(100.125, 7), (100.25, 50)]


def test_a_call_is_noted_with_its_parts(tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"BACKEND": f"{Noting.__module__}.{Noting.__qualname__}", "OPTIONS": {"folder": str(tmp_path)}}
    monkeypatch.setattr("django.conf.settings.MESSAGE_PROVIDERS", {"noting": entry})

    providers.submit("noting", [Envelope("1", "sms", "+254700000100", "a", parts) for parts in (1, 3)])

    [(_, parts)] = noted(tmp_path, since=0)
    assert parts == 4


@pytest.mark.parametrize(
    ("read", "size"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n", None),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", 41),
        (b"POST / HTTP/1.1\r\ncontent-length:3\r\n\r\nabcPOST", 40),
        (b"GET / HTTP/1.1\r\n\r\n", 18),
    ],
)
def test_the_server_knows_where_a_request_ends(read: bytes, size: int | None) -> None:
    assert _size(read) == size


@pytest.mark.django_db
@pytest.mark.stack
@pytest.mark.xdist_group("bench")
def test_figures_are_measured_on_a_database_of_their_own_that_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "bench.json"
    environ = os.environ | {"BENCH_ROWS": "2000", "CLARION_VAR": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "ledger_vs_copy", "http_cpu", "--json", str(path)],
        cwd=BASE_DIR, env=environ, capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    told = json.loads(path.read_text())
    assert (told["rows"], told["missing"]) == (2000, {})
    assert set(told["figures"]) == {"ledger_vs_copy", "http_vs_aiohttp", "http_cpu"}
    assert all(run["ratio"] > 0 for figure in told["figures"].values() for run in figure["runs"])
    assert "ledger_vs_copy" in done.stdout
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE '%clarion_bench_%'")
        assert cursor.fetchall() == []
