"""Throwaway servers, as `dev.py test` uses them: side by side, and gone afterwards however it ended."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from devstack.environment import BASE
from devstack.processes import LINUX, die_with_parent
from devstack.stack import THROWAWAY
from tests.start.runner import alive, clean_environment

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("start")]


def _start(*command: str, **more: str) -> subprocess.Popen[str]:
    environ = clean_environment(Path(tempfile.gettempdir()) / "clarion-never-made", **more)
    return subprocess.Popen(
        [sys.executable, "dev.py", "with-servers", *command],
        cwd=BASE, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509  (started from the main thread)
    )  # fmt: skip


def test_two_at_once_have_servers_folders_and_suffixes_of_their_own() -> None:
    script = 'echo "$CLARION_VAR|$DATABASE_URL|$REDIS_URL|$CLARION_TEST_SUFFIX|$SECRET_KEY"; sleep 1'
    both = [_start("sh", "-c", script) for _ in range(2)]
    first, second = (process.communicate(timeout=60)[0].strip().split("|") for process in both)
    assert [process.returncode for process in both] == [0, 0]
    for one, other in zip(first, second, strict=True):
        assert one != other
    assert not Path(first[0]).exists()
    assert not Path(second[0]).exists()


def test_the_status_of_the_command_is_passed_on() -> None:
    process = _start("sh", "-c", "exit 5")
    process.communicate(timeout=60)
    assert process.returncode == 5


def test_a_command_that_does_not_exist_is_told_in_a_sentence() -> None:
    process = _start("no-such-command")
    assert "no-such-command: No such file" in process.communicate(timeout=60)[0]
    assert process.returncode == 1


def test_servers_of_the_users_own_are_used() -> None:
    own = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL")}
    process = _start("sh", "-c", 'echo "$DATABASE_URL $REDIS_URL"; ls "$CLARION_VAR"', **own)
    assert process.communicate(timeout=60)[0] == f"{own['DATABASE_URL']} {own['REDIS_URL']}\nlock\n"


@pytest.mark.skipif(not LINUX, reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_one_leaves_no_process_and_its_folder_goes(number: signal.Signals) -> None:
    process = _start("sh", "-c", 'echo "$CLARION_VAR"; exec sleep 60')
    assert process.stdout
    folder = Path(process.stdout.readline().strip())
    assert folder.name.startswith(THROWAWAY)
    assert len(alive(folder)) >= 2
    process.send_signal(number)
    process.communicate(timeout=30)
    patience = time.monotonic() + 10
    while alive(folder):
        assert time.monotonic() < patience, alive(folder)
        time.sleep(0.05)
    if number == signal.SIGKILL:
        # Nobody was there to remove it; the next one does, once it is old enough not to be one that is just being made.
        os.utime(folder, (0, 0))
        _start("true").communicate(timeout=60)
    assert not folder.exists()
