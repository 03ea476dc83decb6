"""Sending through the API, and the ledger that shows what became of it."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django.asserts import assertNumQueries
from rest_framework.test import APIClient

from campaigns.models import Campaign
from customers import consent
from customers.models import Channel, Customer
from messaging.models import OutboundMessage
from tests.api.answers import error, refusal
from tests.factories import CampaignFactory, CustomerFactory, customers

pytestmark = pytest.mark.django_db

URL = "/api/v1/campaigns"


def send(api: APIClient, campaign: Campaign, body: Any) -> Any:
    return api.post(f"{URL}/{campaign.pk}/send", body)


def scheduled() -> Campaign:
    campaign: Campaign = CampaignFactory.create()
    campaign.revise(scheduled_at=timezone.now() + timedelta(hours=1))
    return campaign


def test_a_list_is_queued_in_one_answer_of_exactly_these_fields(api: APIClient) -> None:
    campaign, people = CampaignFactory.create(), customers(3)

    response = send(api, campaign, {"customers": [person.pk for person in people]})

    assert response.status_code == 202
    assert response.json() == {
        "campaign": campaign.pk,
        "messages_queued": 3,
        "skipped": 0,
        "status": "sending",
        "launching": False,
    }
    assert OutboundMessage.objects.filter(campaign=campaign, status="pending").count() == 3
    shown = api.get(f"{URL}/{campaign.pk}").json()
    assert (shown["stats"]["total"], shown["stats"]["pending"], shown["expected"]) == (3, 3, 3)
    assert (shown["audience"], shown["launching"]) == ("list", False)
    assert shown["launched_by"] is not None


def test_repeats_count_once_and_who_opted_out_is_skipped(api: APIClient) -> None:
    campaign, (first, second) = CampaignFactory.create(), customers(2)
    consent.opt_out(channel=Channel.SMS, phone=second.phone, source="reply")

    body = send(api, campaign, {"customers": [first.pk, second.pk, first.pk]}).json()

    assert (body["messages_queued"], body["skipped"]) == (1, 1)
    skipped = api.get(f"{URL}/{campaign.pk}/messages?status=skipped").json()["results"]
    assert [(row["customer"], row["reason"]) for row in skipped] == [(second.pk, "opted_out")]


def test_everybody_is_answered_at_once_with_the_expected_number(api: APIClient) -> None:
    campaign = CampaignFactory.create()
    customers(7)

    response = send(api, campaign, {"all": True})

    assert response.status_code == 202
    assert response.json() == {
        "campaign": campaign.pk,
        "messages_queued": 0,
        "skipped": 0,
        "status": "sending",
        "launching": True,
        "expected": 7,
    }


def test_with_a_time_to_come_the_rows_wait_for_it(api: APIClient) -> None:
    campaign, person = scheduled(), CustomerFactory.create()

    body = send(api, campaign, {"customers": [person.pk]}).json()

    assert (body["status"], body["messages_queued"], body["launching"]) == ("scheduled", 1, False)


def test_unscheduling_takes_the_untried_rows_away(api: APIClient) -> None:
    campaign = scheduled()
    send(api, campaign, {"customers": [CustomerFactory.create().pk]})

    body = api.post(f"{URL}/{campaign.pk}/unschedule").json()

    assert (body["status"], body["stats"]["total"], body["audience"]) == ("draft", 0, None)
    assert not OutboundMessage.objects.exists()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ("audience_required", "non_field_errors")),
        ([], ("invalid", "non_field_errors")),
        ([1, 2], ("invalid", "non_field_errors")),
        ("all", ("invalid", "non_field_errors")),
        (5, ("invalid", "non_field_errors")),
        (None, ("invalid", "non_field_errors")),
        ({"customers": []}, ("empty", "customers")),
        ({"customers": None}, ("not_a_list", "customers")),
        ({"customers": "1,2"}, ("not_a_list", "customers")),
        ({"customers": {"1": 1}}, ("not_a_list", "customers")),
        ({"customers": ["1"]}, ("not_an_integer", "customers")),
        ({"customers": [True]}, ("not_an_integer", "customers")),
        ({"customers": [1.0]}, ("not_an_integer", "customers")),
        ({"customers": [None]}, ("not_an_integer", "customers")),
        ({"customers": [[1]]}, ("not_an_integer", "customers")),
        ({"customers": [1], "all": True}, ("audience_required", "non_field_errors")),
        ({"all": False}, ("invalid", "all")),
        ({"all": 1}, ("invalid", "all")),
        ({"all": "true"}, ("invalid", "all")),
        ({"segment": 1}, ("segment_not_found", "segment")),
        ({"everyone": True}, ("unknown_field", "everyone")),
        ({"customers": [0]}, ("unknown_customers", "customers")),
        ({"customers": [-1]}, ("unknown_customers", "customers")),
        ({"customers": [2**63]}, ("unknown_customers", "customers")),
        ({"customers": [10**400]}, ("unknown_customers", "customers")),
        ({"all": True}, ("nobody", "all")),
    ],
)
def test_an_audience_that_is_none_is_refused_and_nothing_is_queued(
    api: APIClient, body: Any, expected: tuple[str, str]
) -> None:
    campaign = CampaignFactory.create()

    assert refusal(api.generic("POST", f"{URL}/{campaign.pk}/send", json.dumps(body), "application/json")) == expected
    campaign.refresh_from_db()
    assert (campaign.status, campaign.audience) == ("draft", None)
    assert not OutboundMessage.objects.exists()


def test_unknown_ids_are_named_up_to_a_hundred_and_nothing_is_queued(api: APIClient) -> None:
    campaign, person = CampaignFactory.create(), CustomerFactory.create()
    unknown = [person.pk + n for n in range(1, 151)]

    found = error(send(api, campaign, {"customers": [person.pk, *unknown]}), 400)

    assert (found["code"], found["attr"]) == ("unknown_customers", "customers")
    assert (found["ids"], found["count"]) == (unknown[:100], 150)
    assert not OutboundMessage.objects.exists()
    assert api.get(f"{URL}/{campaign.pk}").json()["status"] == "draft"


def test_more_than_a_hundred_thousand_are_refused_with_the_limit_named(api: APIClient) -> None:
    found = error(send(api, CampaignFactory.create(), {"customers": list(range(1, 100_002))}), 400)

    assert (found["code"], found["attr"]) == ("too_many", "customers")
    assert "100000" in found["detail"].replace(",", "")


def test_a_hundred_thousand_ids_are_looked_at_within_a_second(api: APIClient) -> None:
    campaign = CampaignFactory.create()
    body = json.dumps({"customers": list(range(10**12, 10**12 + 100_000))})

    began = time.perf_counter()
    response = api.generic("POST", f"{URL}/{campaign.pk}/send", body, "application/json")

    assert error(response, 400)["count"] == 100_000
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_text_is_refused(api: APIClient, text: str) -> None:
    campaign = CampaignFactory.create(base_template=text)

    assert refusal(send(api, campaign, {"customers": [CustomerFactory.create().pk]})) == ("empty_text", "base_template")
    assert not OutboundMessage.objects.exists()


@pytest.mark.parametrize("make", [CampaignFactory.create, scheduled])
def test_a_second_send_is_409_with_the_campaign_and_its_counts(api: APIClient, make: Any) -> None:
    campaign, person = make(), CustomerFactory.create()
    send(api, campaign, {"customers": [person.pk]})

    for body in ({"customers": [person.pk]}, {"all": True}):
        found = error(send(api, campaign, body), 409)
        assert found["code"] in {"illegal_transition", "audience_given"}
        assert (found["campaign"]["id"], found["campaign"]["stats"]["total"]) == (campaign.pk, 1)
        assert found["campaign"]["stats"]["pending"] == 1
    assert OutboundMessage.objects.count() == 1


def test_a_cancelled_campaign_cannot_be_sent(api: APIClient) -> None:
    campaign = CampaignFactory.create()
    campaign.cancel()

    assert (
        error(send(api, campaign, {"customers": [CustomerFactory.create().pk]}), 409)["campaign"]["status"]
        == "cancelled"
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("make", [CampaignFactory.create, scheduled])
def test_of_parallel_sends_one_wins_and_the_others_get_409(api: APIClient, make: Any) -> None:
    campaign, ids = make(), [person.pk for person in customers(20)]

    def post(_: int) -> Any:
        try:
            return send(api, campaign, {"customers": ids})
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        responses = list(pool.map(post, range(6)))

    assert sorted(response.status_code for response in responses) == [202] + [409] * 5
    assert {error(each, 409)["campaign"]["stats"]["total"] for each in responses if each.status_code == 409} == {20}
    assert OutboundMessage.objects.filter(campaign=campaign).count() == 20


@pytest.mark.django_db(transaction=True)
def test_a_send_and_a_delete_at_the_same_moment_never_both_win(api: APIClient) -> None:
    ids = [person.pk for person in customers(5)]

    def call(campaign: Campaign, verb: str) -> int:
        try:
            path = f"{URL}/{campaign.pk}"
            response = send(api, campaign, {"customers": ids}) if verb == "send" else api.delete(path)
            return int(response.status_code)
        finally:
            connection.close()

    for _ in range(8):
        campaign = CampaignFactory.create()
        with ThreadPoolExecutor(2) as pool:
            sent, deleted = pool.map(partial(call, campaign), ("send", "delete"))
        assert (sent, deleted) in {(202, 409), (404, 204)}
        assert OutboundMessage.objects.filter(campaign_id=campaign.pk).count() == (5 if sent == 202 else 0)


def test_the_ledger_shows_a_message_with_exactly_its_fields(api: APIClient) -> None:
    campaign, person = CampaignFactory.create(base_template="Hi {FirstName}"), CustomerFactory.create(first_name="Zoë")
    send(api, campaign, {"customers": [person.pk]})

    [row] = api.get("/api/v1/messages").json()["results"]

    assert row == api.get(f"/api/v1/messages/{row['id']}").json()
    times = ("created_at", "updated_at", "due_at", "expires_at", "sent_at", "delivered_at")
    assert {name: value for name, value in row.items() if name not in times} == {
        "id": OutboundMessage.objects.get().pk,
        "campaign": campaign.pk,
        "customer": person.pk,
        "status": "pending",
        "reason": None,
        "rendered_content": "Hi Zoë",
        "last_error": "",
        "retry_count": 0,
        "parts": 1,
        "provider": "",
    }
    assert set(times) <= set(row)
    assert row["created_at"].endswith("Z")
    assert row["sent_at"] is None
    assert person.phone not in json.dumps(row)


def test_messages_are_found_by_campaign_customer_status_and_reason(api: APIClient) -> None:
    one, two = CampaignFactory.create_batch(2)
    first, second = customers(2)
    consent.opt_out(channel=Channel.SMS, phone=second.phone, source="reply")
    for campaign in (one, two):
        send(api, campaign, {"customers": [first.pk, second.pk]})

    def found(path: str) -> set[tuple[int, int]]:
        return {(row["campaign"], row["customer"]) for row in api.get(f"/api/v1/{path}").json()["results"]}

    assert found("messages") == {(one.pk, first.pk), (one.pk, second.pk), (two.pk, first.pk), (two.pk, second.pk)}
    assert found(f"messages?campaign={one.pk}") == {(one.pk, first.pk), (one.pk, second.pk)}
    assert found(f"messages?customer={first.pk}&campaign={two.pk}") == {(two.pk, first.pk)}
    assert found("messages?reason=opted_out") == {(one.pk, second.pk), (two.pk, second.pk)}
    assert found(f"campaigns/{one.pk}/messages?status=pending") == {(one.pk, first.pk)}
    assert found(f"campaigns/{one.pk}/messages?customer={second.pk}") == {(one.pk, second.pk)}
    assert found("messages?customer=999999999") == set()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=lost", ("invalid_choice", "status")),
        ("reason=weather", ("invalid_choice", "reason")),
        ("reason=", ("blank", "reason")),
        ("customer=x", ("invalid", "customer")),
        ("customer=1.5", ("invalid", "customer")),
        ("customer=0", ("min_value", "customer")),
        (f"customer={2**63}", ("max_value", "customer")),
        ("customer=" + "9" * 5_000, ("invalid", "customer")),
        ("customer=%00", ("invalid", "customer")),
        ("address=%2B254712345678", ("unknown_parameter", "address")),
    ],
)
def test_a_query_that_means_nothing_is_refused(api: APIClient, query: str, expected: tuple[str, str]) -> None:
    campaign = CampaignFactory.create()

    assert refusal(api.get(f"/api/v1/messages?{query}")) == expected
    assert refusal(api.get(f"{URL}/{campaign.pk}/messages?{query}")) == expected


def test_one_campaigns_messages_cannot_be_asked_for_another_campaign(api: APIClient) -> None:
    campaign = CampaignFactory.create()

    assert refusal(api.get(f"{URL}/{campaign.pk}/messages?campaign=1")) == ("unknown_parameter", "campaign")
    assert refusal(api.get("/api/v1/messages?campaign=x")) == ("invalid", "campaign")


@pytest.mark.parametrize("given", ["0", "999999", str(2**63), "9" * 40, "x"])
def test_messages_of_a_campaign_that_nobody_has_are_404(api: APIClient, given: str) -> None:
    assert error(api.get(f"{URL}/{given}/messages"), 404)
    assert error(api.get(f"{URL}/{given}/audit"), 404)
    assert error(api.get(f"/api/v1/messages/{given}"), 404)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_the_ledger_is_only_read(api: APIClient, method: str) -> None:
    campaign, person = CampaignFactory.create(), CustomerFactory.create()
    send(api, campaign, {"customers": [person.pk]})
    row = OutboundMessage.objects.get()

    for path in (
        "messages",
        f"messages/{row.pk}",
        f"campaigns/{campaign.pk}/messages",
        f"campaigns/{campaign.pk}/audit",
    ):
        assert error(getattr(api, method)(f"/api/v1/{path}", {}), 405)["code"] == "method_not_allowed"


def test_the_lists_of_messages_take_the_same_few_queries_however_long_they_are(api: APIClient) -> None:
    campaign = CampaignFactory.create()
    send(api, campaign, {"customers": [person.pk for person in customers(30)]})

    for size in (1, 30):
        with assertNumQueries(4):  # token, permissions twice, the page
            assert len(api.get(f"/api/v1/messages?pageSize={size}").json()["results"]) == size
        with assertNumQueries(5):  # and whether there is such a campaign
            assert len(api.get(f"{URL}/{campaign.pk}/messages?pageSize={size}").json()["results"]) == size


def test_the_audit_compares_counts_and_rows(api: APIClient) -> None:
    campaign = CampaignFactory.create()
    send(api, campaign, {"customers": [person.pk for person in customers(3)]})

    body = api.get(f"{URL}/{campaign.pk}/audit").json()

    assert (body["campaign"], body["status"], body["consistent"]) == (campaign.pk, "sending", True)
    assert body["stats"] == body["rows"]
    assert (body["stats"]["total"], body["expected"], body["launching"]) == (3, 3, False)


def test_a_deleted_customer_leaves_the_counts_true(api: APIClient) -> None:
    campaign, (first, second) = CampaignFactory.create(), customers(2)
    send(api, campaign, {"customers": [first.pk, second.pk]})

    assert api.delete(f"/api/v1/customers/{first.pk}").status_code == 204

    assert api.get(f"{URL}/{campaign.pk}").json()["stats"]["total"] == 1
    assert api.get(f"{URL}/{campaign.pk}/audit").json()["consistent"]
    assert Customer.objects.count() == 1
