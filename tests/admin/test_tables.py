"""The pages of tables that are too large to count."""

import pytest
from django.db import connection
from django.test import Client

from customers.models import Customer
from customers.tables import EstimatingPaginator, total_of
from tests.admin.pages import text
from tests.factories import customers

pytestmark = pytest.mark.django_db


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if tables were large from the eleventh row on."""
    monkeypatch.setattr(EstimatingPaginator, "EXACT", 10)


def analyse() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE customers")


@pytest.mark.usefixtures("small")
def test_a_small_table_is_counted() -> None:
    customers(10)
    assert total_of(Customer) == (10, True)


@pytest.mark.usefixtures("small")
def test_a_large_table_is_as_large_as_postgresql_last_knew() -> None:
    customers(30)
    analyse()
    customers(5)
    assert total_of(Customer) == (30, False)


@pytest.mark.usefixtures("small")
def test_of_a_large_part_only_so_many_can_be_paged_through() -> None:
    customers(30)
    analyse()
    pages = EstimatingPaginator(Customer.objects.filter(first_name="Wanjiru"), 5)
    assert (pages.count, pages.is_exact, pages.num_pages) == (10, False, 2)


@pytest.mark.usefixtures("small")
def test_the_page_says_that_a_number_is_estimated(marketer: Client) -> None:
    customers(30)
    analyse()
    assert "about 30 customers" in text(marketer.get("/admin/customers/customer/"))


def test_the_page_says_an_exact_number_plainly(marketer: Client) -> None:
    customers(30)
    shown = text(marketer.get("/admin/customers/customer/"))
    assert "30 customers" in shown
    assert "about" not in shown
    assert "Show all" not in shown
