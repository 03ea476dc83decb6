"""A provider that misbehaves on command: the command is a file, so it reaches every process."""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from messaging.providers.base import Envelope, Outcome, StopAll, TryLater
from messaging.providers.simulator import Simulator


class Commanded(Simulator):
    """The simulator, and these files in `commands`:

    `down`: refuses connections (the simulator's own).
    `busy`: answers 503 and accepts nothing.
    `broke`: accepts nothing, because the account has no credit.
    `hold`: keeps its answer back while the file is there, and says by the file `held` that it does.
    `die`: has accepted, removes the file and kills this process, so that no answer is ever written down.
    """

    def __init__(self, *, commands: str, **options: Any) -> None:
        super().__init__(**options)
        self.commands = Path(commands)

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        if self._told("busy"):
            return [TryLater("503 service unavailable") for _ in envelopes]
        if self._told("broke"):
            outcomes: list[Outcome] = [StopAll("no credit") for _ in envelopes]
        else:
            outcomes = await super().submit(envelopes)
        if self._told("die"):
            (self.commands / "die").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        while self._told("hold"):
            (self.commands / "held").touch()
            await asyncio.sleep(0.02)
        return outcomes

    def _told(self, command: str) -> bool:
        return (self.commands / command).exists()
