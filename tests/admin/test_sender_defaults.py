"""Whoever changes a channel's default is told first which campaigns would go out by another account."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from campaigns.audience import Everybody
from campaigns.models import Campaign
from messaging import dispatch, launching, routing, rows
from messaging.models import MessageBatch, OutboundMessage, Sender
from messaging.providers.memory import Memory
from tests import factories
from tests.admin.conftest import client_with
from tests.admin.pages import text
from tests.admin.test_sender_setup import change, errors, url
from tests.messaging.driving import deliver_due, sending_campaign
from tests.messaging.renting import Rented, rent

pytestmark = pytest.mark.django_db

LABEL = "Let waiting campaigns go out by another account"


@pytest.fixture
def operator(db: None) -> Client:
    """May look at senders and change them."""
    return client_with(["messaging.view_sender", "messaging.change_sender"])


def scheduled(**fields: Any) -> Campaign:
    """To everybody, tomorrow: its messages are still to be written."""
    campaign = factories.CampaignFactory.create(**fields)
    campaign.revise(scheduled_at=timezone.now() + timedelta(days=1))
    dispatch.send(campaign, Everybody(), by=None)
    return campaign


def test_taking_the_default_from_waiting_campaigns_is_asked_about_and_done_when_ticked(
    operator: Client, rented: list[Rented]
) -> None:
    sender = rent(is_default_sms=True)
    factories.CustomerFactory.create()
    campaign = scheduled()
    shown = text(operator.get(url(sender)))
    assert LABEL in shown
    assert "still to be written: SMS 1. They go out by the channel's default." in shown

    asked = errors(change(operator, sender))

    assert "1 SMS campaign that names no sender would go out by “memory” and no longer by “line”" in asked
    assert Sender.objects.get(pk=sender.pk).is_default_sms
    assert routing.route(campaign) == "line"

    assert change(operator, sender, moves="on").status_code == 302
    assert routing.route(campaign) == "memory"


def test_giving_a_default_moves_campaigns_away_from_the_settings_and_is_asked_about_too(
    operator: Client, rented: list[Rented]
) -> None:
    sender = rent()
    factories.CustomerFactory.create()
    scheduled()
    scheduled()
    asked = errors(change(operator, sender, is_default_sms="on"))
    assert "2 SMS campaigns that name no sender would go out by “line” and no longer by “memory”" in asked
    assert change(operator, sender, is_default_sms="on", moves="on").status_code == 302


def test_where_no_other_account_serves_the_campaigns_would_pause_and_the_page_says_so(
    operator: Client, rented: list[Rented], settings: Any
) -> None:
    settings.MESSAGE_ROUTES = {}
    sender = rent(is_default_sms=True)
    factories.CustomerFactory.create()
    scheduled()
    assert "No other account serves SMS: 1 campaign" in errors(change(operator, sender))


def test_a_campaign_that_is_still_being_written_counts_and_one_that_waits_for_its_audience(
    operator: Client, rented: list[Rented], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "PAGE", 2)
    sender = rent(is_default_sms=True)
    factories.customers(3)
    halfway = factories.CampaignFactory.create()
    dispatch.send(halfway, Everybody(), by=None)
    assert launching.launch_step(halfway.pk)
    factories.CampaignFactory.create().revise(scheduled_at=timezone.now() + timedelta(days=1))

    assert "2 SMS campaigns" in errors(change(operator, sender))
    assert change(operator, sender, moves="on").status_code == 302

    while launching.launch_step(halfway.pk):
        pass
    assert list(MessageBatch.objects.order_by("pk").values_list("provider", flat=True)) == ["line", "memory"]


def test_what_is_written_goes_out_by_the_old_default_and_nothing_is_asked(
    operator: Client, rented: list[Rented], outbox: Memory
) -> None:
    sender = rent(is_default_sms=True)
    campaign = sending_campaign(3)
    assert LABEL not in text(operator.get(url(sender)))

    assert change(operator, sender).status_code == 302
    deliver_due()

    sent = OutboundMessage.objects.filter(campaign=campaign).values_list("status", "provider")
    assert list(sent) == [("sent", "line")] * 3
    assert outbox.outbox == []


@pytest.mark.parametrize("fields", [{"sender": "memory"}, {"channel": "whatsapp"}])
def test_campaigns_that_name_a_sender_or_another_channel_are_not_concerned(
    operator: Client, rented: list[Rented], fields: dict[str, str]
) -> None:
    sender = rent(is_default_sms=True)
    factories.CustomerFactory.create()
    scheduled(**fields)
    factories.CampaignFactory.create()  # a draft
    assert change(operator, sender).status_code == 302


def test_a_change_that_leaves_the_default_asks_nothing(operator: Client, rented: list[Rented]) -> None:
    sender = rent(is_default_sms=True)
    factories.CustomerFactory.create()
    scheduled()
    assert change(operator, sender, is_default_sms="on", option_sender_id="Another").status_code == 302
