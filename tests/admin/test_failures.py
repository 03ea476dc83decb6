"""The file of those whom a campaign did not reach."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from structlog.testing import capture_logs

from campaigns.audience import listed
from campaigns.models import Campaign
from customers import consent, spreadsheets
from customers.models import Customer
from customers.phones import normalise
from messaging import dispatch, failures
from messaging.models import OutboundMessage, Status
from messaging.providers.base import Accepted, GiveUp, Outcome, Unknown
from messaging.providers.memory import Memory
from messaging.reasons import Reason
from tests.admin.conftest import client_with
from tests.admin.pages import page
from tests.factories import CampaignFactory, customers
from tests.messaging.driving import deliver_due, sending_campaign

pytestmark = pytest.mark.django_db


def url(campaign: Campaign) -> str:
    return f"/admin/campaigns/campaign/{campaign.pk}/failures.csv"


def rows(response: Any) -> list[dict[str, str]]:
    body = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(body, newline="")))


def fail(campaign: Campaign, **fields: Any) -> None:
    """Turn all messages of the campaign into failed ones."""
    OutboundMessage.objects.filter(campaign=campaign).update(
        **{"status": Status.FAILED, "reason": Reason.REJECTED, "last_error": "no such subscriber"} | fields
    )


def test_a_row_tells_who_why_and_since_when(viewer: Client) -> None:
    campaign = sending_campaign(1)
    fail(campaign, retry_count=2)

    [row] = rows(viewer.get(url(campaign)))

    message = OutboundMessage.objects.get(campaign=campaign)
    assert row == {
        "message": str(message.pk), "customer": str(message.customer_id), "phone": message.address,
        "first_name": "Wanjiru", "last_name": "Otieno", "status": "failed", "reason": "rejected",
        "why": str(Reason.REJECTED.label), "last_error": "no such subscriber", "retry_count": "2",
        "updated_at": message.updated_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }  # fmt: skip


def test_it_lists_the_failed_then_the_unknown_then_the_skipped_of_this_campaign_alone(
    viewer: Client, outbox: Memory
) -> None:
    answers: Iterator[Outcome] = iter(
        [Accepted("1"), Unknown("no answer"), GiveUp("no such subscriber"), GiveUp("barred")]
    )
    outbox.answer = lambda _envelope: next(answers)
    campaign = CampaignFactory.create()
    people = customers(5)
    consent.opt_out(phone=people[0].phone, channel="sms", source="test")
    dispatch.send(campaign, listed([each.pk for each in people]), by=None)
    deliver_due()
    fail(sending_campaign(2))

    found = rows(viewer.get(url(campaign)))

    assert [(row["customer"], row["status"], row["reason"], row["last_error"]) for row in found] == [
        (str(people[3].pk), "failed", "rejected", "no such subscriber"),
        (str(people[4].pk), "failed", "rejected", "barred"),
        (str(people[2].pk), "unknown", "no_answer", "no answer"),
        (str(people[0].pk), "skipped", "opted_out", ""),
    ]
    assert all(row["why"].endswith(".") for row in found)


def test_it_is_a_file_that_excel_reads_as_utf_8(viewer: Client) -> None:
    campaign = sending_campaign(1)
    Customer.objects.update(first_name="Noël", last_name='O"Neil, 李')
    fail(campaign)

    response: Any = viewer.get(url(campaign))
    body = b"".join(response.streaming_content)

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == f'attachment; filename="campaign-{campaign.pk}-failures.csv"'
    assert body.startswith(b"\xef\xbb\xbfmessage,customer,phone,")
    assert body.count(b"\xef\xbb\xbf") == 1
    [row] = rows(viewer.get(url(campaign)))
    assert (row["first_name"], row["last_name"]) == ("Noël", 'O"Neil, 李')


def test_when_all_were_reached_it_holds_only_the_header(viewer: Client, outbox: Memory) -> None:
    campaign = sending_campaign(2)
    deliver_due()
    assert rows(viewer.get(url(campaign))) == []


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")', "+254700000001+1", "+"]
)
def test_what_a_spreadsheet_would_calculate_is_made_harmless(viewer: Client, cell: str) -> None:
    assert spreadsheets.harmless(cell) == f"'{cell}"
    campaign = sending_campaign(1)
    Customer.objects.update(first_name=cell)
    fail(campaign, last_error=cell)
    [row] = rows(viewer.get(url(campaign)))
    assert (row["first_name"], row["last_error"]) == (f"'{cell}", f"'{cell}")


@pytest.mark.parametrize("cell", ["", "Wanjiru", "1=1", "a+b", "'=1", "+254700000001", " =1"])
def test_everything_else_stays_as_it_is(cell: str) -> None:
    assert spreadsheets.harmless(cell) == cell


def test_the_phones_can_be_imported_and_sent_to_again(viewer: Client) -> None:
    campaign = sending_campaign(2)
    fail(campaign)
    found = [row["phone"] for row in rows(viewer.get(url(campaign)))]
    assert found == [normalise(phone, "KE") for phone in found]
    assert set(found) == set(Customer.objects.values_list("phone", flat=True))


@pytest.mark.parametrize("missing", ["messaging.view_outboundmessage", "customers.view_customer"])
def test_who_may_not_see_messages_or_people_gets_neither_link_nor_file(missing: str) -> None:
    needed = {"campaigns.view_campaign", "messaging.view_outboundmessage", "customers.view_customer"}
    campaign = sending_campaign(1)
    client = client_with(sorted(needed - {missing}))
    assert client.get(url(campaign)).status_code == 403
    assert url(campaign) not in client.get(page(campaign)).content.decode()

    allowed = client_with(sorted(needed))
    assert allowed.get(url(campaign)).status_code == 200
    assert url(campaign) in allowed.get(page(campaign)).content.decode()


def test_a_campaign_that_is_not_there_is_404_and_a_stranger_is_asked_to_log_in(viewer: Client, client: Client) -> None:
    assert viewer.get("/admin/campaigns/campaign/999999/failures.csv").status_code == 404
    assert client.get("/admin/campaigns/campaign/999999/failures.csv").status_code == 302


def test_who_took_the_file_stands_in_the_log_and_nobody_whom_it_is_about(viewer: Client) -> None:
    campaign = sending_campaign(1)
    fail(campaign)
    with capture_logs() as logs:
        rows(viewer.get(url(campaign)))
    [line] = [line for line in logs if line["event"] == "failures_exported"]
    assert line["campaign"] == campaign.pk
    assert "+2547" not in str(logs)


def test_pages_of_any_size_give_every_row_once_and_are_read_only_when_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(failures, "PAGE", 3)
    campaign = sending_campaign(7)
    fail(campaign)
    with CaptureQueriesContext(connection) as queries:
        pages = failures.lines(campaign.pk)
        assert next(pages).startswith(spreadsheets.BOM)
        assert len(queries) == 0
        next(pages)
        assert len(queries) == 1
        rest = "".join(pages)
    assert rest.count("\r\n") == 4
    assert len(queries) == 4 + 2  # the last page of the failed is empty, as those of the other statuses


def test_a_page_is_found_by_the_index_on_the_status_and_not_by_walking_the_campaign() -> None:
    campaign = sending_campaign(3_000)
    every_twentieth = OutboundMessage.objects.annotate(rest=F("pk") % 20).filter(rest=0)
    every_twentieth.update(status=Status.FAILED, reason=Reason.REJECTED)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE outbound_messages")
        cursor.execute(f"EXPLAIN {failures._PAGE}", ["failed", campaign.pk, 0, 100])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "idx_outbound_messages_status" in plan
