"""The provider of the chaos run: what it accepts stands in its log before the answer leaves, however it answers."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devstack.environment import BASE
from tests.chaos import logs
from tests.chaos.processes import _free_port

pytestmark = pytest.mark.stack


class Running:
    """The provider's process, asked the way the adapter asks it."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.url = f"http://127.0.0.1:{(port := _free_port())}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.provider", str(port), str(log), "1"], cwd=BASE
        )

    def ask(self, path: str, body: Any = None, timeout: float = 5) -> tuple[int, Any]:
        """Status and JSON of the answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.loads(refusal.read())

    def answers(self) -> bool:
        try:
            return self.ask("/accepted/0")[0] == 404
        except OSError:
            return False

    def accepted(self) -> list[int]:
        return [message for _, message in logs.provider(self.log)[0]]

    def mistreated(self) -> set[int]:
        return logs.provider(self.log)[1]


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path / "provider.jsonl")
    try:
        wait_until_it_answers(running)
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def wait_until_it_answers(running: Running) -> None:
    patience = time.monotonic() + 20
    while not running.answers():
        assert running.process.poll() is None
        assert time.monotonic() < patience
        time.sleep(0.05)


def trouble(provider: Running, mode: str, seconds: float = 30) -> None:
    assert provider.ask("/trouble", {"mode": mode, "share": 1, "seconds": seconds})[0] == 200


def test_what_it_accepts_stands_in_its_log_and_can_be_looked_up(provider: Running) -> None:
    assert provider.ask("/messages", {"reference": "7"}) == (200, {"id": "chaos-7", "reference": "7"})
    assert provider.accepted() == [7]
    assert provider.ask("/accepted/7") == (200, {"id": "chaos-7"})
    assert provider.ask("/accepted/8")[0] == 404


def test_a_reference_that_comes_twice_is_accepted_twice_because_that_is_what_must_be_seen(provider: Running) -> None:
    for _ in range(2):
        provider.ask("/messages", {"reference": "7"})
    assert provider.accepted() == [7, 7]


@pytest.mark.parametrize(("mode", "status"), [("throttle", 429), ("busy", 503)])
def test_what_it_refuses_for_the_moment_it_does_not_accept(provider: Running, mode: str, status: int) -> None:
    trouble(provider, mode)
    assert provider.ask("/messages", {"reference": "7"})[0] == status
    assert provider.accepted() == []
    assert provider.mistreated() == set()


def test_it_accepts_breaks_the_connection_and_names_whom_it_treated_so(provider: Running) -> None:
    trouble(provider, "drop")
    with pytest.raises(OSError, match=r"reset|closed|Remote end"):
        provider.ask("/messages", {"reference": "7"})
    assert provider.accepted() == [7]
    assert provider.mistreated() == {7}


def test_it_fails_and_names_whom_it_treated_so(provider: Running) -> None:
    trouble(provider, "fail")
    assert {provider.ask("/messages", {"reference": str(n)})[0] for n in range(8)} == {500}
    assert provider.mistreated() == set(range(8))
    assert 0 < len(provider.accepted()) < 8, "some of them it has accepted all the same"


def test_it_keeps_answers_back_and_names_whom_it_treated_so(provider: Running) -> None:
    trouble(provider, "hang")
    with pytest.raises(TimeoutError):
        provider.ask("/messages", {"reference": "7"}, timeout=1)
    assert provider.mistreated() == {7}


def test_it_goes_away_and_comes_back_by_itself(provider: Running) -> None:
    trouble(provider, "away", seconds=1)
    time.sleep(0.3)
    assert not provider.answers()
    wait_until_it_answers(provider)
    assert provider.ask("/messages", {"reference": "7"})[0] == 200


def test_it_behaves_again_when_the_time_is_over_and_when_it_is_told_to(provider: Running) -> None:
    trouble(provider, "throttle", seconds=0.2)
    time.sleep(0.3)
    assert provider.ask("/messages", {"reference": "1"})[0] == 200
    trouble(provider, "throttle")
    trouble(provider, "")
    assert provider.ask("/messages", {"reference": "2"})[0] == 200


def test_it_does_not_take_a_trouble_that_it_does_not_know_for_good_behaviour(provider: Running) -> None:
    assert provider.ask("/trouble", {"mode": "earthquake"})[0] == 400
