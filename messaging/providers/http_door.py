"""How the generic adapter reads a vendor's receipts and replies: by settings that say where each word stands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar, cast

from messaging.providers.base import Answer, Hook, Malformed, Receipt, Reply
from messaging.providers.reading import compare, dig, moment, phone, shown, signature, spelt, writer, written_at

STATUSES = frozenset({"sent", "delivered", "read", "failed", "opted_out"})
Table = TypeVar("Table")


@dataclass(frozen=True, slots=True)
class Receipts:
    """Where a receipt's words stand; `list` is where several do. `statuses` translates the vendor's to ours."""

    statuses: Mapping[str, str]
    status: str = "status"
    reference: str = "reference"
    id: str = "id"
    at: str = ""
    error: str = ""
    to: str = ""
    channel: str = "sms"
    list: str = ""

    def __post_init__(self) -> None:
        """Refuse a status that is none of ours, and a channel that is none."""
        if self.channel not in ("sms", "whatsapp"):
            raise ValueError(f"receipts.channel is sms or whatsapp, and not {self.channel!r}")
        if wrong := set(self.statuses.values()) - STATUSES:
            raise ValueError(f"receipts.statuses knows {sorted(STATUSES)}, and not {sorted(wrong)}")

    def read(self, item: Any, hook: Hook) -> Receipt | None:
        """What this item says; None when its status is not in the table. Raises `Malformed`."""
        word = spelt(_word(item, self.status, hook))
        status = self.statuses.get(word)
        if status is None:
            return None
        code = _word(item, self.error, hook) if self.error else None
        try:
            return Receipt(
                cast(Literal["sent", "delivered", "read", "failed"], "failed" if status == "opted_out" else status),
                moment(_word(item, self.at, hook) if self.at else None, hook.received_at),
                reference=str(_word(item, self.reference, hook) or ""),
                provider_message_id=str(_word(item, self.id, hook) or ""),
                error=_error(word, code) if status in ("failed", "opted_out") else "",
                opted_out=status == "opted_out",
                to=phone(_word(item, self.to, hook)) if self.to and status == "opted_out" else "",
                channel=cast(Literal["sms", "whatsapp"], self.channel),
            )
        except ValueError as wrong:
            raise Malformed(str(wrong)) from None


@dataclass(frozen=True, slots=True)
class Replies:
    """Where a reply's words stand; `list` is where several do."""

    phone: str = "from"
    text: str = "text"
    to: str = "to"
    id: str = "id"
    at: str = ""
    channel: str = "sms"
    list: str = ""

    def __post_init__(self) -> None:
        """Refuse a channel that is none."""
        if self.channel not in ("sms", "whatsapp"):
            raise ValueError(f"replies.channel is sms or whatsapp, and not {self.channel!r}")

    def read(self, item: Any, hook: Hook) -> Reply | None:
        """What this item says; None when nobody whom we could write to wrote it. Raises `Malformed`."""
        whose = writer(_word(item, self.phone, hook))
        if not whose:
            return None
        return Reply(
            cast(Literal["sms", "whatsapp"], self.channel),
            whose,
            str(_word(item, self.text, hook) or ""),
            written_at(_word(item, self.at, hook) if self.at else None, hook.received_at),
            provider_message_id=str(_word(item, self.id, hook) or ""),
            to=str(_word(item, self.to, hook) or ""),
        )


@dataclass(frozen=True, slots=True)
class Signature:
    """The header with the HMAC of the raw body under a secret that we share with the vendor."""

    header: str
    secret: str
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""

    def __post_init__(self) -> None:
        """Refuse what nothing could be verified with."""
        if not (self.header and self.secret):
            raise ValueError("signature needs a header and a secret")
        if self.algorithm not in ("sha1", "sha256", "sha512"):
            raise ValueError(f"signature.algorithm is sha1, sha256 or sha512, and not {self.algorithm!r}")
        if self.encoding not in ("hex", "base64"):
            raise ValueError(f"signature.encoding is hex or base64, and not {self.encoding!r}")

    def verify(self, hook: Hook) -> None:
        """Raise `Forged` unless the body is signed."""
        right = signature(self.secret, hook.body, algorithm=self.algorithm, encoding=self.encoding)
        compare(hook.headers.get(self.header.lower(), ""), f"{self.prefix}{right}")


@dataclass(frozen=True, slots=True)
class HttpDoor:
    """What may come from this vendor; without tables it can say nothing, without a signature the path is the secret."""

    receipts: Receipts | None = None
    replies: Replies | None = None
    signature: Signature | None = None
    answers: str = ""

    def verify(self, hook: Hook) -> None:
        """Raise `Forged` unless it is signed, where the vendor signs."""
        if self.signature:
            self.signature.verify(hook)

    def read(self, hook: Hook) -> list[Receipt | Reply]:
        """Its receipts and replies, told apart by where a status and a text stand. Raises `Malformed`."""
        return [said for item, table in self._items(hook) if (said := table.read(item, hook)) is not None]

    def answer(self, hook: Hook) -> Answer:
        """The words that were set, or none."""
        return Answer(self.answers)

    def _items(self, hook: Hook) -> Iterator[tuple[Any, Receipts | Replies]]:
        body = _fields(hook)
        for table in (self.receipts, self.replies):
            if table is None:
                continue
            where = table.status if isinstance(table, Receipts) else table.text
            found = dig(body, table.list) if table.list else [body]
            if isinstance(found, list) and found and all(_word(item, where, hook) is not None for item in found):
                yield from ((item, table) for item in found)
                return
        raise Malformed("neither a receipt nor a reply can be found in it")


def table(name: str, kind: type[Table], options: Mapping[str, Any] | None) -> Table | None:
    """This table of settings, or None without any; raises `ValueError` with a sentence for wrong ones."""
    if options is None:
        return None
    known = {each.name: each for each in fields(cast(Any, kind))}
    if wrong := sorted(set(options) - set(known)):
        raise ValueError(f"{name} does not know {', '.join(wrong)}; it knows {', '.join(sorted(known))}")
    try:
        return kind(**options)
    except TypeError:
        raise ValueError(f"{name} lacks a setting") from None


def _fields(hook: Hook) -> Any:
    """What it carries: JSON, a form, or the parameters of its URL."""
    if not hook.body:
        return hook.query
    return hook.json if hook.body.lstrip()[:1] in (b"{", b"[") else hook.form


def _word(item: Any, path: str, hook: Hook) -> Any:
    """What stands there, or under that name in the URL, where our reference is when the vendor repeats none."""
    found = dig(item, path)
    return hook.query.get(path) if found is None else found


def _error(status: str, code: Any) -> str:
    return f"{shown(status)}, code {shown(code)}" if code not in (None, "") else shown(status)
