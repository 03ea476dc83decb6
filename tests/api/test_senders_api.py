"""Senders in the API: to look at, and to be named by campaigns."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from campaigns.models import Campaign
from messaging.models import Sender
from tests import factories
from tests.messaging.renting import SECRET, Rented, rent

pytestmark = pytest.mark.django_db

URL, CAMPAIGNS = "/api/v1/senders", "/api/v1/campaigns"
DRAFT = {"name": "Long rains", "channel": "sms", "base_template": "Hi {FirstName}"}


def test_senders_are_listed_without_options_and_credentials(api: APIClient, rented: list[Rented]) -> None:
    rent(is_default_sms=True, rate=20)
    response = api.get(URL)
    assert response.status_code == 200
    by_alias = {each["alias"]: each for each in response.json()["results"]}
    assert by_alias["line"] == {
        "alias": "line", "backend": "Rented line", "channels": ["sms"], "default_for": ["sms"], "kind": "promotional",
        "rate": 20.0, "enabled": True, "standing": "running",
    }  # fmt: skip
    assert by_alias["memory"]["backend"] == "messaging.providers.memory.Memory"
    assert by_alias["memory"]["default_for"] == ["whatsapp"]
    assert SECRET not in response.content.decode()


def test_a_row_that_is_no_account_any_more_is_shown_as_not_enabled(api: APIClient) -> None:
    Sender.objects.create(alias="former", is_enabled=True)
    [former] = [each for each in api.get(URL).json()["results"] if each["alias"] == "former"]
    assert (former["enabled"], former["channels"]) == (False, [])


def test_many_senders_cost_no_more_queries_than_few(
    api: APIClient, rented: list[Rented], django_assert_max_num_queries: Any
) -> None:
    for number in range(8):
        rent(f"line-{number}")
    api.get(URL)
    with django_assert_max_num_queries(9):
        assert len(api.get(f"{URL}?pageSize=100").json()["results"]) >= 8


def test_senders_cannot_be_made_here(api: APIClient) -> None:
    assert api.post(URL, {"alias": "x"}).status_code in (403, 405)


def test_a_campaign_names_its_sender_and_template(api: APIClient, rented: list[Rented]) -> None:
    rent()
    template = {"channel": "whatsapp", "whatsapp_template": "rains", "whatsapp_language": "en_GB"}
    made = api.post(CAMPAIGNS, DRAFT | template | {"sender": "memory"})
    assert made.status_code == 201
    assert {name: made.json()[name] for name in template} == template
    assert made.json()["sender"] == "memory"
    changed = api.patch(f"{CAMPAIGNS}/{api.post(CAMPAIGNS, DRAFT).json()['id']}", {"sender": "line"})
    assert (changed.status_code, changed.json()["sender"]) == (200, "line")


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ({"sender": "pigeon"}, "console, line, memory, simulator"),
        ({"sender": "line", "channel": "whatsapp"}, "console, memory, simulator"),
        ({"sender": "off"}, "console, line, memory, simulator"),
    ],
)
def test_a_sender_that_does_not_serve_is_refused_with_those_that_do(
    api: APIClient, rented: list[Rented], fields: dict[str, str], known: str
) -> None:
    rent()
    rent("off", is_enabled=False)
    response = api.post(CAMPAIGNS, DRAFT | fields)
    assert response.status_code == 400
    [error] = response.json()["errors"]
    assert (error["code"], error["attr"]) == ("unknown_sender", "sender")
    assert error["detail"].endswith(f"these are: {known}.")
    assert not Campaign.objects.exists()


def test_a_channel_that_the_sender_does_not_serve_is_refused_too(api: APIClient, rented: list[Rented]) -> None:
    rent()
    campaign = factories.CampaignFactory.create(sender="line")
    response = api.patch(f"{CAMPAIGNS}/{campaign.pk}", {"channel": "whatsapp"})
    assert response.json()["errors"][0]["code"] == "unknown_sender"


@pytest.mark.parametrize(
    "fields",
    [
        {"whatsapp_template": "rains", "whatsapp_language": "en"},
        {"channel": "whatsapp", "whatsapp_template": "rains"},
        {"channel": "whatsapp", "whatsapp_language": "en"},
    ],
)
def test_half_a_template_is_refused(api: APIClient, fields: dict[str, str]) -> None:
    response = api.post(CAMPAIGNS, DRAFT | fields)
    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "incomplete_template"


WHATSAPP = {"channel": "whatsapp", "whatsapp_template": "rains", "whatsapp_language": "en_GB"}


@pytest.mark.parametrize(
    "name", ["November offer", "november-offer", "Rains", "mvua_ñ", "ra\nins", "HX123", "x" * 513, "१२३"]
)
def test_a_template_that_cannot_be_approved_is_refused_when_it_is_saved(api: APIClient, name: str) -> None:
    response = api.post(CAMPAIGNS, DRAFT | WHATSAPP | {"whatsapp_template": name})
    assert response.status_code == 400
    [error] = [each for each in response.json()["errors"] if each["code"] != "max_length"]
    assert (error["code"], error["attr"]) == ("invalid_template", "whatsapp_template")
    assert "small letters" in error["detail"]
    assert not Campaign.objects.exists()


@pytest.mark.parametrize("language", ["English", "en-GB", "EN", "en_gb", "e", "en_GB_x", "en_"])
def test_a_language_that_no_template_has_is_refused_when_it_is_saved(api: APIClient, language: str) -> None:
    response = api.post(CAMPAIGNS, DRAFT | WHATSAPP | {"whatsapp_language": language})
    assert response.status_code == 400
    [error] = response.json()["errors"]
    assert (error["code"], error["attr"]) == ("invalid_language", "whatsapp_language")


@pytest.mark.parametrize("name", ["rains", "rains_2026", "_", "7", "x" * 512, f"HX{'0af9' * 8}"])
@pytest.mark.parametrize("language", ["en", "en_US", "fil", "es_419", "rw_RW"])
def test_a_template_that_may_exist_is_taken(api: APIClient, name: str, language: str) -> None:
    response = api.post(CAMPAIGNS, DRAFT | WHATSAPP | {"whatsapp_template": name, "whatsapp_language": language})
    assert response.status_code == 201


def test_a_template_is_looked_at_when_it_is_changed_too(api: APIClient) -> None:
    campaign = factories.CampaignFactory.create(**WHATSAPP)
    response = api.patch(f"{CAMPAIGNS}/{campaign.pk}", {"whatsapp_template": "No Such"})
    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, "invalid_template")
    campaign.refresh_from_db()
    assert campaign.whatsapp_template == "rains"


def test_once_messages_are_written_the_sender_stays(api: APIClient) -> None:
    campaign = factories.CampaignFactory.create(scheduled_at="2099-01-01T00:00:00Z", status="scheduled")
    Campaign.objects.filter(pk=campaign.pk).update(audience={"kind": "list"})
    response = api.patch(f"{CAMPAIGNS}/{campaign.pk}", {"sender": "memory"})
    assert (response.status_code, response.json()["errors"][0]["code"]) == (409, "messages_written")


def test_a_send_whose_sender_is_gone_is_refused(api: APIClient) -> None:
    campaign = factories.CampaignFactory.create(sender="gone")
    response = api.post(f"{CAMPAIGNS}/{campaign.pk}/send", {"customers": [factories.CustomerFactory.create().pk]})
    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, "sender_unusable")
