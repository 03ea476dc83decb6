"""Adapters that only a benchmark needs: one that answers at once, and one that notes when it was called."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.ratios import Grant
from messaging.providers.base import Accepted, Capabilities, Envelope, Outcome


class Instant:
    """Accepts everything at once."""

    def __init__(self, *, in_flight: int = 250) -> None:
        self.capabilities = Capabilities(in_flight=in_flight)

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """`Accepted` for each envelope."""
        return [Accepted(f"instant-{envelope.reference}") for envelope in envelopes]


class Noting(Instant):
    """Notes in a file of each process when it was called with how many parts: a call follows its grant at once."""

    def __init__(self, *, folder: str, in_flight: int = 50) -> None:
        super().__init__(in_flight=in_flight)
        self.folder = Path(folder)

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """`Accepted` for each envelope."""
        line = f"{time.time():.6f} {sum(envelope.parts for envelope in envelopes)}\n"
        with (self.folder / str(os.getpid())).open("a") as notes:
            notes.write(line)
        return await super().submit(envelopes)


class SlowNoting(Noting):
    """Answers each message on its own after 400 ms, as vendors far away do, and hands each over at its time."""

    def __init__(self, *, folder: str) -> None:
        super().__init__(folder=folder, in_flight=250)
        self.capabilities = replace(self.capabilities, paces=True)

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """`Accepted` for each envelope."""
        return [outcome for each in await asyncio.gather(*map(self._take, envelopes)) for outcome in each]

    async def _take(self, envelope: Envelope) -> list[Outcome]:
        await asyncio.sleep(envelope.not_before - asyncio.get_running_loop().time())
        outcome = await super().submit([envelope])
        await asyncio.sleep(0.4)
        return outcome


def noted(folder: Path, *, since: float) -> list[Grant]:
    """What all processes noted in `folder` from that time on."""
    lines = [line.split() for notes in folder.iterdir() for line in notes.read_text().splitlines()]
    return sorted((float(at), int(parts)) for at, parts in lines if float(at) >= since)
