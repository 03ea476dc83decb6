"""Who is told, how often, and what happens when telling fails."""

import logging
from typing import Any

import pytest
from django.core.mail import EmailMessage
from pytest_django import Settings

from campaigns.models import Campaign
from messaging import alerts
from tests import factories

pytestmark = pytest.mark.django_db

heard: list[tuple[int, str, str]] = []


def hook(campaign: Campaign, code: alerts.Code, sentence: str) -> None:
    heard.append((campaign.pk, code.value, sentence))


def broken_hook(*_: Any) -> None:
    raise RuntimeError("nobody home")


@pytest.fixture(autouse=True)
def admins(settings: Settings) -> None:
    settings.ADMINS = [("Asha", "asha@example.com")]
    heard.clear()


def test_an_alert_is_logged_mailed_and_handed_to_every_hook(
    settings: Settings, mailoutbox: list[EmailMessage], caplog: pytest.LogCaptureFixture
) -> None:
    settings.ALERT_HOOKS = ["tests.messaging.test_alerts.hook"]
    campaign = factories.CampaignFactory.create(name="Harambee")

    with caplog.at_level(logging.ERROR):
        assert alerts.tell(campaign.pk, alerts.Code.RETRIES_EXHAUSTED)

    assert [mail.to for mail in mailoutbox] == [["asha@example.com"]]
    assert "Harambee" in mailoutbox[0].body
    assert [(pk, code) for pk, code, _ in heard] == [(campaign.pk, "retries_exhausted")]
    assert "retries_exhausted" in caplog.text


def test_an_alert_is_told_once_for_each_campaign_and_cause(mailoutbox: list[EmailMessage]) -> None:
    campaign, other = factories.CampaignFactory.create(), factories.CampaignFactory.create()

    told = [alerts.tell(campaign.pk, alerts.Code.RETRIES_EXHAUSTED) for _ in range(3)]

    assert told == [True, False, False]
    assert alerts.tell(other.pk, alerts.Code.RETRIES_EXHAUSTED)
    assert alerts.tell(campaign.pk, alerts.Code.PROVIDER_STOPPED)
    assert len(mailoutbox) == 3


def test_a_broken_hook_is_logged_and_keeps_nobody_else_from_being_told(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ALERT_HOOKS = [
        "tests.messaging.test_alerts.broken_hook",
        "nowhere.hook",
        "tests.messaging.test_alerts.hook",
    ]

    assert alerts.tell(factories.CampaignFactory.create().pk, alerts.Code.NO_AUDIENCE)

    assert len(heard) == 1
    assert caplog.text.count("alert_not_delivered") == 2


@pytest.mark.parametrize("code", alerts.Code)
def test_every_cause_has_a_sentence_that_names_the_campaign(code: alerts.Code, mailoutbox: list[EmailMessage]) -> None:
    campaign = factories.CampaignFactory.create(name="Harambee")

    alerts.tell(campaign.pk, code)

    assert "Harambee" in mailoutbox[0].body
    assert str(campaign.pk) in mailoutbox[0].subject
