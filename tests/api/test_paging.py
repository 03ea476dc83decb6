"""Pages of lists: by number, by cursor, and what is refused."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rest_framework.test import APIClient

from customers.models import Customer
from tests.api.answers import refusal
from tests.factories import CampaignFactory, CustomerFactory, customers

pytestmark = pytest.mark.django_db

CUSTOMERS = "/api/v1/customers"
CAMPAIGNS = "/api/v1/campaigns"


def ids(page: dict[str, Any]) -> list[int]:
    return [row["id"] for row in page["results"]]


def test_ten_a_page_newest_first_is_the_default(api: APIClient) -> None:
    made = [campaign.pk for campaign in CampaignFactory.create_batch(12)]

    page = api.get(CAMPAIGNS).json()

    assert set(page) == {"count", "next", "previous", "results"}
    assert (page["count"], page["previous"]) == (12, None)
    assert ids(page) == made[::-1][:10]


def test_customers_and_messages_come_by_cursor_without_a_count(api: APIClient) -> None:
    campaign = CampaignFactory.create()

    for path in (CUSTOMERS, "/api/v1/messages", f"{CAMPAIGNS}/{campaign.pk}/messages"):
        assert api.get(path).json() == {"next": None, "previous": None, "results": []}
        assert api.get(f"{path}?pageNumber=1").json() == {"count": 0, "next": None, "previous": None, "results": []}
    assert "count" not in api.get(f"{CAMPAIGNS}?cursor=").json()


@pytest.mark.parametrize(
    "start", [f"{CUSTOMERS}?pageSize=4", f"{CUSTOMERS}?pageSize=4&cursor=", f"{CUSTOMERS}?pageSize=4&pageNumber=1"]
)
def test_a_walk_shows_everybody_once_there_and_back(api: APIClient, start: str) -> None:
    made = [customer.pk for customer in customers(11)][::-1]

    forth, url = [], start
    while url:
        page = api.get(url).json()
        forth.append(ids(page))
        last, url = url, page["next"]
    assert [row for rows in forth for row in rows] == made
    assert [len(rows) for rows in forth] == [4, 4, 3]

    back, url = [], last
    while url:
        page = api.get(url).json()
        back.append(ids(page))
        url = page["previous"]
    assert back == forth[::-1]


@pytest.mark.parametrize("start", [f"{CUSTOMERS}?pageSize=3", f"{CUSTOMERS}?pageSize=3&pageNumber=1"])
def test_a_walk_while_others_insert_shows_nothing_twice_and_misses_nobody_of_its_start(
    api: APIClient, start: str
) -> None:
    at_start = [customer.pk for customer in customers(10)]

    seen, url = [], start
    while url:
        page = api.get(url).json()
        seen += ids(page)
        url = page["next"]
        customers(5)

    assert seen == at_start[::-1]


def test_a_walk_by_cursor_goes_on_when_its_place_is_deleted(api: APIClient) -> None:
    made = [customer.pk for customer in customers(9)][::-1]
    first = api.get(f"{CUSTOMERS}?pageSize=3").json()
    Customer.objects.filter(pk__in=made[1:5]).delete()

    second = api.get(first["next"]).json()

    assert ids(second) == made[5:8]
    assert ids(api.get(second["previous"]).json()) == made[:1]


def test_the_way_back_by_cursor_leads_to_what_is_new(api: APIClient) -> None:
    customers(4)
    first = api.get(f"{CUSTOMERS}?pageSize=2").json()
    second = api.get(first["next"]).json()
    new = CustomerFactory.create()

    back = api.get(second["previous"]).json()

    assert ids(back) == ids(first)
    assert ids(api.get(back["previous"]).json()) == [new.pk]


def test_a_page_of_numbers_hands_on_the_highest_id_of_the_first(api: APIClient) -> None:
    made = [customer.pk for customer in customers(6)]

    first = api.get(f"{CUSTOMERS}?pageNumber=1&pageSize=2").json()
    CustomerFactory.create()
    second = api.get(first["next"]).json()

    query = parse_qs(urlsplit(first["next"]).query)
    assert query == {"pageNumber": ["2"], "pageSize": ["2"], "highestId": [str(made[-1])]}
    assert (first["count"], second["count"]) == (6, 6)
    assert parse_qs(urlsplit(second["previous"]).query)["highestId"] == [str(made[-1])]
    assert ids(second) == made[::-1][2:4]


def test_a_walk_that_begins_in_the_middle_is_kept_steady_too(api: APIClient) -> None:
    made = [customer.pk for customer in customers(6)]

    second = api.get(f"{CUSTOMERS}?pageNumber=2&pageSize=2").json()
    customers(3)

    assert ids(api.get(second["next"]).json()) == made[::-1][4:6]


@pytest.mark.parametrize("number", [2, 3, 10**17, 10**40])
def test_past_the_end_is_an_empty_page(api: APIClient, number: int) -> None:
    customers(3)

    response = api.get(f"{CUSTOMERS}?pageNumber={number}")

    assert response.status_code == 200
    page = response.json()
    assert (page["count"], page["next"], page["results"]) == (3, None, [])
    assert "pageNumber=1&" in page["previous"]


def test_links_are_absolute_and_keep_the_filters(api: APIClient) -> None:
    customers(3, location="Nyeri")
    CustomerFactory.create()

    for query in ("pageSize=2&location=Nyeri", "pageSize=2&location=Nyeri&pageNumber=1"):
        first = api.get(f"{CUSTOMERS}?{query}").json()
        assert first["next"].startswith(f"http://testserver{CUSTOMERS}?")
        assert "location=Nyeri" in first["next"]
        second = api.get(first["next"]).json()
        assert len(second["results"]) == 1
        assert second["previous"].startswith(f"http://testserver{CUSTOMERS}?")


@pytest.mark.parametrize("size", [1, 100])
def test_a_page_has_from_1_to_100_rows(api: APIClient, size: int) -> None:
    customers(101)

    assert len(api.get(f"{CUSTOMERS}?pageSize={size}").json()["results"]) == size
    assert len(api.get(f"{CUSTOMERS}?pageSize={size}&pageNumber=1").json()["results"]) == size


NO_NUMBERS = ["0", "-1", "", "x", "1.5", "+1", " 1", "1e3", "٣", "0x1", "%00", "9" * 5_000, "null"]


@pytest.mark.parametrize("given", NO_NUMBERS)
def test_what_is_no_page_number_is_refused(api: APIClient, given: str) -> None:
    assert refusal(api.get(f"{CUSTOMERS}?pageNumber={given}")) == ("out_of_range", "pageNumber")


@pytest.mark.parametrize("given", [*NO_NUMBERS, "101", "9" * 30])
@pytest.mark.parametrize("mode", ["", "&pageNumber=1", "&cursor="])
def test_a_size_out_of_range_is_refused_with_the_limit_named(api: APIClient, given: str, mode: str) -> None:
    response = api.get(f"{CUSTOMERS}?pageSize={given}{mode}")

    assert refusal(response) == ("out_of_range", "pageSize")
    assert "100" in response.json()["errors"][0]["detail"]


@pytest.mark.parametrize("given", [*NO_NUMBERS, str(2**63)])
def test_what_is_no_highest_id_is_refused(api: APIClient, given: str) -> None:
    assert refusal(api.get(f"{CUSTOMERS}?pageNumber=1&highestId={given}")) == ("out_of_range", "highestId")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "!!!!",
        "YjEyMw==",
        "YjEyMw.",
        "YjEyM",
        "Y" * 5_000,
        "%00",
        "é",
        "cDE=",
        "Yi0x",
        "YjA1",
        "YjB4MQ",
        "Yjk5OTk5OTk5OTk5OTk5OTk5OTk",
    ],
)
def test_what_is_no_cursor_is_refused(api: APIClient, cursor: str) -> None:
    assert refusal(api.get(f"{CUSTOMERS}?cursor={cursor}")) == ("invalid_cursor", "cursor")


def test_a_cursor_and_page_numbers_together_are_refused(api: APIClient) -> None:
    for path in (CUSTOMERS, CAMPAIGNS):
        code = "cursor_and_page_number"
        assert refusal(api.get(f"{path}?cursor=&pageNumber=1")) == (code, "pageNumber")
        assert refusal(api.get(f"{path}?cursor=&highestId=1")) == (code, "highestId")
    assert refusal(api.get(f"{CUSTOMERS}?highestId=1")) == ("without_page_number", "highestId")


def test_a_parameter_given_twice_is_refused(api: APIClient) -> None:
    assert refusal(api.get(f"{CUSTOMERS}?pageSize=5&pageSize=6")) == ("repeated", "pageSize")
