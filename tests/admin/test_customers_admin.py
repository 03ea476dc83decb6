"""The admin's pages of customers and opt-outs."""

import json
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from customers.admin import MOST_DELETED
from customers.models import Customer
from messaging.models import OutboundMessage
from tests.admin.pages import text
from tests.factories import CustomerFactory, customers
from tests.messaging.driving import sending_campaign

LIST = "/admin/customers/customer/"


@pytest.mark.django_db
def test_a_search_by_phone_as_it_is_dialled_finds_the_customer_by_the_index(marketer: Client) -> None:
    customers(5_000)
    wanted = CustomerFactory.create(phone="+254712345678", first_name="Amina")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE customers")
    with CaptureQueriesContext(connection) as queries:
        response = marketer.get(LIST, {"q": "0712 345 678"})
    assert list(response.context["cl"].result_list) == [wanted]
    searches = [query["sql"] for query in queries if 'FROM "customers"' in query["sql"]]
    assert searches
    for sql in searches:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "idx_customers_phone" in plan
        assert "Seq Scan" not in plan


def test_a_search_for_what_is_no_number_finds_nobody_and_says_why(marketer: Client) -> None:
    CustomerFactory.create()
    response = marketer.get(LIST, {"q": "Wanjiru"})
    assert not response.context["cl"].result_list
    assert "The search takes one whole phone number." in text(response)


def test_the_list_takes_the_same_few_queries_for_fifty_customers_as_for_one(marketer: Client) -> None:
    CustomerFactory.create()
    with CaptureQueriesContext(connection) as few:
        marketer.get(LIST)
    customers(49)
    with CaptureQueriesContext(connection) as many:
        marketer.get(LIST)
    assert len(few) == len(many) <= 7


def test_a_phone_is_stored_in_e164_however_it_was_typed(marketer: Client) -> None:
    marketer.post(f"{LIST}add/", {"phone": "0712 345 678", "first_name": "Amina", "attributes": '{"points": 3}'})
    customer = Customer.objects.get()
    assert (customer.phone, customer.first_name, customer.attributes) == ("+254712345678", "Amina", {"points": 3})


@pytest.mark.parametrize("typed", ["123", "not a number", "+254712345678901234567890"])
def test_what_is_no_phone_number_is_refused_with_a_sentence(marketer: Client, typed: str) -> None:
    response = marketer.post(f"{LIST}add/", {"phone": typed, "attributes": "{}"})
    assert "This is not a valid phone number" in text(response)
    assert not Customer.objects.exists()


def test_a_phone_that_another_customer_has_is_refused_with_a_sentence(marketer: Client) -> None:
    CustomerFactory.create(phone="+254712345678")
    response = marketer.post(f"{LIST}add/", {"phone": "+254 712 345678", "attributes": "{}"})
    assert "Another customer already has this phone number." in text(response)


def test_the_page_that_deletes_a_customer_says_how_many_messages_go_too(marketer: Client) -> None:
    sending_campaign(1)
    customer = Customer.objects.get()
    page = reverse("admin:customers_customer_delete", args=[customer.pk])
    assert "Messages: 1" in text(marketer.get(page))
    marketer.post(page, {"post": "yes"})
    assert not Customer.objects.exists()
    assert not OutboundMessage.objects.exists()


def test_selected_customers_are_deleted_each_in_a_transaction_of_its_own_by_ascending_id(marketer: Client) -> None:
    campaign = sending_campaign(3)
    ids = list(Customer.objects.order_by("-pk").values_list("pk", flat=True))
    sent = {"action": "delete_selected", "_selected_action": ids}
    asked = text(marketer.post(LIST, sent))
    assert "Customers: 3" in asked
    assert "Messages: 3" in asked
    assert Customer.objects.count() == 3
    with CaptureQueriesContext(connection) as queries:
        marketer.post(LIST, sent | {"post": "yes"})
    deletions = [query["sql"] for query in queries if query["sql"].startswith('DELETE FROM "customers"')]
    assert [int(re.findall(r"\d+", sql)[-1]) for sql in deletions] == sorted(ids)
    campaign.progress.refresh_from_db()
    assert campaign.progress.total == 0


def test_more_customers_than_the_page_can_carry_are_not_deleted_at_once(marketer: Client) -> None:
    customers(MOST_DELETED + 1)
    response = marketer.post(
        LIST, {"action": "delete_selected", "select_across": "1", "_selected_action": "1", "post": "yes"}, follow=True
    )
    assert "At most 500 customers can be deleted at once." in text(response)
    assert Customer.objects.count() == MOST_DELETED + 1


def test_a_customer_is_found_to_choose_by_phone_and_by_the_beginning_of_a_name(marketer: Client) -> None:
    amina = CustomerFactory.create(phone="+254712345678", first_name="Amina", last_name="Hassan")
    CustomerFactory.create(first_name="Zawadi", last_name="Njeri")
    for term in ("0712 345678", "ami", "HASS", "amina has"):
        found = json.loads(marketer.get(f"{LIST}choose/", {"term": term}).content)["results"]
        assert found == [{"id": str(amina.pk), "text": "Amina Hassan · +254712345678"}]
    assert len(json.loads(marketer.get(f"{LIST}choose/").content)["results"]) == 2
    assert json.loads(marketer.get(f"{LIST}choose/", {"term": "x\0y"}).content)["results"] == []
