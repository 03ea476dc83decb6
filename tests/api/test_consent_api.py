"""A customer's consent by the API: what counts, what was said, and recording it."""

import pytest
from rest_framework.test import APIClient

from customers import consent
from customers.models import ConsentEvent, Customer
from tests.api.answers import error
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db


def url(customer: Customer) -> str:
    return f"/api/v1/customers/{customer.pk}/consent"


def test_of_a_customer_who_never_said_anything_nothing_is_known(api: APIClient) -> None:
    answer = api.get(url(CustomerFactory.create())).json()

    silent = {"state": None, "at": None, "refusal": None}
    assert answer["consents"] == [{"channel": "sms"} | silent, {"channel": "whatsapp"} | silent]
    assert answer["history"] == []


def test_where_opting_in_is_required_silence_is_a_refusal(api: APIClient, settings: object) -> None:
    settings.REQUIRE_OPT_IN = True  # type: ignore[attr-defined]
    answer = api.get(url(CustomerFactory.create())).json()

    assert {each["refusal"] for each in answer["consents"]} == {"no_consent"}


def test_what_is_recorded_counts_at_once_and_says_who_and_how(api: APIClient) -> None:
    customer = CustomerFactory.create()

    answer = api.post(url(customer), {"channel": "sms", "state": "opted_out", "note": "by phone"})

    assert answer.status_code == 201, answer.content
    [sms, whatsapp] = answer.json()["consents"]
    assert (sms["state"], sms["refusal"], whatsapp["state"]) == ("opted_out", "opted_out", None)
    assert sms["at"].endswith("Z")
    [event] = answer.json()["history"]
    assert (event["source"], event["note"], event["state"]) == ("api", "by phone", "opted_out")
    assert event["user_id"] == ConsentEvent.objects.get().user_id is not None
    assert consent.state(customer.phone, "sms") == "opted_out"


def test_opting_in_again_is_the_next_line_of_the_history(api: APIClient) -> None:
    customer = CustomerFactory.create()
    for state in ("opted_out", "opted_in"):
        answer = api.post(url(customer), {"channel": "whatsapp", "state": state, "note": "n"}).json()

    assert [event["state"] for event in answer["history"]] == ["opted_in", "opted_out"]
    assert answer["consents"][1]["refusal"] is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"channel": "pigeon"}, "channel"), ({"state": "maybe"}, "state"), ({"note": ""}, "note"),
        ({"note": 5}, "note"),
        ({"note": "x" * 501}, "note"), ({"at": "2020-01-01T00:00:00Z"}, "at"), ({"note": "a\0"}, "note"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_and_nothing_is_recorded(
    api: APIClient, change: dict[str, object], field: str
) -> None:
    body = {"channel": "sms", "state": "opted_out", "note": "n"} | change

    assert error(api.post(url(CustomerFactory.create()), body), 400)["attr"] == field
    assert not ConsentEvent.objects.exists()


@pytest.mark.parametrize("pk", [999_999, 10**30])
def test_a_customer_who_is_not_there_is_404(api: APIClient, pk: int) -> None:
    error(api.get(f"/api/v1/customers/{pk}/consent"), 404)
    error(api.post(f"/api/v1/customers/{pk}/consent", {"channel": "sms", "state": "opted_in", "note": "n"}), 404)


def test_a_customer_who_is_deleted_and_made_again_has_not_changed_their_mind(api: APIClient) -> None:
    customer = CustomerFactory.create()
    api.post(url(customer), {"channel": "sms", "state": "opted_out", "note": "n"})
    assert api.delete(f"/api/v1/customers/{customer.pk}").status_code == 204

    made = api.post("/api/v1/customers", {"phone": customer.phone}).json()

    answer = api.get(f"/api/v1/customers/{made['id']}/consent").json()
    assert answer["consents"][0]["refusal"] == "opted_out"
    assert len(answer["history"]) == 1
