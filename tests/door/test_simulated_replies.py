"""The simulator writes back as people do: posted over real HTTP, signed, to the door of a running server."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from campaigns.audience import CustomerList
from campaigns.models import Campaign
from customers import consent
from messaging import accounts, answers, dispatch, hooks, providers, senders, throttle
from messaging.models import HookEvent, OutboundMessage, Reply
from messaging.providers import simulated_replies
from messaging.providers.simulator import Simulator
from tests import factories
from tests.door.knocking import ALIAS, knock, secret
from tests.messaging.driving import deliver_due, statuses

NUMBERS = {ending: f"+25471234{ending}" for ending in simulated_replies.WORDS}
QUIET = "+254712345678"


@pytest.fixture
def simulator(live_server: LiveServer, settings: Settings) -> Iterator[Simulator]:
    """The simulator as `make run` has it, but in haste, and a server that it can reach."""
    options = {"latency_seconds": 0, "receipts": {"read": 1, "delay_seconds": 0.01}, "secret": secret()}
    entry = {"BACKEND": "messaging.providers.simulator.Simulator", "OPTIONS": options}
    settings.MESSAGE_PROVIDERS = settings.MESSAGE_PROVIDERS | {ALIAS: entry}
    settings.MESSAGE_ROUTES = {"sms": ALIAS, "whatsapp": ALIAS}
    settings.PUBLIC_URL = live_server.url
    senders.ensure()
    accounts.forget()
    throttle.forget()
    made = providers.get(ALIAS)
    assert isinstance(made, Simulator)
    yield made
    # Or the server's thread of a connection that is kept would hold the database for ever.
    asyncio.run_coroutine_threadsafe(made.receipts._web.close(), providers._start_loop()).result()
    throttle.forget()


def wait_for_all(simulator: Simulator) -> None:
    """Let it say all that it has to say, and work it off."""

    async def said() -> None:
        while under_way := set(simulator.receipts._under_way):
            await asyncio.gather(*under_way)

    asyncio.run_coroutine_threadsafe(said(), providers._start_loop()).result(timeout=20)
    while hooks.work_off():
        pass


def write_to(*phones: str, **fields: Any) -> Campaign:
    campaign: Campaign = factories.CampaignFactory.create(**fields)
    customers = [factories.CustomerFactory.create(phone=phone) for phone in phones]
    dispatch.send(campaign, CustomerList(tuple(customer.pk for customer in customers)), by=None)
    deliver_due()
    return campaign


@pytest.mark.django_db(transaction=True)
def test_a_campaign_gets_replies_an_opt_out_and_one_answer_to_each_wish(simulator: Simulator) -> None:
    campaign = write_to(*NUMBERS.values(), QUIET)
    wait_for_all(simulator)

    assert statuses(campaign) == ["read"] * 6
    replies = {reply.phone: reply for reply in Reply.objects.all()}
    assert {phone: (reply.text, reply.wish, reply.heard) for phone, reply in replies.items()} == {
        NUMBERS["9980"]: ("STOP", "opt_out", "exact"),
        NUMBERS["9981"]: ("Asante sana! 🙏", "", ""),
        NUMBERS["9982"]: ("HELP", "help", "exact"),
        NUMBERS["9983"]: ("START", "opt_in", "exact"),
        NUMBERS["9984"]: ("Please stop writing to me", "opt_out", "among_others"),
    }
    assert {reply.campaign_id for reply in replies.values()} == {campaign.pk}
    assert replies[NUMBERS["9980"]].message_id == OutboundMessage.objects.get(address=NUMBERS["9980"]).pk
    assert [consent.state(phone, "sms") for phone in NUMBERS.values()] == ["opted_out", None, None, "opted_in", None]

    assert answers.answer_due() == 3
    wait_for_all(simulator)
    assert Reply.objects.count() == 5, "somebody answered our answer"
    assert not HookEvent.objects.exclude(fault="").exists()


@pytest.mark.django_db(transaction=True)
def test_the_next_campaign_leaves_alone_who_wrote_stop_on_that_channel(simulator: Simulator) -> None:
    write_to(NUMBERS["9980"])
    wait_for_all(simulator)
    [customer] = OutboundMessage.objects.values_list("customer_id", flat=True)

    by_sms, by_whatsapp = factories.CampaignFactory.create(), factories.CampaignFactory.create(channel="whatsapp")
    for campaign in (by_sms, by_whatsapp):
        dispatch.send(campaign, CustomerList((customer,)), by=None)
    deliver_due()
    wait_for_all(simulator)

    assert (statuses(by_sms), statuses(by_whatsapp)) == (["skipped"], ["read"])
    assert consent.state(NUMBERS["9980"], "whatsapp") == "opted_out"


@pytest.mark.django_db(transaction=True)
def test_nobody_writes_back_where_nobody_can_reach_us(simulator: Simulator, settings: Settings) -> None:
    settings.PUBLIC_URL = ""
    campaign = write_to(*NUMBERS.values())
    wait_for_all(simulator)

    assert statuses(campaign) == ["sent"] * 5
    assert not HookEvent.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"replies": {}},
        {"replies": [{}]},
        {"replies": ["STOP"]},
        {"replies": [{"from": "nobody", "channel": "sms", "text": "STOP", "at": "2026-01-01T12:00:00+00:00"}]},
        {"replies": [{"from": QUIET, "channel": "sms", "text": "STOP", "at": "2026-01-01T12:00:00"}]},
    ],
)
def test_what_makes_no_sense_is_refused_at_the_door(body: Any) -> None:
    assert knock(body=json.dumps(body).encode()).status_code == 400
    assert not HookEvent.objects.exists()


@pytest.mark.django_db
def test_a_reply_that_is_not_signed_is_not_believed() -> None:
    said = {"from": QUIET, "channel": "sms", "text": "STOP", "at": "2026-01-01T12:00:00+00:00"}
    body = json.dumps({"replies": [said]}).encode()

    assert knock(body=body, headers={"x-simulator-signature": "0" * 64}).status_code == 403
    assert knock(body=body).status_code == 200
    hooks.work_off()
    assert consent.state(QUIET, "sms") == "opted_out"
