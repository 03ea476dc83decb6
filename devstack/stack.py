"""A stack of servers and processes in one folder: started in order, watched, stopped in reverse order."""

import fcntl
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from devstack import servers
from devstack.environment import inside
from devstack.logs import Log
from devstack.processes import Book, Service, stop_all
from devstack.terminal import SIGNALS, fail, say

# The start of the names of throwaway folders in /tmp, where a socket's path stays short.
THROWAWAY = "clarion-test-"


class Stack:
    """A context in which the servers run; `env` is the environment with which everything else finds them.

    A server whose URL the user has given is not started.
    """

    def __init__(self, var: Path, *, durable: bool) -> None:
        self.var = var
        self.env = inside(dict(os.environ)) | {"CLARION_VAR": str(var)}
        self._durable = durable
        self._book = Book(var / "pids")
        self._servers: list[Service] = []
        self._services: list[Service] = []

    def __enter__(self) -> Self:
        self._book.end_leftovers()
        try:
            if given := self.env.get("DATABASE_URL"):
                servers.check_postgres(given)
            else:
                self.env["DATABASE_URL"], service = servers.start_postgres(self.var, self._book, durable=self._durable)
                self._servers.append(service)
            if given := self.env.get("REDIS_URL"):
                servers.check_redis(given)
            else:
                self.env["REDIS_URL"], service = servers.start_valkey(self.var, self._book, durable=self._durable)
                self._servers.append(service)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def start(self, service: Service) -> None:
        """Start one more process, kept alive by `watch`."""
        service.start(self._book)
        self._services.append(service)

    def log(self, name: str) -> Log:
        """The log file of the process called `name`."""
        return Log(self.var / "log" / f"{name}.log")

    def watch(self) -> None:
        """Bring back what died and show what complains, once. Ends the program when a server is lost."""
        for service in (*self._servers, *self._services):
            for line in service.log.complaints():
                say(f"{service.name}: {line}")
            service.keep(self._book)

    def _stop(self) -> None:
        SIGNALS.shield()
        stop_all(self._services)
        stop_all(self._servers)
        self._book.close()


class Throwaway(Stack):
    """A stack in a folder of its own in /tmp, gone afterwards. Any number may run at once.

    Fast and forgetful, unless `durable`: then its servers keep what they were told as those of production do.
    """

    def __init__(self, *, durable: bool = False) -> None:
        _sweep()
        self._folder = Path(tempfile.mkdtemp(prefix=THROWAWAY, dir="/tmp"))
        # Held while we live, and released by the kernel however we die: `_sweep` of a later run asks for it.
        self._lock = lock(self._folder / "lock")
        super().__init__(self._folder, durable=durable)
        # Whatever this terminal is set up to send with, no test may.
        self.env.pop("MESSAGE_PROVIDERS", None)
        self.env |= {
            "MESSAGE_ROUTES": "sms=memory,whatsapp=memory",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "CLARION_TEST_SUFFIX": f"_{os.getpid()}_{secrets.token_hex(3)}",
        }

    def _stop(self) -> None:
        super()._stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def lock(path: Path) -> TextIO | None:
    """Hold `path` until this program ends; None when another program holds it."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _sweep() -> None:
    """Remove the folders of throwaway stacks whose owner was killed."""
    for folder in Path("/tmp").glob(f"{THROWAWAY}*"):  # noqa: S108
        if folder.stat().st_uid != os.geteuid() or time.time() - folder.stat().st_mtime < 60:
            continue  # somebody else's, or so young that it may not be locked yet
        held = lock(folder / "lock")
        if held:
            Book(folder / "pids").end_leftovers()
            shutil.rmtree(folder, ignore_errors=True)
            held.close()


def folder(name: str) -> Path:
    """CLARION_VAR or `name`, made when missing; ends the program when it cannot be written."""
    var = Path(os.environ.get("CLARION_VAR") or name).resolve()
    try:
        var.mkdir(mode=0o700, parents=True, exist_ok=True)
        (var / "log").mkdir(exist_ok=True)
    except OSError as problem:
        fail(f"{var} cannot be used: {problem}. Choose another CLARION_VAR.")
    if not os.access(var / "log", os.W_OK):
        fail(f"{var} belongs to another account. Choose another CLARION_VAR.")
    return var
