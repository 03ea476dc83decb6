"""Real Celery processes on the test database, with a broker and a provider of one test's own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection

from campaigns.models import Campaign
from campaigns.models import Status as CampaignStatus
from config.env import BASE_DIR
from customers.models import Customer
from messaging import tasks
from messaging.audit import audit
from messaging.models import OutboundMessage, Status
from tests import factories
from tests.faults.broker import MORTAL, Broker

ALIAS = "commanded"
TAIL = 3_000


def database_url() -> str:
    """The address of the test database, for another process."""
    of = connection.settings_dict
    user = quote(of["USER"] or "", safe="") + (f":{quote(of['PASSWORD'], safe='')}" if of["PASSWORD"] else "")
    port = f":{of['PORT']}" if of["PORT"] else ""
    return f"postgresql://{user}@{quote(of['HOST'] or '', safe='')}{port}/{quote(of['NAME'], safe='')}"


class Process:
    """A process in a session of its own, with its log."""

    def __init__(self, name: str, arguments: list[str], log: Path, environment: dict[str, str]) -> None:
        self.name = name
        self.log = log
        self._again = (name, arguments, log, environment)
        with log.open("ab") as file:
            self._popen = subprocess.Popen(
                [*MORTAL, sys.executable, "-m", *arguments],
                cwd=BASE_DIR, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True,
            )  # fmt: skip

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def again(self) -> "Process":
        """The same once more, as a supervisor starts it."""
        return Process(*self._again)

    def wait(self, seconds: float) -> None:
        """Wait until it has ended."""
        self._popen.wait(seconds)

    def terminate(self, seconds: float = 10) -> float:
        """TERM, and wait; how many seconds it took to end."""
        begun = time.monotonic()
        self._popen.terminate()
        self._popen.wait(seconds)
        return time.monotonic() - begun

    def kill(self) -> None:
        """Kill -9 with all that it started; may be repeated."""
        if self._popen.returncode is None:
            os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait(10)


class Stack:
    """Workers and beat that deliver through `providers.Commanded`; `options` are that provider's.

    `environment` goes to every process started afterwards.
    """

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.folder = folder
        self.broker = broker
        self.commands = folder / "commands"
        self.commands.mkdir()
        self.provider_log = folder / "provider.jsonl"
        self.options: dict[str, Any] = {"latency_seconds": 0.02, "in_flight": 20, "timeout_seconds": 20.0}
        self.environment: dict[str, str] = {"SWEEP_SECONDS": "0.3", "MESSAGE_RETRY_BASE_SECONDS": "0.5"}
        self.other_providers: dict[str, Any] = {}
        self.processes: list[Process] = []

    def worker(self, threads: int = 2) -> Process:
        """Start a worker with this many threads."""
        return self._start(
            f"worker{len(self.processes)}",
            ["celery", "-A", "config", "worker", "-P", "threads", "-c", str(threads), "-n", f"{self.folder.name}@%h",
             "--without-gossip", "--without-mingle", "-Q", "deliver,launch,sweep"],
        )  # fmt: skip

    def beat(self) -> Process:
        """Start the clock of the sweep."""
        return self._start("beat", ["celery", "-A", "config", "beat", "-s", str(self.folder / "beat"), "--pidfile="])

    def supervise(self) -> None:
        """Start again what has ended by itself."""
        for process in [process for process in self.processes if not process.alive]:
            self.processes.remove(process)
            self.processes.append(process.again())

    def end(self) -> None:
        """Kill everything that is left; may be repeated."""
        for process in self.processes:
            process.kill()
        self.broker.kill()

    def command(self, name: str) -> Path:
        """Make the file that commands the provider; remove it to call the command off."""
        path = self.commands / name
        path.touch()
        return path

    def accepted(self) -> list[int]:
        """The references that the provider accepted, in its order, from its own log."""
        if not self.provider_log.exists():
            return []
        return [int(json.loads(line)["reference"]) for line in self.provider_log.read_text().splitlines()]

    def until(self, happens: Callable[[], object], what: str, seconds: float = 20) -> None:
        """Wait until `happens` is true; fail with the ends of all logs when it does not become so."""
        deadline = time.monotonic() + seconds
        while not happens():
            if time.monotonic() > deadline:
                pytest.fail(f"Not within {seconds} s: {what}\n{self.report()}")
            time.sleep(0.05)

    def until_ready(self) -> None:
        """Wait until a worker takes tasks."""
        with tasks.start.app.connection_for_write() as broker:
            tasks.start.apply_async(connection=broker)
        self.until(lambda: not self.broker.waiting("sweep"), "the worker takes tasks")

    def until_ended(
        self, campaign: Campaign, status: CampaignStatus = CampaignStatus.SENT, seconds: float = 20
    ) -> None:
        """Wait until the campaign has ended by itself, with this status."""

        def ended() -> bool:
            campaign.refresh_from_db()
            return campaign.ended_at is not None

        self.until(ended, f"the campaign ends: {audit(campaign)}", seconds)
        assert campaign.status == status, self.report()

    def errors(self) -> list[str]:
        """What the processes logged as an error, and every traceback."""
        lines = [line for process in self.processes for line in process.log.read_text().splitlines()]
        return [line for line in lines if '"level": "error"' in line or "Traceback" in line]

    def report(self) -> str:
        """The state of everything, for a person who reads why a test failed."""
        audits = [str(audit(campaign)) for campaign in Campaign.objects.all()]
        logs = [
            f"--- {process.name} ({'alive' if process.alive else 'ended'})\n{process.log.read_text()[-TAIL:]}"
            for process in self.processes
        ]
        return "\n".join([f"accepted: {len(self.accepted())}", *audits, *logs])

    def _start(self, name: str, arguments: list[str]) -> Process:
        entry = {
            "BACKEND": "tests.faults.providers.Commanded",
            "OPTIONS": {
                "log": str(self.provider_log),
                "commands": str(self.commands),
                "down": str(self.commands / "down"),
            }
            | self.options,
        }
        environment = {name: value for name, value in os.environ.items() if name != "CELERY_BROKER_URL"} | {
            "DATABASE_URL": database_url(),
            "REDIS_URL": self.broker.url,
            "REDIS_PREFIX": "",
            "CLARION_VAR": str(self.folder),
            "MESSAGE_PROVIDERS": json.dumps({ALIAS: entry} | self.other_providers),
            "MESSAGE_ROUTES": f"sms={ALIAS},whatsapp={ALIAS}",
        }
        process = Process(name, arguments, self.folder / f"{name}.log", environment | self.environment)
        self.processes.append(process)
        return process


def customers(count: int) -> list[int]:
    """The ids of this many new customers, none with a number that the simulator treats in a way of its own."""
    phones = (f"+2547{n:06d}00" for n in range(count))
    made = Customer.objects.bulk_create(factories.CustomerFactory.build(phone=phone) for phone in phones)
    return [customer.pk for customer in made]


def ids(campaign: Campaign, status: Status) -> set[int]:
    """The campaign's messages that stand so."""
    return set(OutboundMessage.objects.filter(campaign=campaign, status=status).values_list("pk", flat=True))


def settled(stack: Stack, campaign: Campaign) -> dict[str, int]:
    """The counts that are not zero, when all is well: they equal the rows, nothing but a pause holds them up, and the
    provider's own log has every message once that is said to be sent, and none twice.
    """
    found = audit(campaign)
    assert found["consistent"], found
    assert {stuck["what"] for stuck in found["stuck"]} <= {"paused"}, found
    accepted = stack.accepted()
    assert len(accepted) == len(set(accepted)), stack.report()
    assert ids(campaign, Status.SENT) <= set(accepted)
    return {status: count for status, count in found["rows"].items() if count}
