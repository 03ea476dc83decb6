"""What is said to the person at the terminal, and the signals that come from there."""

import contextlib
import os
import signal
from types import FrameType
from typing import NoReturn


def say(line: str) -> None:
    """Print one line at once; a terminal that was closed meanwhile is no reason to stop."""
    with contextlib.suppress(OSError):
        print(f"clarion: {line}" if line else "", flush=True)


def fail(sentence: str) -> NoReturn:
    """End the program with status 1 and `sentence` on standard error."""
    raise SystemExit(f"clarion: {sentence}")


class Signals:
    """Ctrl-C, TERM and HUP end the program once; while things are being stopped they are only counted."""

    def __init__(self) -> None:
        self.count = 0
        self._shielded = False
        self._on_terminal = False

    def listen(self) -> None:
        """Handle the three signals from now on, except a hang-up that `nohup` has told us to ignore."""
        self._on_terminal = os.isatty(0) and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._handle)

    def stop_if_hung_up(self) -> None:
        """End the program when its terminal was closed.

        The kernel tells only the first process of the terminal's session. Where that is `make` (as after
        `ssh -t host make run`), it waits for us and passes nothing on.
        """
        if self._on_terminal and not os.isatty(0):
            raise SystemExit(128 + signal.SIGHUP)

    def shield(self) -> None:
        """From now on no signal interrupts the program: it is stopping already."""
        self._shielded = True
        self.count = 0

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if not self._shielded:
            self._shielded = True
            raise SystemExit(128 + number)


SIGNALS = Signals()
