"""A sender that people set up, for tests: an adapter that keeps what it is given, and can be chosen in the admin."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

import pytest

from messaging import accounts, adapters, secrets, senders
from messaging.models import Sender
from messaging.providers.base import Accepted, Capabilities, Envelope, Outcome

SECRET = "hush-hush-7f3a"


class Line:
    """What an adapter holds that wants to be closed."""

    def __init__(self) -> None:
        self.is_closed = False

    async def close(self) -> None:
        self.is_closed = True


class Rented:
    """Sends SMS only; every one that was made stands in `made`."""

    LABEL = "Rented line"
    SECRETS = frozenset({"token"})
    HELP: ClassVar[dict[str, str]] = {"sender_id": "What people see."}
    made: ClassVar[list["Rented"]] = []

    def __init__(
        self,
        *,
        sender_id: str,
        token: str,
        speed: int | None = None,
        mood: Literal["calm", "brisk"] = "calm",
        is_fast: bool = False,
        extra: dict[str, str] | None = None,
    ) -> None:
        if sender_id == "wrong":
            raise ValueError(f"no such sender with {token}")
        self.capabilities = Capabilities(channels=frozenset({"sms"}), in_flight=50)
        self.token, self.sender_id, self.line = token, sender_id, Line()
        self.outbox: list[Envelope] = []
        Rented.made.append(self)

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        self.outbox.extend(envelopes)
        return [Accepted(f"rented-{envelope.reference}") for envelope in envelopes]


@pytest.fixture
def rented(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Rented]]:
    """The adapters made so far, oldest first; `rented` can be chosen as a vendor."""
    path = f"{__name__}.Rented"
    adapter = adapters.Adapter("rented", Rented.LABEL, path, adapters.options(Rented))
    monkeypatch.setattr(adapters, "shipped", lambda: {"rented": adapter})
    Rented.made.clear()
    accounts.forget()
    yield Rented.made
    accounts.forget()


def rent(alias: str = "line", *, token: str = SECRET, **fields: Any) -> Sender:
    """An enabled sender of SMS."""
    sender = Sender(
        alias=alias,
        **{
            "backend": "rented", "options": {"sender_id": "Clarion"}, "sealed": secrets.seal({"token": token}),
            "is_enabled": True, "sends_sms": True,
        }
        | fields,
    )  # fmt: skip
    senders.save(sender)
    return sender
