"""The port: all that an adapter needs to know of Clarion, and all that Clarion knows of a vendor."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Template:
    """A text that the vendor approved before (WhatsApp): its name and language there, and what fills its blanks."""

    name: str
    language: str
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message as it leaves the house.

    `reference` is our name for it, unique for ever; an adapter hands it to the vendor so that receipts name it.
    `attempt` counts from 0 how often it was already refused for the moment. An adapter that `paces` hands it over not
    before `not_before`, a time of its event loop (and of `time.monotonic()`). `template`, where there is one, is what a
    vendor of approved templates is to send; `text` is then how it reads. `receipt_url` is our door for this account's
    receipts, for vendors that are told it with each message; empty when nobody can reach us.
    """

    reference: str
    channel: str
    to: str
    text: str
    parts: int = 1
    attempt: int = 0
    not_before: float = 0.0
    template: Template | None = None
    receipt_url: str = ""


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
    without the phone. `opted_out` says that the vendor did not deliver because the person does not want it; `to` is
    then the person's number in E.164, where the receipt says it, and `channel` what it was sent by: the wish counts
    also when nobody knows the message.
    """

    status: Literal["sent", "delivered", "read", "failed"]
    at: datetime
    reference: str = ""
    provider_message_id: str = ""
    error: str = ""
    opted_out: bool = False
    to: str = ""
    channel: Literal["sms", "whatsapp"] = "sms"

    def __post_init__(self) -> None:
        """Refuse a status that is none, a time without offset, and a receipt of nothing."""
        if self.status not in ("sent", "delivered", "read", "failed"):
            raise ValueError(f"{self.status!r} is no status of a receipt")
        if self.at.utcoffset() is None:
            raise ValueError("a receipt's time needs its offset")
        if not (self.reference or self.provider_message_id):
            raise ValueError("a receipt must name its message")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a person wrote to one of our numbers; raises `ValueError` when it makes no sense.

    `phone` is the person's, in E.164, or as it is dialled at home where the vendor leaves out the country; `to` is
    ours, as the vendor writes it. `provider_message_id` is the vendor's name for this reply, by which a repeated one is
    known. `wish` is what the vendor itself made of it, where it does: then it has answered it too, and we do not.
    """

    channel: Literal["sms", "whatsapp"]
    phone: str
    text: str
    at: datetime
    provider_message_id: str = ""
    to: str = ""
    wish: Literal["", "opt_out", "opt_in", "help"] = ""

    def __post_init__(self) -> None:
        """Refuse a reply of nobody, and a time without offset."""
        digits = self.phone.removeprefix("+")
        if not (digits.isascii() and digits.isdecimal() and (self.phone.startswith("+") or digits.startswith("0"))):
            raise ValueError("a reply's phone must be in E.164, or begin with the 0 that is dialled at home")
        if self.at.utcoffset() is None:
            raise ValueError("a reply's time needs its offset")


@dataclass(frozen=True, slots=True)
class Hook:
    """A vendor's request to our door, as it came: the URL that it called, header names in lower case, the raw body."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the URL, the last of each name; what is not UTF-8 is replaced."""
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True, errors="replace"))

    @property
    def form(self) -> dict[str, str]:
        """The fields of a urlencoded body, the last of each name; raises `Malformed`."""
        try:
            return dict(parse_qsl(self.body.decode(), keep_blank_values=True, errors="strict", max_num_fields=1_000))
        except ValueError:
            raise Malformed("the body is no urlencoded form in UTF-8") from None

    @property
    def json(self) -> Any:
        """The body as JSON; raises `Malformed`."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Malformed("the body is no JSON") from None


class Forged(Exception):
    """The request does not prove that the vendor sent it; `str()` says what is missing or wrong, without secrets."""


class Malformed(Exception):
    """The request cannot be understood; `str()` says what is wrong with it, without repeating any of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the vendor wants to hear when its request was taken."""

    body: str = ""
    content_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the engine must know of an adapter before it calls.

    `in_flight` is how many envelopes it keeps on the wire together: the most that one lost worker can leave unknown.
    `timeout_seconds` is how long one `submit` may take at the most; the engine ends it then and holds all of its
    envelopes for unknown. `looks_up` says that `look_up` can tell afterwards what became of a message. `paces` says
    that it waits with each envelope for its time: a slice of a limited account then spans a quarter of a second instead
    of being a burst, so that an account whose vendor takes long to answer reaches its rate all the same.
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
    """An adapter: made from its OPTIONS once a process, and again when they change; called from one event loop.

    Its constructor takes keywords only. People who set up an account in the admin are asked for them: the names, the
    type hints (`str`, `int`, `float`, `bool`, a `Literal` of words; anything else is asked for as JSON) and the
    defaults are all that the form knows. A class that may be chosen there has a `LABEL`, its name for people. `SECRETS`
    names the options that are credentials: they are kept encrypted, never shown, and may be given as `env:NAME`. `HELP`
    may say a sentence about an option, by its name. What the constructor raises is shown to people, so it repeats no
    credential. `close`, a coroutine of the adapter or of what it holds as an attribute, is called when it is done with.
    """

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


@runtime_checkable
class Hears(Protocol):
    """What an adapter adds whose vendor sends receipts or replies to our door. All of it is pure and repeatable."""

    def verify(self, hook: Hook) -> None:
        """Raise `Forged` unless the vendor sent it. A vendor that signs nothing is known by the door's secret path."""
        ...

    def read(self, hook: Hook) -> Sequence[Receipt | Reply]:
        """What it says, in its order; a status that is not known says nothing, and the door keeps it as it came.

        Raises `Malformed` for what the vendor cannot have meant, and then nothing of it counts.
        """
        ...

    def answer(self, hook: Hook) -> Answer:
        """What the vendor wants to hear."""
        ...
