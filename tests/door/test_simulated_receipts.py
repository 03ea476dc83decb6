"""The simulator's receipts, posted as a vendor posts them and read as our door reads them."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import pytest

from messaging import providers, senders
from messaging.providers.base import Accepted, Envelope, Hook, Receipt
from messaging.providers.memory import Memory
from messaging.providers.simulator import Simulator
from messaging.providers.web import Heard, Web
from tests.messaging.driving import deliver_due, sending_campaign

DOOR = "http://127.0.0.1:9/hooks/simulator/x"


def posted(simulator: Simulator, envelopes: list[Envelope], monkeypatch: pytest.MonkeyPatch) -> list[list[Receipt]]:
    """What our door would read of all that the simulator posts, request by request."""
    read: list[list[Receipt]] = []

    async def call(self: Web, method: str, url: str, *, data: bytes, headers: dict[str, str]) -> Heard:
        hook = Hook(method, url, headers, data, datetime.now(UTC))
        simulator.verify(hook)
        read.append([each for each in simulator.read(hook) if isinstance(each, Receipt)])
        return Heard(200)

    monkeypatch.setattr(Web, "call", call)

    async def submit() -> None:
        outcomes = await simulator.submit(envelopes)
        assert {type(outcome) for outcome in outcomes} == {Accepted}
        await asyncio.gather(*simulator.receipts._under_way)

    asyncio.run(submit())
    return read


def simulator(**receipts: float) -> Simulator:
    return Simulator(latency_seconds=0, secret="s", receipts={"delay_seconds": 0, **receipts})


def envelopes(count: int, url: str = DOOR) -> list[Envelope]:
    return [Envelope(str(n), "sms", f"+2547000{n:05d}", "Hi", receipt_url=url) for n in range(1, count + 1)]


def test_the_shares_are_told_in_hundreds_and_who_reads_was_delivered_before(monkeypatch: pytest.MonkeyPatch) -> None:
    requests = posted(simulator(delivered=0.5, read=0.3, failed=0.1), envelopes(1000), monkeypatch)

    said: dict[str, list[str]] = {}
    for receipt in chain.from_iterable(requests):
        said.setdefault(receipt.reference, []).append(receipt.status)
    counts = Counter(tuple(statuses) for statuses in said.values())
    assert set(counts) == {("delivered",), ("delivered", "read"), ("failed",)}
    assert counts["delivered",] == pytest.approx(500, abs=60)
    assert counts["delivered", "read"] == pytest.approx(300, abs=60)
    assert counts["failed",] == pytest.approx(100, abs=40)
    assert max(map(len, requests)) == 100


def test_nothing_is_posted_where_nobody_can_reach_us_or_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    assert posted(simulator(delivered=1), envelopes(3, url=""), monkeypatch) == []
    deaf = Simulator(latency_seconds=0, receipts={"delivered": 1, "delay_seconds": 0})
    assert posted(deaf, envelopes(3), monkeypatch) == []
    assert posted(simulator(), envelopes(3), monkeypatch) == []


@pytest.mark.parametrize("shares", [{"delivered": 0.9, "read": 0.2}, {"failed": -0.1}])
def test_shares_that_make_no_sense_are_refused(shares: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="shares of receipts"):
        simulator(**shares)


@pytest.mark.django_db
def test_delivery_tells_the_vendor_where_to_send_receipts(outbox: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Envelope] = []

    def submit(_alias: str, sent: Sequence[Envelope]) -> list[Accepted]:
        given.extend(sent)
        return [Accepted("x") for _ in sent]

    monkeypatch.setattr(providers, "submit", submit)
    monkeypatch.setattr(senders, "hook_url", lambda alias: f"https://clarion.example.com/hooks/{alias}/x")
    sending_campaign(2)

    deliver_due()

    assert [each.receipt_url for each in given] == ["https://clarion.example.com/hooks/memory/x"] * 2
