"""Debian's Kannel with its fake SMSC, end to end: through the adapter, and through a campaign's own delivery."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from campaigns.models import Campaign
from messaging import delivery, providers, receipts, throttle
from messaging.models import OutboundMessage, Status
from messaging.providers.base import Accepted, Envelope, GiveUp, Outcome, Receipt, Reply, SlowDown, StopAll, TryLater
from messaging.providers.kannel import Kannel
from tests.messaging import driving
from tests.peers.conftest import peer
from tests.peers.gateway import PASSWORD, Gateway
from tests.peers.hearing import Ear, until

pytestmark = pytest.mark.peers
# A door with what Kannel would take for blanks of its own.
PATH = "/hooks/carrier/a%2Fb%20c"


@pytest.fixture(scope="module")
def gateway(ear: Ear, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose carrier is connected and has one reply to deliver."""
    gateway = Gateway(peer("kannel") / "root", tmp_path_factory.mktemp("kannel"), f"{ear.url}{PATH}")
    try:
        gateway.start()
        gateway.start_carrier("254700000001 20414 text STOP tafadhali")
        yield gateway
    finally:
        gateway.stop()


def envelope(ear: Ear, reference: str, **changes: Any) -> Envelope:
    """A message that no campaign's can be taken for: those tests share this door, and their ids begin at 1."""
    message = Envelope(
        reference, "sms", f"+2547110{reference:0>5}", f"Habari {reference}", receipt_url=f"{ear.url}{PATH}"
    )
    return replace(message, **changes)


def submit(adapter: Kannel, envelopes: Sequence[Envelope]) -> list[Outcome]:
    async def call() -> list[Outcome]:
        outcomes = await adapter.submit(envelopes)
        await adapter.web.close()
        return outcomes

    return asyncio.run(call())


def statuses(gateway: Gateway, ear: Ear, reference: str) -> list[str]:
    """What the receipts of this message say, through the adapter."""
    said = [each for hook in ear.about(reference) for each in gateway.adapter().read(hook)]
    assert all(isinstance(each, Receipt) and each.reference == reference for each in said)
    return sorted(each.status for each in said if isinstance(each, Receipt))


def test_what_it_accepts_reaches_the_phone_and_its_receipts_reach_us(gateway: Gateway, ear: Ear) -> None:
    assert submit(gateway.adapter(), [envelope(ear, "90101", text="Bei: {5} € kwa ñ, 100% & zaidi+")]) == [Accepted()]
    until(lambda: len(ear.about("90101")) == 2, "two receipts")
    assert statuses(gateway, ear, "90101") == ["delivered", "sent"]
    assert ("ACME", "+254711090101", "text", "Bei: {5} € kwa ñ, 100% & zaidi+") in gateway.got()
    assert all("/hooks/carrier/a%2Fb%20c?" in hook.url for hook in ear.about("90101")), "our URL comes back as it was"


def test_a_text_beyond_gsm7_arrives_whole(gateway: Gateway, ear: Ear) -> None:
    assert submit(gateway.adapter(), [envelope(ear, "90102", text="Jambo ☺ 😀")]) == [Accepted()]
    until(lambda: len(ear.about("90102")) == 2, "two receipts")
    (kind, text) = next(got[2:] for got in gateway.got() if got[1] == "+254711090102")
    assert kind == "ucs-2"
    assert unquote_to_bytes(text.replace("+", " ")).decode("utf-16-be") == "Jambo ☺ 😀"


def test_a_long_text_goes_in_parts_and_its_receipts_end_it_once(gateway: Gateway, ear: Ear) -> None:
    assert submit(gateway.adapter(), [envelope(ear, "90103", text="A" * 400, parts=3)]) == [Accepted()]
    until(lambda: len([got for got in gateway.got() if got[1] == "+254711090103"]) == 3, "three parts")
    until(lambda: "delivered" in statuses(gateway, ear, "90103"), "the receipt")


def test_a_reply_is_read_with_its_phone_and_its_words(gateway: Gateway, ear: Ear) -> None:
    until(lambda: any("from" in hook.query for hook in ear.hooks), "the reply")
    hook = next(hook for hook in ear.hooks if "from" in hook.query)
    (reply,) = gateway.adapter().read(hook)
    assert isinstance(reply, Reply)
    assert (reply.phone, reply.to, reply.text) == ("+254700000001", "20414", "STOP tafadhali")
    assert reply.provider_message_id
    assert abs((reply.at - hook.received_at).total_seconds()) < 5


def test_what_it_refuses_is_told_apart(gateway: Gateway, ear: Ear) -> None:
    good = envelope(ear, "90104")
    bad = replace(envelope(ear, "90105"), to="+2547abc")
    accepted, refused = submit(gateway.adapter(), [good, bad])
    assert accepted == Accepted()
    assert isinstance(refused, GiveUp)
    (stopped,) = submit(gateway.adapter(password="wrong"), [good])
    assert isinstance(stopped, StopAll)
    assert "HTTP 403: Authorization failed" in stopped.error


def test_credentials_stand_in_none_of_its_logs_of_requests(gateway: Gateway, ear: Ear) -> None:
    submit(gateway.adapter(), [envelope(ear, "90106")])
    assert PASSWORD.encode() not in gateway.log("smsbox") + gateway.log("bearerbox")


