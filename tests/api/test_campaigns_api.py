"""Campaigns through the API: write, read, change, delete, preview and move them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.asserts import assertNumQueries
from rest_framework.test import APIClient

from campaigns.models import MESSAGE_STATUSES, Campaign, Status
from customers.models import Channel
from tests.api.answers import error, refusal
from tests.factories import CampaignFactory, CustomerFactory, UserFactory

pytestmark = pytest.mark.django_db

URL = "/api/v1/campaigns"
DRAFT = {"name": "Long rains", "channel": "sms", "base_template": "Hi {FirstName}"}
NO_STATS = dict.fromkeys(("total", *MESSAGE_STATUSES), 0)


def later(**delta: float) -> datetime:
    return timezone.now() + timedelta(**(delta or {"hours": 1}))


def scheduled() -> Campaign:
    campaign: Campaign = CampaignFactory.create()
    campaign.revise(scheduled_at=later())
    return campaign


def sending(**fields: Any) -> Campaign:
    campaign: Campaign = CampaignFactory.create(**fields)
    campaign.give_audience({"kind": "list"}, by=None)
    return campaign


def paused() -> Campaign:
    campaign = sending()
    campaign.pause()
    return campaign


def cancelled() -> Campaign:
    campaign: Campaign = CampaignFactory.create()
    campaign.cancel()
    return campaign


def test_a_new_campaign_is_a_draft_with_all_its_fields(api: APIClient) -> None:
    response = api.post(URL, DRAFT)

    assert response.status_code == 201
    kept = Campaign.objects.get()
    assert kept.created_by is not None
    assert response.json() == DRAFT | {
        "id": kept.pk,
        "status": "draft",
        "reason": None,
        "sender": "",
        "whatsapp_template": "",
        "whatsapp_language": "",
        "scheduled_at": None,
        "expires_at": None,
        "weight": 1,
        "audience": None,
        "stats": NO_STATS,
        "expected": 0,
        "launching": False,
        "created_by": kept.created_by.pk,
        "launched_by": None,
        "created_at": kept.created_at.isoformat().replace("+00:00", "Z"),
        "updated_at": kept.updated_at.isoformat().replace("+00:00", "Z"),
        "launched_at": None,
        "started_at": None,
        "ended_at": None,
    }


def test_a_new_campaign_with_a_time_to_come_is_scheduled_and_shows_it_in_utc(api: APIClient, settings: Any) -> None:
    settings.TIME_ZONE = "Africa/Nairobi"

    body = api.post(URL, DRAFT | {"scheduled_at": "2077-01-31T12:00:00+03:00"}).json()

    assert (body["status"], body["scheduled_at"]) == ("scheduled", "2077-01-31T09:00:00Z")
    assert body["created_at"].endswith("Z")
    assert Campaign.objects.get().scheduled_at == datetime(2077, 1, 31, 9, tzinfo=UTC)


def test_a_draft_may_have_no_text_yet_and_keeps_its_own_blanks(api: APIClient) -> None:
    assert api.post(URL, DRAFT | {"base_template": ""}).json()["base_template"] == ""
    assert api.post(URL, DRAFT | {"base_template": " a \n"}).json()["base_template"] == " a \n"
    assert api.post(URL, DRAFT | {"base_template": "x" * 5_000}).status_code == 201


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": ""}, ("blank", "name")),
        ({"name": "  "}, ("blank", "name")),
        ({"name": None}, ("null", "name")),
        ({"name": 5}, ("invalid", "name")),
        ({"name": "x" * 201}, ("max_length", "name")),
        ({"name": "a\0"}, ("null_characters_not_allowed", "name")),
        ({"channel": "fax"}, ("invalid_choice", "channel")),
        ({"channel": ["sms"]}, ("invalid_choice", "channel")),
        ({"channel": None}, ("null", "channel")),
        ({"base_template": "x" * 5_001}, ("max_length", "base_template")),
        ({"base_template": None}, ("null", "base_template")),
        ({"scheduled_at": "2020-01-01T00:00:00Z"}, ("in_the_past", "scheduled_at")),
        ({"scheduled_at": "2077-01-01T00:00:00"}, ("no_offset", "scheduled_at")),
        ({"scheduled_at": "2077-01-01"}, ("no_offset", "scheduled_at")),
        ({"scheduled_at": "tomorrow"}, ("invalid", "scheduled_at")),
        ({"scheduled_at": ""}, ("invalid", "scheduled_at")),
        ({"scheduled_at": 4_000_000_000}, ("invalid", "scheduled_at")),
        ({"scheduled_at": "2077-13-01T00:00:00Z"}, ("invalid", "scheduled_at")),
        ({"scheduled_at": "9999-12-31T23:59:59-12:00"}, ("overflow", "scheduled_at")),
        ({"scheduled_at": "0001-01-01T00:00:00+12:00"}, ("overflow", "scheduled_at")),
        ({"expires_at": "2020-01-01T00:00:00Z"}, ("in_the_past", "expires_at")),
        ({"expires_at": "2077-01-01T00:00:00"}, ("no_offset", "expires_at")),
        ({"expires_at": 5}, ("invalid", "expires_at")),
        (
            {"scheduled_at": "2077-01-01T00:00:00Z", "expires_at": "2077-01-01T00:00:00Z"},
            ("expires_first", "expires_at"),
        ),
        ({"weight": 0}, ("min_value", "weight")),
        ({"weight": 101}, ("max_value", "weight")),
        ({"weight": 10**400}, ("max_value", "weight")),
        ({"weight": "2"}, ("invalid", "weight")),
        ({"weight": 1.0}, ("invalid", "weight")),
        ({"weight": True}, ("invalid", "weight")),
        ({"weight": None}, ("null", "weight")),
        ({"status": "sent"}, ("read_only", "status")),
        ({"id": 7}, ("read_only", "id")),
        ({"stats": {}}, ("read_only", "stats")),
        ({"created_by": 1}, ("read_only", "created_by")),
        ({"audience": {"all": True}}, ("read_only", "audience")),
        ({"template": "x"}, ("unknown_field", "template")),
    ],
)
def test_what_was_sent_wrong_is_named_in_a_new_campaign_and_in_a_change(
    api: APIClient, change: dict[str, Any], expected: tuple[str, str]
) -> None:
    draft = CampaignFactory.create()

    assert refusal(api.post(URL, DRAFT | change)) == expected
    assert refusal(api.patch(f"{URL}/{draft.pk}", change)) == expected
    assert Campaign.objects.count() == 1


@pytest.mark.parametrize("field", ["name", "channel", "base_template"])
def test_a_new_campaign_needs_name_channel_and_text(api: APIClient, field: str) -> None:
    body = {name: value for name, value in DRAFT.items() if name != field}

    assert refusal(api.post(URL, body)) == ("required", field)


def test_every_mistake_is_told_at_once(api: APIClient) -> None:
    response = api.post(URL, {"name": "", "channel": "fax"})

    assert {(each["code"], each["attr"]) for each in response.json()["errors"]} == {
        ("blank", "name"),
        ("invalid_choice", "channel"),
        ("required", "base_template"),
    }


def test_a_refusal_names_the_limit(api: APIClient) -> None:
    assert "200" in error(api.post(URL, DRAFT | {"name": "x" * 201}), 400)["detail"]
    assert "5000" in error(api.post(URL, DRAFT | {"base_template": "x" * 5_001}), 400)["detail"].replace(",", "")


def test_a_draft_is_edited(api: APIClient) -> None:
    draft = CampaignFactory.create()

    body = api.patch(f"{URL}/{draft.pk}", {"name": "New", "channel": "whatsapp", "base_template": "Hey"}).json()

    assert (body["name"], body["channel"], body["base_template"]) == ("New", "whatsapp", "Hey")
    assert body["status"] == "draft"


def test_a_time_schedules_a_draft_and_moves_a_scheduled_campaign(api: APIClient) -> None:
    draft = CampaignFactory.create()

    first = api.patch(f"{URL}/{draft.pk}", {"scheduled_at": "2077-01-31T09:00:00Z"}).json()
    second = api.patch(f"{URL}/{draft.pk}", {"scheduled_at": "2077-02-28T09:00:00Z"}).json()

    assert (first["status"], first["scheduled_at"]) == ("scheduled", "2077-01-31T09:00:00Z")
    assert (second["status"], second["scheduled_at"]) == ("scheduled", "2077-02-28T09:00:00Z")


def test_no_time_changes_nothing_in_a_draft_and_is_refused_for_a_scheduled_campaign(api: APIClient) -> None:
    draft, waiting = CampaignFactory.create(), scheduled()

    assert api.patch(f"{URL}/{draft.pk}", {"scheduled_at": None}).json()["status"] == "draft"
    found = error(api.patch(f"{URL}/{waiting.pk}", {"scheduled_at": None}), 400)
    assert (found["code"], found["attr"]) == ("use_unschedule", "scheduled_at")
    assert "/unschedule" in found["detail"]


@pytest.mark.parametrize("make", [sending, paused, cancelled])
def test_only_drafts_and_scheduled_campaigns_can_be_edited(api: APIClient, make: Any) -> None:
    campaign = make()

    found = error(api.patch(f"{URL}/{campaign.pk}", {"name": "New"}), 409)

    assert found["code"] == "illegal_transition"
    assert found["campaign"]["id"] == campaign.pk
    assert found["campaign"]["status"] == campaign.status
    assert found["campaign"]["stats"] == NO_STATS
    assert campaign.get_status_display() in found["detail"]


@pytest.mark.parametrize("make", [CampaignFactory.create, scheduled, sending, paused])
def test_expiry_and_weight_are_changed_at_any_time_before_a_cancellation(api: APIClient, make: Any) -> None:
    campaign = make()

    body = api.patch(f"{URL}/{campaign.pk}", {"expires_at": "2077-01-31T12:00:00+03:00", "weight": 100}).json()
    assert (body["expires_at"], body["weight"], body["status"]) == ("2077-01-31T09:00:00Z", 100, campaign.status)
    assert api.patch(f"{URL}/{campaign.pk}", {"expires_at": None}).json()["expires_at"] is None


def test_what_was_cancelled_neither_expires_nor_weighs(api: APIClient) -> None:
    campaign = sending()
    campaign.cancel()

    for change in ({"weight": 2}, {"expires_at": "2077-01-31T09:00:00Z"}):
        assert error(api.patch(f"{URL}/{campaign.pk}", change), 409)["code"] == "illegal_transition"


def test_no_change_makes_a_campaign_expire_before_it_starts(api: APIClient) -> None:
    url = f"{URL}/{CampaignFactory.create().pk}"
    api.patch(url, {"scheduled_at": "2077-01-10T00:00:00Z", "expires_at": "2077-01-20T00:00:00Z"})

    assert refusal(api.patch(url, {"expires_at": "2077-01-09T00:00:00Z"})) == ("expires_first", "expires_at")
    assert refusal(api.patch(url, {"scheduled_at": "2077-01-21T00:00:00Z"})) == ("expires_first", "scheduled_at")
    both = {"scheduled_at": "2077-02-10T00:00:00Z", "expires_at": "2077-02-20T00:00:00Z"}
    body = api.patch(url, both).json()
    assert {name: body[name] for name in both} == both


def test_once_its_audience_is_given_only_name_and_time_of_a_scheduled_campaign_change(api: APIClient) -> None:
    campaign = scheduled()
    campaign.give_audience({"kind": "list"}, by=None)
    url = f"{URL}/{campaign.pk}"

    assert error(api.patch(url, {"base_template": "other"}), 409)["code"] == "messages_written"
    assert error(api.patch(url, {"name": "New", "channel": "whatsapp"}), 409)["code"] == "messages_written"
    body = api.patch(url, {"name": "New", "scheduled_at": "2077-01-31T09:00:00Z"}).json()
    assert (body["name"], body["audience"], body["channel"]) == ("New", "list", "sms")


@pytest.mark.parametrize("make", [CampaignFactory.create, scheduled, cancelled])
def test_an_idle_campaign_is_deleted(api: APIClient, make: Any) -> None:
    campaign = make()

    assert api.delete(f"{URL}/{campaign.pk}").status_code == 204
    assert not Campaign.objects.exists()
    assert error(api.delete(f"{URL}/{campaign.pk}"), 404)


@pytest.mark.parametrize("make", [sending, paused])
def test_a_campaign_that_sends_or_is_paused_cannot_be_deleted(api: APIClient, make: Any) -> None:
    campaign = make()

    assert error(api.delete(f"{URL}/{campaign.pk}"), 409)["campaign"]["status"] == campaign.status
    assert Campaign.objects.filter(pk=campaign.pk).exists()


def test_deleting_is_one_statement_that_looks_at_the_status_itself(api: APIClient) -> None:
    campaign = CampaignFactory.create()
    api.get(URL)

    with CaptureQueriesContext(connection) as queries:
        api.delete(f"{URL}/{campaign.pk}")

    [statement] = [each["sql"] for each in queries if each["sql"].startswith("DELETE")]
    assert "status" in statement
    assert len(queries) == 5  # token, permissions twice, the campaign, the statement


def test_put_is_not_offered(api: APIClient) -> None:
    assert error(api.put(f"{URL}/{CampaignFactory.create().pk}", DRAFT), 405)["code"] == "method_not_allowed"


@pytest.mark.parametrize("given", ["0", "999999", str(2**63), "9" * 30, "x", "-1", "1.0", "%F0%9F%98%80"])
@pytest.mark.parametrize("tail", ["", "/pause", "/resume", "/cancel", "/unschedule", "/send", "/preview", "/retry"])
def test_an_id_that_nobody_has_is_404(api: APIClient, given: str, tail: str) -> None:
    response = api.post(f"{URL}/{given}{tail}", {}) if tail else api.get(f"{URL}/{given}")

    assert error(response, 404)["code"] == "not_found"


def test_campaigns_are_found_by_status_and_channel(api: APIClient) -> None:
    draft, other = CampaignFactory.create(), CampaignFactory.create(channel=Channel.WHATSAPP)
    other.cancel()

    def found(query: str) -> list[int]:
        return [row["id"] for row in api.get(f"{URL}?{query}").json()["results"]]

    assert found("status=draft") == [draft.pk]
    assert found("channel=whatsapp") == [other.pk]
    assert found("channel=whatsapp&status=cancelled") == [other.pk]
    assert found("channel=sms&status=cancelled") == []
    assert found("") == [other.pk, draft.pk]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=open", ("invalid_choice", "status")),
        ("status=DRAFT", ("invalid_choice", "status")),
        ("status=", ("blank", "status")),
        ("channel=fax", ("invalid_choice", "channel")),
        ("channel=%00", ("invalid_choice", "channel")),
        ("name=x", ("unknown_parameter", "name")),
        ("page=2", ("unknown_parameter", "page")),
        ("status=draft&status=sent", ("repeated", "status")),
    ],
)
def test_a_query_that_means_nothing_is_refused(api: APIClient, query: str, expected: tuple[str, str]) -> None:
    assert refusal(api.get(f"{URL}?{query}")) == expected


def test_the_list_takes_the_same_few_queries_however_long_it_is(api: APIClient) -> None:
    CampaignFactory.create_batch(12, created_by=UserFactory.create())
    api.get(URL)

    for size in (1, 12):
        with assertNumQueries(5):  # token, permissions twice, count, the page with its counts
            rows = api.get(f"{URL}?pageSize={size}").json()["results"]
        assert [row["stats"] for row in rows] == [NO_STATS] * size


def test_one_campaign_takes_one_query_beyond_token_and_permissions(api: APIClient) -> None:
    campaign = CampaignFactory.create(created_by=UserFactory.create())
    api.get(URL)

    with assertNumQueries(4):
        assert api.get(f"{URL}/{campaign.pk}").json()["stats"] == NO_STATS


def test_a_campaign_is_paused_resumed_and_cancelled(api: APIClient) -> None:
    url = f"{URL}/{sending().pk}"

    for verb, status in (("pause", "paused"), ("resume", "sending"), ("cancel", "cancelled")):
        response = api.post(f"{url}/{verb}")
        assert response.status_code == 200
        assert response.json()["status"] == status
        assert response.json()["stats"] == NO_STATS
    assert api.get(url).json()["ended_at"] is not None


def test_a_scheduled_campaign_loses_its_time_by_unschedule(api: APIClient) -> None:
    body = api.post(f"{URL}/{scheduled().pk}/unschedule", {}).json()

    assert (body["status"], body["scheduled_at"]) == ("draft", None)


ILLEGAL = [
    (CampaignFactory.create, ["pause", "resume", "unschedule"]),
    (scheduled, ["resume"]),
    (sending, ["resume", "unschedule"]),
    (paused, ["pause", "unschedule"]),
    (cancelled, ["pause", "resume", "cancel", "unschedule"]),
]


@pytest.mark.parametrize(("make", "verb"), [(make, verb) for make, verbs in ILLEGAL for verb in verbs])
def test_an_illegal_move_is_refused_with_the_status_named(api: APIClient, make: Any, verb: str) -> None:
    campaign = make()

    found = error(api.post(f"{URL}/{campaign.pk}/{verb}"), 409)

    assert found["code"] == "illegal_transition"
    assert campaign.get_status_display() in found["detail"]
    assert found["campaign"]["status"] == Campaign.objects.get(pk=campaign.pk).status == campaign.status


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel", "unschedule"])
def test_a_move_takes_no_body(api: APIClient, verb: str) -> None:
    campaign = scheduled()

    assert refusal(api.post(f"{URL}/{campaign.pk}/{verb}", {"reason": "x"})) == ("unknown_field", "reason")
    assert refusal(api.post(f"{URL}/{campaign.pk}/{verb}", [])) == ("invalid", "non_field_errors")
    assert refusal(api.post(f"{URL}/{campaign.pk}/{verb}?now=1")) == ("unknown_parameter", "now")
    campaign.refresh_from_db()
    assert campaign.status == Status.SCHEDULED


def test_a_preview_shows_one_customers_text(api: APIClient) -> None:
    campaign = CampaignFactory.create(base_template="Hi {FirstName|friend}, {Location}")
    customer = CustomerFactory.create(first_name="", location="Kisumu")

    response = api.post(f"{URL}/{campaign.pk}/preview", {"customer": customer.pk})

    assert response.status_code == 200
    assert response.json() == {
        "rendered_content": "Hi friend, Kisumu",
        "parts": 1,
        "encoding": "gsm7",
        "missing_fields": ["first_name"],
        "used_template": "Hi {FirstName|friend}, {Location}",
    }


def test_a_preview_of_another_text_names_what_is_no_field_and_writes_nothing(api: APIClient) -> None:
    campaign, customer = CampaignFactory.create(), CustomerFactory.create(attributes={"plan": "gold"})
    other = "{plan} {Nope} { FirstName } 😀" + "x" * 70

    body = api.post(f"{URL}/{campaign.pk}/preview", {"customer": customer.pk, "template": other}).json()

    assert body["rendered_content"] == other.replace("{plan}", "gold")
    assert (body["parts"], body["encoding"], body["used_template"]) == (2, "ucs2", other)
    assert body["missing_fields"] == ["Nope", " FirstName "]
    assert Campaign.objects.get().base_template == campaign.base_template


def test_whatsapp_has_no_encoding_and_one_part(api: APIClient) -> None:
    campaign = CampaignFactory.create(channel=Channel.WHATSAPP, base_template="x" * 900)

    body = api.post(f"{URL}/{campaign.pk}/preview", {"customer": CustomerFactory.create().pk, "template": None}).json()

    assert (body["parts"], body["encoding"], body["used_template"]) == (1, None, "x" * 900)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ("required", "customer")),
        ({"customer": None}, ("null", "customer")),
        ({"customer": "1"}, ("incorrect_type", "customer")),
        ({"customer": True}, ("incorrect_type", "customer")),
        ({"customer": 1.5}, ("incorrect_type", "customer")),
        ({"customer": [1]}, ("incorrect_type", "customer")),
        ({"customer": {}}, ("incorrect_type", "customer")),
        ({"customer": 0}, ("does_not_exist", "customer")),
        ({"customer": -1}, ("does_not_exist", "customer")),
        ({"customer": 2**63}, ("does_not_exist", "customer")),
        ({"customer": 10**300}, ("does_not_exist", "customer")),
        ({"customer": 999_999_999, "text": "x"}, ("unknown_field", "text")),
    ],
)
def test_a_preview_refuses_what_was_sent_wrong(api: APIClient, body: dict[str, Any], expected: tuple[str, str]) -> None:
    assert refusal(api.post(f"{URL}/{CampaignFactory.create().pk}/preview", body)) == expected


@pytest.mark.parametrize(
    ("template", "code"), [("x" * 5_001, "max_length"), (5, "invalid"), ("\0", "null_characters_not_allowed")]
)
def test_a_preview_refuses_a_text_that_no_campaign_could_have(api: APIClient, template: Any, code: str) -> None:
    body = {"customer": CustomerFactory.create().pk, "template": template}

    assert refusal(api.post(f"{URL}/{CampaignFactory.create().pk}/preview", body)) == (code, "template")
