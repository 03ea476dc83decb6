"""The processes of a run: the real web, workers, beat, PostgreSQL and Valkey, and the provider; each can be killed."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from devstack import servers
from devstack.environment import inside
from devstack.processes import Book, Service, kill_group, spawn, stop_all, wait_until
from devstack.running import settings_names
from devstack.stack import THROWAWAY, lock
from tests.chaos.options import Options
from tests.chaos.provision import ALIAS, provision

WORKERS = ("worker-1", "worker-2")
# Below the range from which the kernel gives ports to those who connect: nobody takes ours while we are away.
PORTS = range(20_000, 30_000)
HOST = socket.gethostname()[:200]


@dataclass
class Slot:
    """A process that a supervisor would start again; `again_at` is when, while it is dead on purpose."""

    argv: Sequence[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    again_at: float | None = None


class Stack:
    """A context in which everything runs, in a folder of its own in /tmp that goes with it.

    Processes are killed by name and come back after a while, when `tend` is called.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.var = Path(tempfile.mkdtemp(prefix=THROWAWAY, dir="/tmp"))
        self._lock = lock(self.var / "lock")  # a later run removes the folder once nobody holds it
        (self.var / "log").mkdir()
        self._book = Book(self.var / "pids")
        self.postgres: Service | None = None
        self.valkey: Service | None = None
        self.slots: dict[str, Slot] = {}
        self.deaths: list[str] = []
        self.provider_log = self.var / "provider.jsonl"
        self.provider_port = _free_port()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.token = secrets.token_urlsafe(40)
        self.env = self._environment()

    def __enter__(self) -> Self:
        try:
            self.start_postgres()
            self.start_valkey()
            provision(self.env, self.var, self.options.messages)
            self._add("provider", "tests.chaos.provider", str(self.provider_port), str(self.provider_log),
                      str(self.options.seed))  # fmt: skip
            self._add("web", "gunicorn", "config.wsgi", "--bind", f"fd://{self.listener.fileno()}", "--preload",
                      "--no-control-socket", "-k", "gthread", "--workers", "2", "--threads", "4",
                      "--timeout", "60")  # fmt: skip
            app = "tests.chaos.sabotage" if self.options.sabotage else "config"
            for name in WORKERS:
                self._add(name, "celery", "-A", app, "worker", "-P", "threads", "-c", "8", "-n", f"{name}@%h",
                          "--without-gossip", "--without-mingle", "-Q", "deliver,launch,sweep")  # fmt: skip
            self._add("beat", "celery", "-A", "config", "beat", "-s", str(self.var / "beat"), "--pidfile=")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def database_url(self) -> str:
        """Where PostgreSQL is, while it is."""
        return self.env["DATABASE_URL"]

    def pid(self, name: str) -> int | None:
        """The process of this name; None while it is dead."""
        process = self.slots[name].process
        return process.pid if process and process.poll() is None else None

    def worker(self, name: str) -> str | None:
        """Its name in `message_batches.worker` and in the logs; None while it is dead."""
        pid = self.pid(name)
        return f"{HOST}:{pid}" if pid else None

    def alive(self) -> list[str]:
        """The workers that live."""
        return [name for name in WORKERS if self.pid(name)]

    def freeze(self, name: str) -> None:
        """Stop it where it stands."""
        if pid := self.pid(name):
            os.kill(pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let it go on."""
        if pid := self.pid(name):
            os.kill(pid, signal.SIGCONT)

    def kill(self, name: str, again_in: float) -> None:
        """Kill -9, with all that it started; it is started again after that many seconds."""
        slot = self.slots[name]
        if slot.process:
            kill_group(slot.process.pid)
            slot.process.wait(10)
        slot.again_at = time.monotonic() + again_in

    def tend(self) -> None:
        """Start again what is dead, as a supervisor does: what died by itself is noted in `deaths`."""
        now = time.monotonic()
        for name, slot in self.slots.items():
            if slot.process and slot.process.poll() is None:
                continue
            if slot.again_at is None:
                status = slot.process.returncode if slot.process else None
                self.deaths.append(f"{name} ended by itself with status {status}")
                slot.again_at = now + 1
            elif now >= slot.again_at:
                self._start(slot)

    def start_postgres(self) -> None:
        """Start PostgreSQL, durable, on the data that is there, and wait until it answers."""
        self.env["DATABASE_URL"], self.postgres = servers.start_postgres(self.var, self._book, durable=True)

    def stop_postgres(self, number: signal.Signals) -> None:
        """INT is a fast shutdown; after KILL, wait until the children of the postmaster have noticed and are gone."""
        _end_service(self.postgres, number)
        data = str((self.var / "pg").resolve())
        if not wait_until(lambda: not _working_in(data), 30):
            sys.exit(f"PostgreSQL's processes do not end: {_working_in(data)}")

    def start_valkey(self) -> None:
        """Start Valkey and wait until it answers."""
        self.env["REDIS_URL"], self.valkey = servers.start_valkey(self.var, self._book, durable=False)

    def stop_valkey(self, number: signal.Signals) -> None:
        """Stop it; what it held is gone."""
        _end_service(self.valkey, number)

    def keep_logs(self, folder: Path) -> None:
        """Copy all logs to `folder`, replacing those of an earlier run."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.var / "log", folder)
        if self.provider_log.exists():
            shutil.copy(self.provider_log, folder)

    def _add(self, name: str, module: str, *arguments: str) -> None:
        slot = Slot([sys.executable, "-m", module, *arguments], self.var / "log" / f"{name}.log")
        self.slots[name] = slot
        self._start(slot)

    def _start(self, slot: Slot) -> None:
        fds = [self.listener.fileno()] if "gunicorn" in slot.argv else []
        slot.process = spawn(slot.argv, env=self.env, output=slot.log, stop=signal.SIGKILL, pass_fds=fds)
        slot.again_at = None
        self._book.note(slot.process.pid, signal.SIGKILL)

    def _end(self) -> None:
        for slot in self.slots.values():
            if slot.process:
                kill_group(slot.process.pid)
                slot.process.wait(10)
        stop_all([service for service in (self.postgres, self.valkey) if service])
        self.listener.close()
        self._book.close()
        shutil.rmtree(self.var, ignore_errors=True)

    def _environment(self) -> dict[str, str]:
        """Ours, without anything that settings read: nothing of this terminal reaches the run."""
        kept = {name: value for name, value in os.environ.items() if name not in settings_names()}
        kept.pop("DJANGO_SETTINGS_MODULE", None)
        return inside(kept) | {
            "CLARION_VAR": str(self.var),
            "SECRET_KEY": secrets.token_urlsafe(50),
            "API_TOKEN": self.token,
            "MESSAGE_ROUTES": f"sms={ALIAS},whatsapp={ALIAS}",
            "MESSAGE_PROVIDERS": _providers(self.provider_port, self.options),
            "MESSAGE_RETRY_LIMIT": "3",
            "MESSAGE_RETRY_BASE_SECONDS": "0.5",
            "MESSAGE_RETRY_CAP_SECONDS": "3",
            "SABOTAGE": self.options.sabotage,
            "PYTHONUNBUFFERED": "1",
        }


def _providers(port: int, options: Options) -> str:
    return json.dumps(
        {
            ALIAS: {
                "BACKEND": "messaging.providers.http.Http",
                "OPTIONS": {
                    "url": f"http://127.0.0.1:{port}/messages",
                    "in_flight": options.in_flight,
                    "timeout_seconds": options.timeout_seconds,
                },
            }
        }
    )


def _free_port() -> int:
    for port in sorted(PORTS, key=lambda _: secrets.randbits(32)):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    sys.exit("There is no free port for the provider.")


def _end_service(service: Service | None, number: signal.Signals) -> None:
    if service and service.process:
        service.process.send_signal(number)
        service.process.wait(30)


def _working_in(folder: str) -> list[int]:
    """The processes whose working directory this is: every one of PostgreSQL's works in its data."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str((process / "cwd").readlink()) == folder:
                found.append(int(process.name))
        except OSError:
            continue
    return found