def test_it_slows_us_down_when_its_queue_is_full_and_what_it_took_is_sent_later(ear: Ear, tmp_path: Path) -> None:
    gateway = Gateway(peer("kannel") / "root", tmp_path, f"{ear.url}{PATH}", core="sms-outgoing-queue-limit = 20")
    try:
        gateway.start()
        outcomes = [submit(gateway.adapter(), [envelope(ear, str(90_201 + n))])[0] for n in range(30)]
        accepted = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
        assert all(isinstance(outcome, SlowDown) for outcome in outcomes[len(accepted) :]), outcomes
        assert 20 <= len(accepted) < 30
        gateway.start_carrier()
        until(lambda: len(gateway.got()) == len(accepted), "what was queued is sent")
    finally:
        gateway.stop()


def test_a_gateway_that_is_down_is_tried_later(ear: Ear, tmp_path: Path) -> None:
    gateway = Gateway(peer("kannel") / "root", tmp_path, f"{ear.url}{PATH}")
    assert submit(gateway.adapter(), [envelope(ear, "90301")]) == [TryLater("not connected: ConnectionRefusedError")]


class WithDoor(Kannel):
    """The adapter, told of the test's door until campaigns know their own."""

    def __init__(self, *, door: str, **options: Any) -> None:
        super().__init__(**options)
        self.door = door

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        return await super().submit([replace(each, receipt_url=each.receipt_url or self.door) for each in envelopes])


@pytest.fixture
def carrier(gateway: Gateway, ear: Ear, settings: Any) -> Iterator[str]:
    """The alias of that gateway, to which every channel is routed."""
    alias = f"carrier-{time.monotonic_ns()}"
    options = {**gateway.options(), "door": f"{ear.url}{PATH}", "in_flight": 10, "timeout_seconds": 5.0}
    settings.MESSAGE_PROVIDERS = {
        **settings.MESSAGE_PROVIDERS, alias: {"BACKEND": "tests.peers.test_kannel.WithDoor", "OPTIONS": options},
    }  # fmt: skip
    settings.MESSAGE_ROUTES = {"sms": alias, "whatsapp": alias}
    delivery.stopping.clear()
    throttle.forget()
    yield alias
    adapter = providers.get(alias)
    assert isinstance(adapter, Kannel)
    asyncio.run_coroutine_threadsafe(adapter.web.close(), providers._start_loop()).result(10)
    throttle.forget()


def apply_receipts(alias: str, campaign: Campaign, ear: Ear) -> None:
    """Write what the door was told of this campaign's messages."""
    ids = set(map(str, OutboundMessage.objects.filter(campaign=campaign).values_list("pk", flat=True)))
    adapter = providers.get(alias)
    assert isinstance(adapter, Kannel)
    said = [each for hook in list(ear.hooks) if hook.query.get("ref") in ids for each in adapter.read(hook)]
    receipts.apply(alias, [each for each in said if isinstance(each, Receipt)])


@pytest.mark.django_db(transaction=True)
def test_a_campaign_is_delivered_and_its_receipts_say_so(gateway: Gateway, ear: Ear, carrier: str) -> None:
    campaign = driving.sending_campaign(40, channel="sms")
    driving.deliver_due()
    assert driving.stats(campaign) == {"sent": 40}
    phones = set(OutboundMessage.objects.filter(campaign=campaign).values_list("address", flat=True))

    def all_delivered() -> bool:
        apply_receipts(carrier, campaign, ear)
        return driving.stats(campaign) == {"delivered": 40}

    until(all_delivered, "every receipt")
    assert phones <= {got[1] for got in gateway.got()}
    campaign.refresh_from_db()
    assert campaign.status == "sent"


@pytest.mark.django_db(transaction=True)
def test_when_smsbox_is_killed_in_mid_batch_nobody_is_written_to_twice_and_nobody_is_forgotten(
    gateway: Gateway, ear: Ear, carrier: str
) -> None:
    campaign = driving.sending_campaign(300, channel="sms")
    before = len(gateway.got())

    def kill() -> None:
        until(lambda: len(gateway.got()) > before + 60, "sixty have left", 10)
        gateway.kill("smsbox")

    killer = threading.Thread(target=kill)
    killer.start()
    driving.deliver_due()
    killer.join()
    # Not in that thread: what it starts ends with it.
    gateway.start_smsbox()
    refused = driving.stats(campaign).get("pending", 0)
    assert refused, "the kill came in mid-batch"

    def all_tried() -> bool:
        driving.make_due()
        driving.deliver_due()
        return "pending" not in driving.stats(campaign)

    until(all_tried, "the breaker lets the rest go", 60)
    messages = {m.address: m.status for m in OutboundMessage.objects.filter(campaign=campaign)}
    counts = driving.stats(campaign)
    assert set(counts) <= {"sent", "unknown"}, counts
    assert counts["sent"] + counts.get("unknown", 0) == 300
    assert counts.get("unknown", 0) <= 10, "at most what was on the wire"
    until(lambda: len(_got(gateway, messages)) >= counts["sent"], "all that it accepted")
    got = _got(gateway, messages)
    assert max(got.values()) == 1, "nobody twice"
    assert {phone for phone, status in messages.items() if status == Status.SENT} <= got.keys()

    def all_settled() -> bool:
        apply_receipts(carrier, campaign, ear)
        delivered = OutboundMessage.objects.filter(campaign=campaign, status=Status.DELIVERED)
        return set(delivered.values_list("address", flat=True)) == got.keys()

    until(all_settled, "receipts settle also what was unknown and had arrived")


def _got(gateway: Gateway, messages: dict[str, str]) -> Counter[str]:
    """How often the carrier got a message for each of these phones."""
    return Counter(got[1] for got in gateway.got() if got[1] in messages)
