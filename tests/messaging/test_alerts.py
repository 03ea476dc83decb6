"""Who is told, how often, and what happens when telling fails."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from campaigns.models import Campaign
from messaging import alerts
from messaging.models import Alert
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
    alerts.note(campaign.pk, alerts.Code.RETRIES_EXHAUSTED)

    with caplog.at_level(logging.ERROR):
        assert alerts.tell_waiting() == 1

    assert [mail.to for mail in mailoutbox] == [["asha@example.com"]]
    assert "Harambee" in mailoutbox[0].body
    assert [(pk, code) for pk, code, _ in heard] == [(campaign.pk, "retries_exhausted")]
    assert "retries_exhausted" in caplog.text


def test_exhausted_retries_are_told_once_a_campaign_however_many_messages(mailoutbox: list[EmailMessage]) -> None:
    campaign, other = factories.CampaignFactory.create(), factories.CampaignFactory.create()

    for _ in range(3):
        alerts.note(campaign.pk, alerts.Code.RETRIES_EXHAUSTED)
        alerts.tell_waiting()
    alerts.note(other.pk, alerts.Code.RETRIES_EXHAUSTED)
    alerts.tell_waiting()

    assert len(mailoutbox) == 2


def test_an_account_that_breaks_twice_is_told_twice(mailoutbox: list[EmailMessage]) -> None:
    campaign = factories.CampaignFactory.create()
    for _ in range(2):
        alerts.note(campaign.pk, alerts.Code.PROVIDER_STOPPED)
        alerts.tell_waiting()

    assert len(mailoutbox) == 2


def test_an_alert_whose_worker_died_before_telling_is_told_by_another_once(mailoutbox: list[EmailMessage]) -> None:
    alerts.note(factories.CampaignFactory.create().pk, alerts.Code.PROVIDER_STOPPED)

    assert alerts.tell_waiting() == 1
    assert alerts.tell_waiting() == 0
    assert len(mailoutbox) == 1


def test_an_alert_whose_worker_died_while_telling_is_told_when_its_minute_is_over(
    mailoutbox: list[EmailMessage],
) -> None:
    alerts.note(factories.CampaignFactory.create().pk, alerts.Code.PROVIDER_STOPPED)
    assert alerts._claim() is not None

    assert alerts.tell_waiting() == 0
    Alert.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert alerts.tell_waiting() == 1
    assert len(mailoutbox) == 1


def test_an_alert_of_a_cause_that_was_rolled_back_is_not_told() -> None:
    with transaction.atomic():
        alerts.note(factories.CampaignFactory.create().pk, alerts.Code.PROVIDER_STOPPED)
        transaction.set_rollback(True)

    assert alerts.tell_waiting() == 0


def test_a_broken_hook_is_logged_and_keeps_nobody_else_from_being_told(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ALERT_HOOKS = [
        "tests.messaging.test_alerts.broken_hook",
        "nowhere.hook",
        "tests.messaging.test_alerts.hook",
    ]
    alerts.note(factories.CampaignFactory.create().pk, alerts.Code.NO_AUDIENCE)

    assert alerts.tell_waiting() == 1

    assert len(heard) == 1
    assert caplog.text.count("alert_not_delivered") == 2


@pytest.mark.parametrize("code", alerts.Code)
def test_every_cause_has_a_sentence_that_names_the_campaign(code: alerts.Code, mailoutbox: list[EmailMessage]) -> None:
    campaign = factories.CampaignFactory.create(name="Harambee")
    alerts.note(campaign.pk, code)

    alerts.tell_waiting()

    assert "Harambee" in mailoutbox[0].body
    assert str(campaign.pk) in mailoutbox[0].subject
