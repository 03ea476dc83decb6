"""A provider that behaves like a vendor on a good or a bad day, and keeps its own log of what it accepted.

Numbers that end in 9990 to 9999 behave in a way of their own, whatever the rates say:

====  ==========================================================================================
9990  refused for the moment, every time: ends `failed` after the retry limit
9991  refused for the moment twice, then accepted
9992  refused for good: `failed`
9993  throttled for about three seconds after it is first seen, then accepted: no retry counted
9994  the vendor knows an opt-out: `skipped`
9995  accepted, but the answer is lost: `unknown`
9996  lost on the way, and no answer: `unknown`
9997  accepted after five seconds
9998  the account is broken: the campaign pauses itself
9999  connection refused, the first time; then accepted
====  ==========================================================================================

Those that end in 9980 to 9984 are accepted, and write back: see `simulated_replies`.
"""

import asyncio
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

from messaging.providers.base import (
    Accepted,
    Capabilities,
    Envelope,
    GiveUp,
    OptedOut,
    Outcome,
    SlowDown,
    StopAll,
    TryLater,
    Unknown,
)
from messaging.providers.pacing import paced
from messaging.providers.simulated_receipts import HearsReceipts, Receipts

THROTTLE_SECONDS = 3.0
SLOW_SECONDS = 5.0
# The last four digits: the answer, and whether the message was in truth accepted.
SPECIAL: dict[str, tuple[Outcome, bool]] = {
    "9990": (TryLater("simulated: the network is congested"), False),
    "9991": (TryLater("simulated: the network is congested"), False),
    "9992": (GiveUp("simulated: the number does not exist"), False),
    "9993": (SlowDown("simulated: 429 too many requests", 1.0), False),
    "9994": (OptedOut("simulated: the person opted out at the operator"), False),
    "9995": (Unknown("simulated: the answer was lost"), True),
    "9996": (Unknown("simulated: no answer"), False),
    "9998": (StopAll("simulated: the account has no credit"), False),
    "9999": (TryLater("simulated: connection refused"), False),
}
# How many tries meet that answer, where not all do.
TRIES = {"9991": 2, "9999": 1}


class Simulator(HearsReceipts):
    """Accepts after `latency_seconds`, but for the shares of messages (0 to 1) that the rates name.

    Which message meets which fate depends on `seed`, its reference and its attempt alone, so a run can be repeated.
    `log` is a file of JSON lines, `{"reference": …, "at": …}`, one for each accepted envelope, written before the
    answer is given; `None` keeps no log. Two accepted lines with one reference are two messages on one handset.
    With `look_up` it can be asked afterwards what it took, and answers from the log.
    `receipts` (see `Receipts`) and replies are posted to our door, signed with `secret`, where somebody can reach us.
    """

    def __init__(
        self,
        *,
        latency_seconds: float = 0.2,
        transient_rate: float = 0.0,
        permanent_rate: float = 0.0,
        throttle_rate: float = 0.0,
        unknown_rate: float = 0.0,
        seed: int = 1,
        in_flight: int = 250,
        timeout_seconds: float = 10.0,
        log: str | None = None,
        down: str | None = None,
        look_up: bool = False,
        receipts: Mapping[str, float] | None = None,
        secret: str = "",
    ) -> None:
        rates = [transient_rate, permanent_rate, throttle_rate, unknown_rate]
        if min(rates) < 0 or sum(rates) > 1:
            raise ValueError("The simulator's rates must lie between 0 and 1 and add up to no more than 1.")
        if look_up and not log:
            raise ValueError("The simulator looks up in its log: with look_up it needs one.")
        self.capabilities = Capabilities(
            in_flight=in_flight, timeout_seconds=timeout_seconds, looks_up=look_up, paces=True
        )
        self.latency_seconds = latency_seconds
        self.rates = rates
        self.seed = seed
        self.log = Path(log) if log else None
        self.down = Path(down) if down else None
        self.secret = secret
        self.receipts = Receipts(secret=secret, **(receipts or {}))
        self._first_seen: dict[str, float] = {}
        self._taken: set[str] = set()
        self._read_to = 0

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """An outcome for each envelope, after the latency; slow numbers hold up only what is handed over with them.

        While the file `down` exists nothing is accepted: connections are refused.
        """
        return await paced(envelopes, self._take)

    async def _take(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        if self.down and self.down.exists():
            return [TryLater("connection refused") for _ in envelopes]
        if any(envelope.to.endswith("9997") for envelope in envelopes):
            await asyncio.sleep(SLOW_SECONDS)
        await asyncio.sleep(self.latency_seconds)
        fates = [self._fate(envelope) for envelope in envelopes]
        taken = [envelope for envelope, (_, took) in zip(envelopes, fates, strict=True) if took]
        self._note(taken)
        self.receipts.tell_later(taken, self._chance)
        return [outcome for outcome, _ in fates]

    async def look_up(self, references: Sequence[str]) -> list[Outcome | None]:
        """What its log says: accepted, or never taken. While the file `down` exists nobody answers."""
        if self.down and self.down.exists():
            return [None for _ in references]
        self._read_log()
        never = GiveUp("simulated: the provider never got it")
        return [Accepted(f"sim-{each}") if each in self._taken else never for each in references]

    def _read_log(self) -> None:
        """Take in what was accepted since the last look, by whichever worker."""
        if not (self.log and self.log.exists()):
            return
        with self.log.open("rb") as lines:
            lines.seek(self._read_to)
            for line in lines:
                if not line.endswith(b"\n"):
                    break  # still being written
                self._taken.add(json.loads(line)["reference"])
                self._read_to += len(line)

    def _fate(self, envelope: Envelope) -> tuple[Outcome, bool]:
        """The answer, and whether the message was in truth accepted."""
        special = self._special(envelope)
        if special is not None:
            return special
        chance = self._chance(envelope)
        fates: list[tuple[Outcome, bool]] = [
            (TryLater("simulated: 503 service unavailable"), False),
            (GiveUp("simulated: the number does not exist"), False),
            (SlowDown("simulated: 429 too many requests", 1.0), False),
            (Unknown("simulated: no answer"), chance * 1e6 % 2 < 1),
        ]
        for rate, fate in zip(self.rates, fates, strict=True):
            if chance < rate:
                return fate
            chance -= rate
        return self._accept(envelope)

    def _special(self, envelope: Envelope) -> tuple[Outcome, bool] | None:
        suffix = envelope.to[-4:]
        if suffix == "9993" and self._seconds_known(envelope) >= THROTTLE_SECONDS:
            return None
        return None if envelope.attempt >= TRIES.get(suffix, math.inf) else SPECIAL.get(suffix)

    def _accept(self, envelope: Envelope) -> tuple[Outcome, bool]:
        return Accepted(f"sim-{envelope.reference}"), True

    def _seconds_known(self, envelope: Envelope) -> float:
        now = time.monotonic()
        return now - self._first_seen.setdefault(envelope.reference, now)

    def _chance(self, envelope: Envelope) -> float:
        """A number from 0 to 1 that is the same for this seed, reference and attempt in every process."""
        key = f"{self.seed}:{envelope.reference}:{envelope.attempt}".encode()
        return int.from_bytes(blake2b(key, digest_size=8).digest()) / 2**64

    def _note(self, accepted: Sequence[Envelope]) -> None:
        """One write a call with O_APPEND, so that the lines of several workers do not mix and a killed one loses
        none.
        """
        if not (self.log and accepted):
            return
        at = time.time()
        lines = "".join(json.dumps({"reference": envelope.reference, "at": at}) + "\n" for envelope in accepted)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, lines.encode())
        finally:
            os.close(file)
