"""The proof can fail: with a safeguard of the engine broken the run says so, and with all of them whole it does not."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from devstack.environment import BASE
from devstack.processes import LINUX
from tests.start.runner import clean_environment

pytestmark = [
    pytest.mark.stack,
    pytest.mark.xdist_group("chaos"),
    pytest.mark.skipif(not LINUX, reason="looks for PostgreSQL's processes in /proc"),
]


def run(var: Path, **options: str) -> tuple[int, dict[str, Any], str]:
    """The exit status of a small run, its figures, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos"],
        cwd=BASE, env=clean_environment(var, SEED="1", **options), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=150, check=False,
    )  # fmt: skip
    assert (var / "chaos.json").exists(), done.stdout
    return done.returncode, json.loads((var / "chaos.json").read_text()), done.stdout


def test_a_small_run_of_the_whole_engine_finds_nothing_and_every_kill_is_in_flight(tmp_path: Path) -> None:
    status, figures, output = run(tmp_path, KILLS="2", MESSAGES="800", TROUBLES="kill_worker,drop")
    assert figures["problems"] == [], output
    assert status == 0
    assert (figures["kills"], figures["kills_in_flight"]) == (2, 2)
    assert figures["messages"] >= 800
    assert 0 < figures["unknown"] == figures["unknown_explained"] <= figures["unknown_bound"]
    assert figures["equation_held"]
    assert output.startswith("SEED=1 ")


def test_a_claim_that_takes_what_was_sent_is_caught(tmp_path: Path) -> None:
    status, figures, output = run(tmp_path, SABOTAGE="claim", KILLS="2", MESSAGES="600", TROUBLES="throttle")
    assert figures["doubled"] > 0, output
    assert status == 1
    assert "were accepted twice" in output


def test_a_lease_that_frees_what_a_dead_worker_had_on_the_wire_is_caught(tmp_path: Path) -> None:
    status, figures, output = run(tmp_path, SABOTAGE="lease", KILLS="1", MESSAGES="600", TROUBLES="kill_worker")
    assert figures["kills_in_flight"] == 1, output
    assert figures["doubled"] > 0, output
    assert status == 1


def test_a_fence_that_lets_a_worker_go_on_without_its_lease_is_caught(tmp_path: Path) -> None:
    status, figures, output = run(tmp_path, SABOTAGE="fence", KILLS="1", MESSAGES="1500", TROUBLES="stall")
    assert figures["doubled"] > 0, output
    assert status == 1


def test_the_same_stand_still_doubles_nothing_while_the_fence_is_whole(tmp_path: Path) -> None:
    status, figures, output = run(tmp_path, KILLS="1", MESSAGES="1500", TROUBLES="stall")
    assert figures["doubled"] == figures["lost"] == 0, output
    assert status == 0
    assert figures["unknown"] > 0, "the worker had nothing on the wire"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"KILLS": "many"}, "are whole numbers"),
        ({"KILLS": "-1"}, "KILLS is 0 or more"),
        ({"MESSAGES": "0"}, "MESSAGES 1 or more"),
        ({"SABOTAGE": "luck"}, "claim, fence, lease"),
        ({"TROUBLES": "kill_worker,earthquake"}, "earthquake"),
    ],
)
def test_options_that_make_no_sense_are_told_before_anything_starts(options: dict[str, str], sentence: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos"],
        cwd=BASE, env=clean_environment(BASE / "var", **options), text=True, capture_output=True, check=False,
        timeout=30,
    )  # fmt: skip
    assert done.returncode == 1
    assert sentence in done.stderr
