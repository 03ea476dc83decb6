"""Starts `dev.py` the way a person does, in a folder of its own, and looks who is still alive afterwards."""

import contextlib
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from devstack.environment import BASE
from devstack.processes import die_with_parent
from devstack.running import settings_names

OURS = {"CLARION_VAR", "CLARION_TEST_SUFFIX", "ADMIN_PASSWORD", "API_TOKEN", "PORT", "DJANGO_SETTINGS_MODULE"}
SECONDS = 60


def clean_environment(var: Path, **more: str) -> dict[str, str]:
    """What a person has in the environment before the first start."""
    unwanted = OURS | set(settings_names())
    kept = {name: value for name, value in os.environ.items() if name not in unwanted and "PYTEST" not in name}
    return kept | {"CLARION_VAR": str(var), "DEMO_CUSTOMERS": "50"} | more


@contextlib.contextmanager
def var_folder() -> Iterator[Path]:
    """A folder for CLARION_VAR with a short path, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="clarion-start-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def alive(var: Path) -> dict[int, str]:
    """The command lines of the processes that belong to the stack in `var`, by process id."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environ = (process / "environ").read_bytes().split(b"\0")
            if command and (f"{var}/" in command or f"CLARION_VAR={var}".encode() in environ):
                found[int(process.name)] = command
    return found


class Runner:
    """`dev.py run` in `var`; as a context it is ready on entry and ended by Ctrl-C on leaving."""

    def __init__(self, var: Path, **more: str) -> None:
        self.var = var
        self.terminal, standard_input = pty.openpty()
        self.output = ""
        self._log = Path(f"{var}.out")
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "dev.py", "run"],
                cwd=BASE,
                env=clean_environment(var, **{"PORT": "18000"} | more),
                stdin=standard_input,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509  (started from the main thread)
            )
        os.close(standard_input)

    def __enter__(self) -> Self:
        self.wait_for(r"Stop +Ctrl-C")
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGINT)
        self.forget()

    def forget(self) -> None:
        """Remove what is left of an ended one."""
        self._log.unlink()
        if self.terminal:
            os.close(self.terminal)

    def wait_for(self, pattern: str, seconds: float = SECONDS) -> None:
        """Wait until the terminal shows `pattern`; fails with all it shows when it never does."""
        patience = time.monotonic() + seconds
        while not re.search(pattern, self.read()):
            assert self.process.poll() is None, f"dev.py ended with {self.process.returncode}:\n{self.output}"
            assert time.monotonic() < patience, f"no {pattern!r} in {seconds} s:\n{self.output}"
            time.sleep(0.05)

    def read(self) -> str:
        """All that the terminal shows so far."""
        self.output = self._log.read_text()
        return self.output

    def shown(self, label: str) -> str:
        """What the banner shows beside `label`."""
        found = re.search(rf"^  {label} +(.+)$", self.read(), re.MULTILINE)
        assert found, self.output
        return found[1]

    @property
    def address(self) -> str:
        """The address of the running web server."""
        return self.shown("Admin").removesuffix("/admin/")

    def get(self, path: str) -> bytes:
        """The body of an API answer, asked for with the token of the banner."""
        request = urllib.request.Request(self.address + path)  # noqa: S310  (our own address)
        request.add_header("Authorization", f"Bearer {self.shown('API token')}")
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return bytes(answer.read())

    def find(self, word: str) -> list[int]:
        """The process ids whose command line holds `word`, oldest first."""
        return sorted(pid for pid, command in alive(self.var).items() if word in command)

    def close_terminal(self) -> int:
        """Close the terminal it was started from, and return the status."""
        os.close(self.terminal)
        self.terminal = 0
        return self.process.wait(SECONDS)

    def end(self, number: signal.Signals) -> int:
        """End it by a signal, once, and return the status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(SECONDS)

    def wait_until_nobody_is_left(self, seconds: float = 20) -> None:
        """Fails with the names of those who are still there."""
        patience = time.monotonic() + seconds
        while left := alive(self.var):
            assert time.monotonic() < patience, left
            time.sleep(0.05)
