"""`dev.py run`: a whole stack is started, looked at, and ended in every way a person or a machine can."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.environment import BASE, PYTHON
from devstack.processes import LINUX
from tests.start.runner import Runner, alive, clean_environment, var_folder

pytestmark = [
    pytest.mark.stack,
    pytest.mark.xdist_group("start"),
    pytest.mark.skipif(not LINUX, reason="looks for processes in /proc"),
]
MARK = "Left by an earlier run"


@pytest.fixture(scope="module")
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.fixture(scope="module")
def stack(taken_port: int) -> Iterator[Runner]:
    """One stack for all tests that only look."""
    with var_folder() as folder, Runner(folder, ADMIN_PASSWORD="given 'by' me", PORT=str(taken_port)) as runner:
        yield runner


def _python(stack: Runner, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PYTHON), *argv],
        cwd=BASE,
        env=clean_environment(stack.var),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_curl_line_of_the_banner_works_when_pasted(stack: Runner) -> None:
    answer = subprocess.run(
        ["sh", "-c", f"{stack.shown('Try')} --silent --fail"], check=False, capture_output=True, text=True, timeout=30
    )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["count"] == 4


def test_a_long_reply_in_a_query_gets_as_far_as_the_door(stack: Runner) -> None:
    url = stack.shown("Admin").replace("/admin/", "/hooks/nobody/x") + "?text=" + "%D9%82" * 1300
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, timeout=30)  # noqa: S310  (our own address)
    assert refused.value.code == 404


def test_secrets_made_here_are_private_and_given_ones_are_not_written(stack: Runner) -> None:
    for name in ("secret_key", "api_token", "stack.env"):
        assert (stack.var / name).stat().st_mode & 0o777 == 0o600
    assert stack.shown("API token") == (stack.var / "api_token").read_text().strip()
    assert stack.shown("Password") == "given 'by' me"
    assert not (stack.var / "admin_password").exists()
    assert "given" not in (stack.var / "stack.env").read_text()


def test_manage_py_beside_a_running_stack_finds_its_database(stack: Runner) -> None:
    answer = _python(
        stack, "manage.py", "shell", "--no-imports", "-v0", "-c",
        "from customers.models import Customer; print(Customer.objects.count())",
    )  # fmt: skip
    assert answer.stdout.strip() == "50", answer.stderr


def test_exec_runs_a_command_with_the_environment_of_the_stack(stack: Runner) -> None:
    answer = _python(stack, "dev.py", "exec", "sh", "-c", 'echo "$DATABASE_URL $REDIS_URL"; exit 7')
    assert answer.returncode == 7
    assert answer.stdout.startswith("postgresql://postgres@%2Ftmp%2F")
    assert f"unix://{stack.var}/run/valkey.sock?db=0" in answer.stdout


def test_a_second_run_in_the_same_folder_is_refused_and_leaves_the_first_alone(stack: Runner) -> None:
    before = alive(stack.var)
    answer = _python(stack, "dev.py", "run")
    assert answer.returncode == 1
    assert "already running here" in answer.stderr
    assert alive(stack.var) == before
    assert (stack.var / "stack.env").exists()


def test_it_listens_on_this_machine_only(stack: Runner) -> None:
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if " 0A " in line]
    port = f"{int(stack.address.rpartition(':')[2]):04X}"
    assert [address for address in listening if address.endswith(f":{port}")] == [f"0100007F:{port}"]


def test_however_it_ends_nobody_is_left_and_the_next_start_finds_the_data() -> None:
    ends = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, "terminal", signal.SIGINT)
    with var_folder() as folder:
        found = password = ""
        for end in ends:
            with Runner(folder) as runner:
                assert found.encode() in runner.get("/api/v1/campaigns")
                assert password in {"", runner.shown("Password")}
                found, password = f"{MARK} by {end!s}", runner.shown("Password")
                _rename_campaigns(runner, found)
                assert len(alive(folder)) >= 7  # dev.py, two servers, web with its two workers, worker, beat
                if isinstance(end, str):
                    assert runner.close_terminal() == 128 + signal.SIGHUP
                else:
                    assert runner.end(end) == (-end if end == signal.SIGKILL else 128 + end)
                runner.wait_until_nobody_is_left()
                assert (folder / "stack.env").exists() is (end == signal.SIGKILL)


def _rename_campaigns(runner: Runner, name: str) -> None:
    script = f"from campaigns.models import Campaign; Campaign.objects.update(name='{name}')"
    answer = _python(runner, "manage.py", "shell", "--no-imports", "-v0", "-c", script)
    assert answer.returncode == 0, answer.stderr


def test_whatever_dies_is_started_again() -> None:
    with var_folder() as folder, Runner(folder) as runner:
        victims = {
            name: runner.find(word)[0]
            for name, word in {
                "worker": "celery -A config worker",
                "web": "gunicorn",
                "valkey": "valkey-server",
            }.items()
        }
        victims["postgres"] = runner.find("/postgres -D")[0]
        for name, pid in victims.items():
            os.kill(pid, signal.SIGKILL)
            runner.wait_for(rf"{name} was killed by signal 9; it is started again in 0.5 s")
        patience = time.monotonic() + 40
        while not (_is_whole(runner, victims) and _answers(runner)):
            assert time.monotonic() < patience, runner.read()
            time.sleep(0.2)


def _answers(runner: Runner) -> bool:
    """Whether the API finds its data; while the database recovers it cannot."""
    try:
        return bool(json.loads(runner.get("/api/v1/campaigns"))["count"] == 4)
    except OSError:
        return False


def _is_whole(runner: Runner, former: dict[str, int]) -> bool:
    now = alive(runner.var)
    words = ("celery -A config worker", "celery -A config beat", "gunicorn", "valkey-server", "/postgres -D")
    return not set(former.values()) & set(now) and all(any(word in line for line in now.values()) for word in words)


def test_a_taken_port_makes_it_use_the_next_free_one(stack: Runner, taken_port: int) -> None:
    assert int(stack.address.rpartition(":")[2]) > taken_port
    assert f"port {taken_port} is taken; using" in stack.read()


def test_a_database_that_does_not_answer_is_told_and_ends_the_start() -> None:
    with var_folder() as folder:
        runner = Runner(folder, DATABASE_URL="postgresql://nobody@127.0.0.1:9/nowhere")
        assert runner.process.wait(60) == 1
        assert "DATABASE_URL names a database that does not answer" in runner.read()
        runner.wait_until_nobody_is_left()
        assert not (folder / "pg").exists()
        assert not (folder / "stack.env").exists()
        runner.forget()


def test_a_database_that_cannot_be_prepared_is_told_with_what_the_command_said() -> None:
    with var_folder() as folder:
        runner = Runner(folder, DEMO_CUSTOMERS="-1")
        assert runner.process.wait(60) == 1
        assert "the database could not be prepared" in runner.read()
        assert "DEMO_CUSTOMERS must be 0 (no demo data) or more." in runner.read()
        runner.wait_until_nobody_is_left()
        runner.forget()


def test_a_port_that_is_no_port_is_refused_in_a_sentence() -> None:
    with var_folder() as folder:
        answer = subprocess.run(
            [sys.executable, "dev.py", "run"],
            cwd=BASE, env=clean_environment(folder, PORT="eighty"), check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert answer.returncode == 1
        assert "PORT is “eighty”; it must be a number from 1 to 65535." in answer.stderr
        assert alive(folder) == {}
