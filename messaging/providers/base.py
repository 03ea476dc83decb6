"""The port: all that an adapter needs to know of Clarion, and all that Clarion knows of a vendor."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeAlias, runtime_checkable


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message as it leaves the house.

    `reference` is our name for it, unique for ever; an adapter hands it to the vendor so that receipts name it.
    `attempt` counts from 0 how often it was already refused for the moment. An adapter that `paces` hands it over not
    before `not_before`, a time of its event loop (and of `time.monotonic()`).
    """

    reference: str
    channel: str
    to: str
    text: str
    parts: int = 1
    attempt: int = 0
    not_before: float = 0.0


@dataclass(frozen=True, slots=True)
class Accepted:
    """The vendor took it; `provider_message_id` is the vendor's name for it, or empty."""

    provider_message_id: str = ""


@dataclass(frozen=True, slots=True)
class TryLater:
    """It was certainly not accepted and may be tried again; counts as a try. `error` is for people, without the
    phone.
    """

    error: str


@dataclass(frozen=True, slots=True)
class SlowDown:
    """Throttled: certainly not accepted; wait `seconds` (None: as long as we think fit). Counts no try."""

    error: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Refused for good: this message will never be accepted."""

    error: str


@dataclass(frozen=True, slots=True)
class OptedOut:
    """The vendor knows that this person does not want to be written to on this channel."""

    error: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It left us and no answer came: it may have been accepted, so it is never repeated unasked."""

    error: str


@dataclass(frozen=True, slots=True)
class StopAll:
    """The account itself is not working (credentials, balance): not accepted, and nothing else would be."""

    error: str


Outcome: TypeAlias = Accepted | TryLater | SlowDown | GiveUp | OptedOut | Unknown | StopAll


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the vendor says later of a message that it took; raises `ValueError` when it makes no sense.

    It names the message by our `reference`, or by the vendor's own id. `at` carries its offset; `error` is for people,
    without the phone.
    """

    status: Literal["sent", "delivered", "read", "failed"]
    at: datetime
    reference: str = ""
    provider_message_id: str = ""
    error: str = ""

    def __post_init__(self) -> None:
        """Refuse a status that is none, a time without offset, and a receipt of nothing."""
        if self.status not in ("sent", "delivered", "read", "failed"):
            raise ValueError(f"{self.status!r} is no status of a receipt")
        if self.at.utcoffset() is None:
            raise ValueError("a receipt's time needs its offset")
        if not (self.reference or self.provider_message_id):
            raise ValueError("a receipt must name its message")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the engine must know of an adapter before it calls.

    `in_flight` is how many envelopes it keeps on the wire together: the most that one lost worker can leave unknown.
    `timeout_seconds` is how long one `submit` may take at the most; the engine ends it then and holds all of its
    envelopes for unknown. `looks_up` says that `look_up` can tell afterwards what became of a message. `paces` says that
    it waits with each envelope for its time: a slice of a limited account then spans a quarter of a second instead of
    being a burst, so that an account whose vendor takes long to answer reaches its rate all the same.
    """

    channels: frozenset[str] = frozenset({"sms", "whatsapp"})
    in_flight: int = 50
    timeout_seconds: float = 20.0
    looks_up: bool = False
    paces: bool = False

    def __post_init__(self) -> None:
        """Raise `ValueError` for what would keep the engine from ever making progress."""
        if self.in_flight < 1:
            raise ValueError(f"in_flight is {self.in_flight}; it must be at least 1")
        if not self.timeout_seconds > 0:
            raise ValueError(f"timeout_seconds is {self.timeout_seconds}; it must be more than 0")


class Provider(Protocol):
    """An adapter: made once a process from its OPTIONS, called from one event loop."""

    capabilities: Capabilities

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """One outcome for each envelope, in their order; never raises for what the vendor did."""
        ...


@runtime_checkable
class LooksUp(Protocol):
    """What an adapter adds whose `capabilities.looks_up` is true."""

    async def look_up(self, references: Sequence[str]) -> list[Outcome | None]:
        """What became of each reference, in their order: `Accepted`; `GiveUp` when the vendor never got it or refused
        it; None when that cannot be told now, and then it is asked again later. Repeatable; never raises.
        """
        ...
