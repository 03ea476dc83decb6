"""Customers through the API."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import structlog
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.asserts import assertNumQueries
from rest_framework.test import APIClient

from customers.models import Customer
from tests.api.answers import error, refusal
from tests.factories import CustomerFactory, customers

pytestmark = pytest.mark.django_db

URL = "/api/v1/customers"
PHONE = "+254712345678"


def test_a_customer_is_made_with_its_number_in_e164(api: APIClient) -> None:
    response = api.post(URL, {"phone": "0712 345 678", "first_name": "Zoë", "attributes": {"plan": "gold"}})

    assert response.status_code == 201
    body = response.json()
    kept = Customer.objects.get()
    assert body == {
        "id": kept.pk,
        "phone": PHONE,
        "first_name": "Zoë",
        "last_name": "",
        "location": "",
        "preferred_product": "",
        "attributes": {"plan": "gold"},
        "language": "",
        "time_zone": "",
        "created_at": kept.created_at.isoformat().replace("+00:00", "Z"),
        "updated_at": kept.updated_at.isoformat().replace("+00:00", "Z"),
    }


@pytest.mark.parametrize(
    "spelling", ["0712345678", "+254 712 345 678", "254712345678", "(0712) 345-678", "０７１２３４５６７８"]
)
def test_every_spelling_of_a_number_is_the_same_customer(api: APIClient, spelling: str) -> None:
    taken = CustomerFactory.create(phone=PHONE)

    response = api.post(URL, {"phone": spelling})

    found = error(response, 409)
    assert (found["code"], found["attr"], found["id"]) == ("phone_taken", "phone", taken.pk)


def test_a_number_without_plus_is_read_in_the_default_region(api: APIClient, settings: Any) -> None:
    settings.DEFAULT_PHONE_REGION = "GB"

    assert api.post(URL, {"phone": "020 7946 0958"}).json()["phone"] == "+442079460958"


@pytest.mark.parametrize(
    "phone", ["5551", "not a number", "+25471234567890123", "+999123456789", "x" * 5_000, "+" * 70]
)
def test_what_is_no_number_is_refused_with_a_sentence_that_does_not_repeat_it(api: APIClient, phone: str) -> None:
    response = api.post(URL, {"phone": phone})

    assert refusal(response) == ("invalid_phone", "phone")
    assert phone not in response.content.decode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ("required", "phone")),
        ({"phone": ""}, ("blank", "phone")),
        ({"phone": None}, ("null", "phone")),
        ({"phone": 254712345678}, ("invalid", "phone")),
        ({"phone": ["0712345678"]}, ("invalid", "phone")),
        ({"phone": True}, ("invalid", "phone")),
        ({"phone": PHONE, "first_name": "x" * 151}, ("max_length", "first_name")),
        ({"phone": PHONE, "first_name": None}, ("null", "first_name")),
        ({"phone": PHONE, "first_name": 7}, ("invalid", "first_name")),
        ({"phone": PHONE, "location": "a\0b"}, ("null_characters_not_allowed", "location")),
        ({"phone": PHONE, "language": "not a tag"}, ("invalid", "language")),
        ({"phone": PHONE, "time_zone": "Africa/Nowhere"}, ("invalid", "time_zone")),
        ({"phone": PHONE, "attributes": []}, ("invalid", "attributes")),
        ({"phone": PHONE, "attributes": "x"}, ("invalid", "attributes")),
        ({"phone": PHONE, "attributes": None}, ("null", "attributes")),
        ({"phone": PHONE, "attributes": {"Not Snake": 1}}, ("invalid_name", "attributes")),
        ({"phone": PHONE, "attributes": {"a": "x\0"}}, ("null_characters_not_allowed", "attributes")),
        ({"phone": PHONE, "attributes": {"a": "x" * 20_000}}, ("too_large", "attributes")),
        ({"phone": PHONE, "surname": "x"}, ("unknown_field", "surname")),
        ({"phone": PHONE, "id": 5}, ("read_only", "id")),
        ({"phone": PHONE, "created_at": "2027-01-01T00:00:00Z"}, ("read_only", "created_at")),
    ],
)
def test_what_was_sent_wrong_is_named_and_nothing_is_written(
    api: APIClient, body: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert refusal(api.post(URL, body)) == expected
    assert not Customer.objects.exists()


def test_a_customer_is_read_by_its_id(api: APIClient) -> None:
    customer = CustomerFactory.create()

    assert api.get(f"{URL}/{customer.pk}").json()["phone"] == customer.phone


@pytest.mark.parametrize(
    "given", ["0", "999999", str(2**63 - 1), str(2**63), "9" * 30, "9" * 5_000, "x", "-1", "1.5", "%00"]
)
def test_an_id_that_nobody_has_is_404_however_large(api: APIClient, given: str) -> None:
    for method in ("get", "patch", "delete"):
        assert error(getattr(api, method)(f"{URL}/{given}"), 404)["code"] == "not_found"


def test_only_the_given_fields_are_changed(api: APIClient) -> None:
    customer = CustomerFactory.create(attributes={"plan": "gold", "points": 3})

    response = api.patch(f"{URL}/{customer.pk}", {"location": "Kisumu", "attributes": {"plan": "silver"}})

    assert response.status_code == 200
    body = response.json()
    assert (body["location"], body["first_name"]) == ("Kisumu", customer.first_name)
    assert body["attributes"] == {"plan": "silver"}
    assert body["updated_at"] > customer.updated_at.isoformat()


def test_a_change_to_a_taken_number_is_409_and_names_its_holder(api: APIClient) -> None:
    holder, other = customers(2)

    found = error(api.patch(f"{URL}/{other.pk}", {"phone": holder.phone}), 409)

    assert (found["code"], found["id"]) == ("phone_taken", holder.pk)


def test_ones_own_number_may_be_given_again(api: APIClient) -> None:
    customer = CustomerFactory.create(phone=PHONE)

    assert api.patch(f"{URL}/{customer.pk}", {"phone": "0712345678"}).status_code == 200


def test_a_change_checks_what_a_new_customer_would(api: APIClient) -> None:
    customer = CustomerFactory.create()

    assert refusal(api.patch(f"{URL}/{customer.pk}", {"time_zone": "Nowhere"})) == ("invalid", "time_zone")
    assert refusal(api.patch(f"{URL}/{customer.pk}", {"id": 1})) == ("read_only", "id")


def test_a_deleted_customer_is_gone_and_a_second_delete_is_404(api: APIClient) -> None:
    customer = CustomerFactory.create()

    response = api.delete(f"{URL}/{customer.pk}")

    assert (response.status_code, response.content) == (204, b"")
    assert error(api.delete(f"{URL}/{customer.pk}"), 404)
    assert error(api.get(f"{URL}/{customer.pk}"), 404)


def test_put_is_not_offered(api: APIClient) -> None:
    customer = CustomerFactory.create()

    response = api.put(f"{URL}/{customer.pk}", {"phone": PHONE})

    assert error(response, 405)["code"] == "method_not_allowed"
    assert "PUT" not in response["Allow"]


@pytest.mark.parametrize(
    "query", ["0712345678", "+254712345678", "%2B254712345678", "254712345678", "%2B254%20712%20345678"]
)
def test_a_customer_is_found_by_any_spelling_of_the_number(api: APIClient, query: str) -> None:
    customers(3)
    wanted = CustomerFactory.create(phone=PHONE)

    assert [row["id"] for row in api.get(f"{URL}?phone={query}").json()["results"]] == [wanted.pk]


def test_a_number_that_was_looked_for_is_not_logged(api: APIClient, caplog: pytest.LogCaptureFixture) -> None:
    api.get(f"{URL}?phone=0712345678&nonsense=1")

    formatters = [handler.formatter for handler in logging.getLogger().handlers]
    [ours] = [each for each in formatters if isinstance(each, structlog.stdlib.ProcessorFormatter)]
    logged = "".join(ours.format(record) for record in caplog.records)
    assert URL in logged
    assert "712345678" not in logged


def test_a_foreign_number_with_an_unencoded_plus_is_not_taken_for_a_local_one(api: APIClient, settings: Any) -> None:
    settings.DEFAULT_PHONE_REGION = "US"
    singapore, _florida = (CustomerFactory.create(phone=phone) for phone in ("+6562234567", "+16562234567"))

    assert [row["id"] for row in api.get(f"{URL}?phone=+6562234567").json()["results"]] == [singapore.pk]


def test_customers_are_found_by_location_and_language(api: APIClient) -> None:
    here, _there = CustomerFactory.create(location="Mombasa", language="sw"), CustomerFactory.create(language="en-KE")

    assert [row["id"] for row in api.get(f"{URL}?location=Mombasa").json()["results"]] == [here.pk]
    assert [row["id"] for row in api.get(f"{URL}?language=SW").json()["results"]] == [here.pk]
    assert api.get(f"{URL}?location=mombasa%20&language=sw").json()["results"] == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("phone=12", ("invalid_phone", "phone")),
        ("phone=", ("blank", "phone")),
        ("phone=%00", ("invalid_phone", "phone")),
        ("location=", ("blank", "location")),
        ("location=%00", ("null_characters_not_allowed", "location")),
        ("location=" + "x" * 151, ("max_length", "location")),
        ("language=not+a+tag", ("invalid", "language")),
        ("name=x", ("unknown_parameter", "name")),
        ("Location=x", ("unknown_parameter", "Location")),
        ("location=a&location=b", ("repeated", "location")),
        ("format=json", ("unknown_parameter", "format")),
        ("%00=x", ("unknown_parameter", "\0")),
    ],
)
def test_a_query_that_means_nothing_is_refused(api: APIClient, query: str, expected: tuple[str, str]) -> None:
    assert refusal(api.get(f"{URL}?{query}")) == expected


def test_a_parameter_is_refused_where_none_is_taken(api: APIClient) -> None:
    customer = CustomerFactory.create()

    assert refusal(api.get(f"{URL}/{customer.pk}?location=x")) == ("unknown_parameter", "location")
    assert refusal(api.post(f"{URL}?dry_run=1", {"phone": PHONE})) == ("unknown_parameter", "dry_run")
    assert refusal(api.delete(f"{URL}/{customer.pk}?force=1")) == ("unknown_parameter", "force")
    assert Customer.objects.count() == 1


def test_the_list_takes_the_same_few_queries_however_long_it_is(api: APIClient) -> None:
    customers(30)
    api.get(URL)

    for size in (1, 30):
        with assertNumQueries(4):  # token, permissions twice, the page
            assert len(api.get(f"{URL}?pageSize={size}").json()["results"]) == size


def test_the_search_by_phone_reads_the_unique_index(api: APIClient) -> None:
    customers(2_000)
    with connection.cursor() as cursor, CaptureQueriesContext(connection) as queries:
        cursor.execute("ANALYZE customers")
        api.get(f"{URL}?phone=0712345678")
        cursor.execute(f"EXPLAIN {queries[-1]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "idx_customers_phone" in plan


@pytest.mark.django_db(transaction=True)
def test_of_parallel_customers_with_one_number_one_is_made_and_the_others_are_told_its_id(api: APIClient) -> None:
    def post(_: int) -> Any:
        try:
            return api.post(URL, {"phone": "0712345678"})
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        responses = list(pool.map(post, range(6)))

    made = [response for response in responses if response.status_code == 201]
    assert len(made) == 1
    assert {error(response, 409)["id"] for response in responses if response not in made} == {made[0].json()["id"]}
