"""Any provider that takes one HTTP request a message, described by settings alone.

Its defaults are what the engine is measured and attacked with: a POST of JSON.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from messaging.providers import abreast
from messaging.providers.base import (
    Accepted,
    Answer,
    Capabilities,
    Envelope,
    GiveUp,
    Hook,
    OptedOut,
    Outcome,
    Receipt,
    Reply,
    SlowDown,
    StopAll,
    TryLater,
    Unknown,
)
from messaging.providers.http_door import HttpDoor, Receipts, Replies, Signature, table
from messaging.providers.reading import dig, shown, spelt
from messaging.providers.web import Heard, Web, check_url, with_query

FIELDS = {"reference": "reference", "channel": "channel", "to": "to", "text": "text"}
# What else of a message can be told under a name of the vendor's: `digits` is the number without its plus.
TOLD = frozenset({*FIELDS, "digits", "sender", "receipt_url"})
# A refused account, 429 and 503 were not accepted; any other answer says nothing, which is `unknown`.
STATUSES = {
    "2xx": "accepted", "401": "stop_all", "402": "stop_all", "403": "stop_all", "429": "slow_down", "4xx": "give_up",
    "503": "try_later",
}  # fmt: skip
OUTCOMES: dict[str, Callable[[str], Outcome]] = {
    "try_later": TryLater, "slow_down": SlowDown, "give_up": GiveUp, "opted_out": OptedOut, "stop_all": StopAll,
    "unknown": Unknown,
}  # fmt: skip
MEANINGS = frozenset({"accepted", *OUTCOMES})


class Http:
    """Sends `{"reference", "channel", "to", "text"}` to `url`; a 2xx accepts it, and its JSON may name an `id`.

    `fields` says which of reference, channel, to, digits, text, sender and receipt_url go under which name, `extras`
    what else goes with each, `body` whether that is `json`, a `form`, or the `query` of the URL.

    `statuses` says what an HTTP status means (`429`, or `4xx` for those that are not named): accepted, try_later,
    slow_down, give_up, opted_out, stop_all or unknown; it adds to the defaults. Where the answer's JSON carries a code
    of the vendor's at the path `code`, `codes` says what each means and goes first; a 2xx with a code that is not
    there, or without one, is `unknown`. A time-out and a connection that breaks after the request began are
    `Unknown`, a refused one `TryLater`.

    An answer whose JSON names another message at `reference_path` is a late second one to an earlier request on the
    same connection: it says nothing about ours, which is then `Unknown`, and nothing more is read from that connection.

    With `look_up_url`, `GET look_up_url/REFERENCE` tells what became of a message: 200 with `{"id"}` when it was
    accepted, 404 when it never was. `receipts`, `replies` and `signature` say how to read what comes to our door: see
    `http_door.py`. Raises `ValueError` with a sentence for settings that cannot be meant.
    """

    LABEL = "Any vendor with an HTTP API"
    SECRETS = frozenset({"headers", "extras", "signature"})
    HELP: ClassVar[Mapping[str, str]] = {
        "url": "Where each message is sent.",
        "look_up_url": "Where, with our reference behind it, the vendor says what became of a message.",
        "headers": 'Such as {"Authorization": "Bearer …"}.',
        "method": "As the vendor wants it; GET goes with the body “query”.",
        "body": "How the message is written: as JSON, as a form, or behind the URL.",
        "fields": 'Which word of ours goes under which name, such as {"digits": "msisdn", "text": "body"}.',
        "extras": 'What else goes with each message, as {"name": "value"}.',
        "sender": "What the field “sender” stands for.",
        "statuses": 'What an HTTP status means, such as {"409": "give_up"}; adds to what is known.',
        "code": "Where the vendor's own code stands in its answer, such as result.code.",
        "codes": 'What each code means, such as {"0": "accepted", "9": "slow_down"}.',
        "id_path": "Where the vendor's ID of the message stands in its answer.",
        "reference_path": "Where its answer repeats our reference, if it does.",
        "receipts": "Where a receipt says what; docs/providers.md has an example. Empty: there are none.",
        "replies": "Where a reply says what; docs/providers.md says how. Empty: there are none.",
        "signature": 'How the vendor signs, if it does, such as {"header": "x-signature", "secret": "env:NAME"}.',
        "answer": "The words that the vendor wants to hear when it called us.",
    }

    def __init__(
        self,
        *,
        url: str,
        look_up_url: str | None = None,
        headers: Mapping[str, str] | None = None,
        in_flight: int = 100,
        timeout_seconds: float = 20.0,
        method: Literal["POST", "PUT", "GET"] = "POST",
        body: Literal["json", "form", "query"] = "json",
        fields: Mapping[str, str] | None = None,
        extras: Mapping[str, Any] | None = None,
        sender: str = "",
        statuses: Mapping[str, str] | None = None,
        code: str = "",
        codes: Mapping[str, str] | None = None,
        id_path: str = "id",
        reference_path: str = "reference",
        receipts: Mapping[str, Any] | None = None,
        replies: Mapping[str, Any] | None = None,
        signature: Mapping[str, Any] | None = None,
        answer: str = "",
    ) -> None:
        self.url = check_url("url", url)
        self.look_up_url = check_url("look_up_url", look_up_url) if look_up_url is not None else None
        self.capabilities = Capabilities(
            in_flight=in_flight, timeout_seconds=timeout_seconds, looks_up=look_up_url is not None, paces=True
        )
        self.method = _one_of("method", method, {"POST", "PUT", "GET"})
        self._as = {"json": "json", "form": "data", "query": "params"}[_one_of("body", body, {"json", "form", "query"})]
        self.fields = {**(FIELDS if fields is None else fields)}
        self.extras = {**(extras or {})}
        self.sender = sender
        self.statuses = {**STATUSES, **(statuses or {})}
        self.code, self.codes = code, {**(codes or {})}
        self.id_path, self.reference_path = id_path, reference_path
        self._check()
        self._door = HttpDoor(
            table("receipts", Receipts, receipts),
            table("replies", Replies, replies),
            table("signature", Signature, signature),
            answer,
        )
        self._web = Web(timeout_seconds=timeout_seconds, headers=headers)

    def _check(self) -> None:
        for told in self.fields:
            _one_of("fields", told, TOLD)
        if not {"text"} <= set(self.fields) or not {"to", "digits"} & set(self.fields):
            raise ValueError("fields must name the text and the number (to or digits)")
        for status, meaning in self.statuses.items():
            _one_of("statuses", meaning, MEANINGS)
            if not (len(status) == 3 and status[0] in "12345" and (status[1:] == "xx" or status[1:].isdecimal())):
                raise ValueError(f"statuses are such as 429 or 4xx, and not {status!r}")
        for meaning in self.codes.values():
            _one_of("codes", meaning, MEANINGS)
        if bool(self.code) != bool(self.codes):
            raise ValueError("code says where the vendor's code stands and codes what each means: give both or neither")

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        """An outcome for each envelope, sent each at its time and none waiting for another."""
        return await abreast.each(envelopes, self._send)

    async def look_up(self, references: Sequence[str]) -> list[Outcome | None]:
        """What became of each: `Accepted`, `GiveUp` when it never was, None when that cannot be told now."""
        return await abreast.abreast(references, self._ask, broken=lambda *_: None)

    def verify(self, hook: Hook) -> None:
        """Raise `Forged` unless the vendor signed it; without `signature` it is known by the door's secret path."""
        self._door.verify(hook)

    def read(self, hook: Hook) -> Sequence[Receipt | Reply]:
        """What it says, by `receipts` and `replies`; raises `Malformed`."""
        return self._door.read(hook)

    def answer(self, hook: Hook) -> Answer:
        """The words of the setting `answer`."""
        return self._door.answer(hook)

    async def _send(self, envelope: Envelope) -> Outcome:
        heard = await self._web.call(
            self.method,
            self.url,
            not_before=envelope.not_before,
            is_ours=lambda heard: self._names(heard) in (None, envelope.reference),
            **{self._as: self._fill(envelope)},
        )
        return self._outcome(heard) if isinstance(heard, Heard) else heard

    async def _ask(self, reference: str) -> Outcome | None:
        heard = await self._web.call("GET", f"{self.look_up_url}/{reference}")
        if not isinstance(heard, Heard):
            return None
        if heard.status == 404:
            return GiveUp("the provider never got it")
        return Accepted(self._id(heard)) if heard.status == 200 else None

    def _fill(self, envelope: Envelope) -> dict[str, Any]:
        """The vendor's names with the message's words."""
        return {**self.extras, **{name: self._word(told, envelope) for told, name in self.fields.items()}}

    def _word(self, told: str, envelope: Envelope) -> str:
        if told == "digits":
            return envelope.to.lstrip("+")
        if told == "sender":
            return self.sender
        if told == "receipt_url":
            return envelope.receipt_url and with_query(envelope.receipt_url, reference=envelope.reference)
        return str(getattr(envelope, told))

    def _outcome(self, heard: Heard) -> Outcome:
        code = dig(heard.json, self.code) if self.code else None
        status = str(heard.status)
        meaning = self.statuses.get(status, self.statuses.get(f"{status[0]}xx", "unknown"))
        if self.code:
            meaning = self.codes.get(spelt(code), "unknown" if meaning == "accepted" else meaning)
        if meaning == "accepted":
            return Accepted(self._id(heard))
        error = f"HTTP {status}"
        if self.code:
            error += ", no code" if code is None else f", code {shown(code)}"
        return SlowDown(error, heard.retry_after) if meaning == "slow_down" else OUTCOMES[meaning](error)

    def _names(self, heard: Heard) -> str | None:
        named = dig(heard.json, self.reference_path)
        return None if named is None else str(named)

    def _id(self, heard: Heard) -> str:
        """The provider's name for the message."""
        named = dig(heard.json, self.id_path)
        return "" if named is None or isinstance(named, dict | list) else str(named)


def _one_of(option: str, value: str, known: set[str] | frozenset[str]) -> str:
    if value not in known:
        raise ValueError(f"{option} knows {', '.join(sorted(known))}, and not {value!r}")
    return value
