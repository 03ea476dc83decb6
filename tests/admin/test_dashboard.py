"""The admin's first page."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from messaging import dashboard
from messaging.models import OutboundMessage, Status
from messaging.providers.memory import Memory
from messaging.reasons import Reason
from tests.admin.conftest import client_with
from tests.admin.pages import text
from tests.factories import CustomerFactory
from tests.messaging.driving import deliver_due, sending_campaign

pytestmark = pytest.mark.django_db


def test_an_empty_database_shows_the_first_steps(marketer: Client) -> None:
    shown = text(marketer.get("/admin/"))
    assert "First steps" in shown
    assert "Add a customer" in shown
    assert "Nothing is being sent." in shown


def test_it_shows_customers_campaigns_and_messages(marketer: Client, outbox: Memory) -> None:
    sending_campaign(4)
    deliver_due()
    running = sending_campaign(3, name="Evening news")
    context = marketer.get("/admin/").context
    assert context["customers"] == 7
    counts = {status: count for status, _label, count in context["statuses"] if count}
    assert counts == {"sent": 1, "sending": 1}
    assert (context["today"]["went_out"], context["today"]["pending"], context["ever"]["total"]) == (4, 3, 7)
    assert [panel.campaign for panel in context["running"]] == [running]
    shown = text(marketer.get("/admin/"))
    assert "Evening news" in shown
    assert "0 of 3 messages done" in shown
    assert "First steps" not in shown


def test_recent_failures_are_counted_by_reason_with_words(marketer: Client) -> None:
    sending_campaign(3)
    failed = OutboundMessage.objects.order_by("pk").values_list("pk", flat=True)[:2]
    OutboundMessage.objects.filter(pk__in=list(failed)).update(status=Status.FAILED, reason=Reason.REJECTED)
    OutboundMessage.objects.filter(status=Status.PENDING).update(status=Status.UNKNOWN, reason=Reason.NO_ANSWER)
    found = [(failure.sentence, failure.count) for failure in dashboard.failures()]
    assert found == [(str(Reason.REJECTED.label), 2), (str(Reason.NO_ANSWER.label), 1)]
    assert str(Reason.REJECTED.label) in text(marketer.get("/admin/"))


def test_it_takes_the_same_queries_for_eight_running_campaigns_as_for_one(marketer: Client) -> None:
    sending_campaign(1)
    with CaptureQueriesContext(connection) as few:
        marketer.get("/admin/")
    for _n in range(7):
        sending_campaign(1)
    with CaptureQueriesContext(connection) as many:
        marketer.get("/admin/")
    assert len(few) == len(many) <= 14
    assert not any("COUNT" in query["sql"] and "outbound_messages" in query["sql"] for query in many)


def test_who_may_see_nothing_is_shown_nothing() -> None:
    CustomerFactory.create()
    sending_campaign(1, name="Secret plan")
    stranger = client_with(())
    shown = text(stranger.get("/admin/"))
    assert "Secret plan" not in shown
    assert "Customers" not in shown
    assert "ask an administrator" in shown
