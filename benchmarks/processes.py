"""The processes of a run: workers as in production, and programs beside them; their processor time and memory."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from django.conf import settings
from django.db import connection

from benchmarks.stage import Stuck, until
from devstack.processes import GRACE_SECONDS, kill_group, spawn
from messaging.providers.base import Provider

START_SECONDS = 60.0
TICKS = os.sysconf("SC_CLK_TCK")
THREADS = 8
# Of eight threads no more than this many serve one provider.
SEATS = 4


class Process:
    """A process in a session of its own, which cannot outlive us; its output stands in a file."""

    def __init__(self, argv: Sequence[str], environment: dict[str, str]) -> None:
        folder = Path(tempfile.mkdtemp(dir=settings.CLARION_VAR))
        self.log = folder / "log"
        self.ready = folder / "ready"
        environment = dict(os.environ) | {"BENCH_READY": str(self.ready)} | environment
        # When we are gone so is the broker, and without it a worker that gets TERM waits for ever.
        self._popen = spawn([sys.executable, *argv], env=environment, output=self.log, stop=signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def until_ready(self) -> None:
        """Wait until it has said that it is; raises `Stuck` when it does not."""

        def is_ready() -> bool:
            if self._popen.poll() is not None:
                raise Stuck(
                    f"{self._popen.args!r} ended with {self._popen.returncode}:\n{self.log.read_text()[-2000:]}"
                )
            return self.ready.exists()

        until(is_ready, "a process is ready", START_SECONDS)

    def wait(self, seconds: float) -> None:
        """Wait until it has ended by itself; raises `Stuck` unless it ended well."""
        if self._popen.wait(seconds):
            raise Stuck(f"{self._popen.args!r} ended with {self._popen.returncode}:\n{self.log.read_text()[-2000:]}")

    def end(self) -> None:
        """TERM, and kill -9 what does not hear; may be repeated."""
        if self._popen.poll() is None:
            self._popen.terminate()
            try:
                self._popen.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                kill_group(self._popen.pid)
                self._popen.wait()

    @property
    def cpu_seconds(self) -> float:
        """Processor time so far, of all its threads."""
        return cpu_seconds(self._popen.pid)

    @property
    def peak_bytes(self) -> int:
        """The most memory it has had."""
        status = Path(f"/proc/{self._popen.pid}/status").read_text()
        [kilobytes] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
        return int(kilobytes) * 1024


def cpu_seconds(pid: int, *, with_ended_children: bool = False) -> float:
    """Processor time of a process in user and system mode (proc(5))."""
    # The name, up to the last bracket, may have blanks.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11 : 15 if with_ended_children else 13]) / TICKS


def postgres_cpu_seconds() -> float:
    """Processor time of the whole PostgreSQL server, which must run on this machine."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        own = int(cursor.fetchone()[0])
    server = int(Path(f"/proc/{own}/stat").read_text().rpartition(")")[2].split()[1])
    seconds = cpu_seconds(server, with_ended_children=True)
    for child in Path(f"/proc/{server}/task/{server}/children").read_text().split():
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            seconds += cpu_seconds(int(child))
    return seconds


def worker(
    alias: str, provider: type[Provider], *, threads: int = THREADS, queues: str = "deliver,launch,sweep",
    include: str = "benchmarks.ready", **options: Any,
) -> Process:  # fmt: skip
    """A worker as production starts it, whose every channel is served by this provider."""
    entry = {"BACKEND": f"{provider.__module__}.{provider.__qualname__}", "OPTIONS": options}
    celery = ["-m", "celery", "-A", "config", "worker", "-P", "threads", "-c", str(threads), "--without-gossip"]
    return Process(
        [*celery, "--without-mingle", "-Q", queues, "-I", include, "-n", f"{os.urandom(4).hex()}@bench"],
        database()
        | {"MESSAGE_PROVIDERS": json.dumps({alias: entry}), "MESSAGE_ROUTES": f"sms={alias},whatsapp={alias}"},
    )


@contextmanager
def workers(count: int, alias: str, provider: type[Provider], **options: Any) -> Iterator[list[Process]]:
    """So many workers, all of them ready, and gone afterwards."""
    started: list[Process] = []
    try:
        started += [worker(alias, provider, **options) for _ in range(count)]
        for each in started:
            each.until_ready()
        yield started
    finally:
        for each in started:
            each.end()


def beat() -> Process:
    """The clock that rings for a sweep every second."""
    schedule = tempfile.mkdtemp(dir=settings.CLARION_VAR)
    argv = ["-m", "celery", "-A", "config", "beat", "-s", f"{schedule}/beat", "--pidfile="]
    return Process(argv, database() | {"MESSAGE_ROUTES": "sms=memory,whatsapp=memory"})


def database() -> dict[str, str]:
    """The benchmark's own database is a neighbour of the one that DATABASE_URL names."""
    base, _, options = settings.DATABASE_URL.partition("?")
    url = f"{base.rpartition('/')[0]}/{connection.settings_dict['NAME']}"
    return {"DATABASE_URL": f"{url}?{options}" if options else url}
