"""Starts processes that cannot outlive us, notes them, brings them back when they die, and stops them in order."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devstack.environment import BASE
from devstack.logs import Log
from devstack.terminal import SIGNALS, fail, say

LINUX = sys.platform.startswith("linux")
FIRST_DELAY, LONGEST_DELAY, STEADY_SECONDS = 0.5, 30.0, 60.0
# A slice on the wire may finish; a celery worker that has lost its broker never would.
GRACE_SECONDS = 15.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """For `preexec_fn`: the kernel sends the child `number` when we are gone, even by kill -9. Linux only."""
    if not LINUX:
        return None
    parent = os.getpid()

    def hook() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:  # we died before the call above
            os._exit(1)

    return hook


def die_with_make() -> None:
    """End with TERM when the `make` that started us is killed: it cannot pass on a kill -9."""
    if LINUX and Path(f"/proc/{os.getppid()}/comm").read_text().strip() in {"make", "gmake"}:
        _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    output: Path,
    stop: signal.Signals = signal.SIGTERM,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `argv` in the checkout, in a session of its own (so that Ctrl-C reaches us alone), writing to `output`."""
    with output.open("ab") as file:
        return subprocess.Popen(
            argv,
            cwd=BASE,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(stop),  # noqa: PLW1509  (we have no threads)
            pass_fds=pass_fds,
        )


@dataclass
class Service:
    """A process that is kept alive: when it dies it is started again after 0.5, 1, 2, … 30 seconds.

    `tries` is how often in a row it may die before the whole stack is given up; None is for ever. A life of a minute
    makes the next failure the first again.
    """

    name: str
    argv: Sequence[str]
    log: Log
    env: Mapping[str, str] | None = None
    stop: signal.Signals = signal.SIGTERM
    tries: int | None = None
    pass_fds: Sequence[int] = ()
    failures: int = 0
    process: subprocess.Popen[bytes] | None = None
    _started: float = 0.0
    _again_at: float | None = field(default=None)

    def start(self, book: "Book") -> None:
        """Start it now and note its process in `book`."""
        self.process = spawn(self.argv, env=self.env, output=self.log.path, stop=self.stop, pass_fds=self.pass_fds)
        self._started, self._again_at = time.monotonic(), None
        book.note(self.process.pid, self.stop)

    def keep(self, book: "Book") -> None:
        """Look after it: nothing when it lives, a line when it is found dead, a start when its delay is over."""
        if self.process is None or self.process.poll() is None:
            return
        now = time.monotonic()
        if self._again_at is None:
            self._again_at = now + self._delay(self.process.returncode, now - self._started)
            kill_group(self.process.pid)
        elif now >= self._again_at:
            self.start(book)

    def _delay(self, status: int, lived: float) -> float:
        self.failures = 1 if lived >= STEADY_SECONDS else self.failures + 1
        ended = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        if self.tries is not None and self.failures > self.tries:
            fail(
                f"{self.name} {ended} and cannot be brought back; the last of {self.log.path}:\n{self.log.last_lines()}"
            )
        delay: float = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (self.failures - 1))
        say(f"{self.name} {ended}; it is started again in {delay:g} s (see {self.log.path})")
        return delay


def stop_all(services: Sequence[Service]) -> None:
    """Ask all of them to end, together; who has not after some seconds, or at a second Ctrl-C, is killed."""
    running = [service.process for service in services if service.process]
    for service in services:
        if service.process and service.process.poll() is None:
            service.process.send_signal(service.stop)
    wait_until(lambda: all(process.poll() is not None for process in running), GRACE_SECONDS)
    for process in running:
        kill_group(process.pid)
        process.wait()


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    """Whether `done()` came true within `seconds`; a second Ctrl-C ends the waiting."""
    patience = time.monotonic() + seconds
    while not done():
        if time.monotonic() > patience or SIGNALS.count > 1:
            return False
        time.sleep(0.02)
    return True


def kill_group(pid: int) -> None:
    """Kill what is left of the session that `pid` leads or led; harmless when nothing is."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Book:
    """The file of processes we have started, for the next start to end those that a kill -9 of us left behind.

    On Linux the kernel ends them (`die_with_parent`) and the next start only waits; elsewhere it ends them itself.
    """

    path: Path

    def note(self, pid: int, stop: signal.Signals) -> None:
        """Add a process that we have just started."""
        with self.path.open("a") as book:
            book.write(f"{pid} {int(stop)} {_identity(pid)}\n")

    def close(self) -> None:
        """Forget them: they have ended."""
        self.path.unlink(missing_ok=True)

    def end_leftovers(self) -> None:
        """End whatever an earlier run has left, youngest first (the servers were the oldest); then forget them."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        for line in reversed(lines):
            pid, stop, identity = line.split(" ", 2)
            if _identity(int(pid)) == identity != "":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), int(stop))
                wait_until(lambda pid=int(pid), was=identity: _identity(pid) != was, GRACE_SECONDS)  # type: ignore[misc]
                if _identity(int(pid)) == identity:
                    kill_group(int(pid))
        self.close()


def _identity(pid: int) -> str:
    """When the process began, to tell it from a later one with its number; empty when there is none."""
    if LINUX:
        try:
            # The name, up to the last bracket, may have blanks; the start time is the twentieth field after (proc(5)).
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        return "" if fields[0] == "Z" else fields[19]
    shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], check=False, capture_output=True, text=True)
    return shown.stdout.strip()
