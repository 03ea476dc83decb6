"""Meta may know a person by another number than the one that we wrote to; all of it over real HTTP."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from campaigns.audience import CustomerList
from campaigns.models import Campaign
from customers import consent
from customers.models import Customer
from customers.phones import spellings
from messaging import accounts, answers, dispatch, hooks, senders
from messaging.models import OutboundMessage, Reply
from messaging.providers.base import Accepted, Hook
from tests import factories
from tests.door.knocking import address
from tests.messaging.driving import deliver_due, statuses
from tests.providers.answers import whatsapp_cloud as meta
from tests.providers.conftest import Through, server, through
from tests.providers.exam import Said
from tests.providers.server import Asked, Server

pytestmark = pytest.mark.django_db
__all__ = ["server", "through"]

# What stands in our books, and what Meta makes of it.
ARGENTINE, MEXICAN, BRAZILIAN = "+541123456789", "+525512345678", "+5511987654321"
IDS = {
    ARGENTINE: "5491123456789",
    "+5491123456789": "5491123456789",
    MEXICAN: "5215512345678",
    BRAZILIAN: "551187654321",
}


@pytest.fixture(autouse=True)
def _meta(through: Through, server: Server) -> None:
    """An account at a server that answers and names people as Meta does."""

    def answer(asked: Asked) -> Said:
        to = json.loads(asked.body)["to"]
        body = {"contacts": [{"input": to, "wa_id": IDS[to]}], "messages": [{"id": f"wamid.{len(server.asked)}"}]}
        return Said(Accepted, 200, {"messaging_product": "whatsapp", **body})

    server.script = answer
    through("whatsapp_cloud.WhatsAppCloud", phone_number_id="106540352242922", access_token=meta.TOKEN,
            app_secret=meta.SECRET)  # fmt: skip
    senders.ensure()
    accounts.forget()


def write_to(*phones: str) -> Campaign:
    """A new campaign to these people, delivered."""
    customers = [Customer.objects.filter(phone=each).first() or factories.CustomerFactory.create(phone=each)
                 for each in phones]  # fmt: skip
    campaign = factories.CampaignFactory.create(channel="whatsapp")
    dispatch.send(campaign, CustomerList(tuple(each.pk for each in customers)), by=None)
    deliver_due()
    return campaign


def tell(hook: Hook) -> None:
    """Post it at the account's door with its signature, and work it off."""
    alias = settings.MESSAGE_ROUTES["whatsapp"]
    signed = {"x-hub-signature-256": hook.headers["x-hub-signature-256"]}
    answer = Client().post(address(alias), data=hook.body, content_type="application/json", headers=signed)
    assert answer.status_code == 200
    while hooks.work_off():
        pass


def says(text: str, phone: str) -> None:
    """Whoever Meta knows under `phone` by its id writes to us."""
    told = {**meta.message(text={"body": text}), "from": IDS[phone], "id": f"wamid.in-{Reply.objects.count()}"}
    tell(meta.values({"messages": [told]}))


def asked_for(server: Server) -> list[Any]:
    return [json.loads(asked.body)["to"] for asked in server.asked]


@pytest.mark.parametrize("phone", [ARGENTINE, MEXICAN, BRAZILIAN])
def test_a_stop_from_metas_id_stops_the_number_that_we_wrote_to(phone: str, server: Server) -> None:
    campaign = write_to(phone)
    assert statuses(campaign) == ["sent"]

    says("STOP", phone)

    reply = Reply.objects.get()
    assert (reply.phone, reply.campaign_id, reply.message_id) == (
        phone, campaign.pk, OutboundMessage.objects.get().pk,
    )  # fmt: skip
    assert statuses(write_to(phone)) == ["skipped"]
    assert OutboundMessage.objects.latest("id").reason == "opted_out"
    assert asked_for(server) == [phone]


def test_a_wish_of_a_preference_counts_for_that_number_too() -> None:
    write_to(ARGENTINE)

    tell(meta.preference("stop", wa_id=IDS[ARGENTINE]))

    assert statuses(write_to(ARGENTINE)) == ["skipped"]


def test_a_stop_before_anything_was_sent_stops_either_spelling() -> None:
    says("STOP", ARGENTINE)

    assert statuses(write_to(ARGENTINE, "+5491123456789")) == ["skipped", "skipped"]


def test_who_comes_back_is_written_to_again_and_answered_at_the_number_that_we_write_to(server: Server) -> None:
    write_to(ARGENTINE)
    says("STOP", ARGENTINE)
    assert answers.answer_due() == 1
    says("START", ARGENTINE)
    assert answers.answer_due() == 1

    assert statuses(write_to(ARGENTINE)) == ["sent"]
    assert asked_for(server) == [ARGENTINE] * 4


def test_a_receipt_finds_its_message_whatever_id_it_names() -> None:
    campaign = write_to(ARGENTINE)
    name = str(OutboundMessage.objects.get().pk)

    tell(
        meta.values(
            {"statuses": [meta.status("delivered", recipient_id=IDS[ARGENTINE], biz_opaque_callback_data=name)]}
        )
    )

    assert statuses(campaign) == ["delivered"]


def test_the_stop_of_somebody_else_stops_nobody_here() -> None:
    write_to(ARGENTINE)
    neighbours = {**meta.message(text={"body": "STOP"}), "from": "5491123456780"}

    tell(meta.values({"messages": [neighbours]}))

    assert consent.state("+541123456780", "whatsapp") == "opted_out"
    assert statuses(write_to(ARGENTINE)) == ["sent"]


@pytest.mark.parametrize(
    "number", ["+254712345678", MEXICAN, BRAZILIAN, "+5411234567890", "+54911234567", "+12025550123", "+22141"]
)
def test_every_other_number_has_one_spelling(number: str) -> None:
    assert spellings(number) == (number,)


@pytest.mark.parametrize("number", [ARGENTINE, "+5491123456789", "+542914567890"])
def test_an_argentine_number_has_two_and_each_leads_to_the_other(number: str) -> None:
    assert set(spellings(number)) == set(spellings(spellings(number)[1]))
    assert spellings(number)[0] == number
