"""The admin's pages of the ledger."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from customers import consent
from messaging.models import OutboundMessage
from messaging.providers.memory import Memory
from messaging.reasons import Reason
from tests.admin.pages import text
from tests.factories import CampaignFactory, CustomerFactory, customers
from tests.messaging.driving import deliver_due, send_to_everybody, sending_campaign

LIST = "/admin/messaging/outboundmessage/"
pytestmark = pytest.mark.django_db


def listed(client: Client, **query: Any) -> set[int]:
    """The ids on the page."""
    return {message.pk for message in client.get(LIST, query).context["cl"].result_list}


def test_the_list_takes_the_same_few_queries_for_fifty_messages_as_for_one(viewer: Client) -> None:
    sending_campaign(1)
    with CaptureQueriesContext(connection) as few:
        viewer.get(LIST)
    for _n in range(7):
        sending_campaign(7)
    with CaptureQueriesContext(connection) as many:
        viewer.get(LIST)
    assert len(few) == len(many) <= 7


def test_the_list_says_why_in_words(viewer: Client) -> None:
    customer = CustomerFactory.create()
    consent.opt_out(phone=customer.phone, channel="sms", source="test")
    send_to_everybody(CampaignFactory.create())
    assert str(Reason.OPTED_OUT.label) in text(viewer.get(LIST))


def test_messages_are_filtered_by_status_reason_channel_campaign_and_provider(viewer: Client, outbox: Memory) -> None:
    first, *_others = customers(3)
    consent.opt_out(phone=first.phone, channel="sms", source="test")
    campaign = send_to_everybody(CampaignFactory.create())
    deliver_due()
    other = sending_campaign(2, channel="whatsapp")
    mine = set(OutboundMessage.objects.filter(campaign=campaign).values_list("pk", flat=True))
    skipped = {OutboundMessage.objects.get(customer=first).pk}
    theirs = set(OutboundMessage.objects.filter(campaign=other).values_list("pk", flat=True))
    assert listed(viewer, status__exact="skipped") == skipped
    assert listed(viewer, reason="opted_out") == skipped
    assert listed(viewer, campaign__channel__exact="whatsapp") == theirs
    assert listed(viewer, campaign__id__exact=campaign.pk) == mine
    assert listed(viewer, provider="memory") == mine - skipped
    assert listed(viewer, customer__id__exact=first.pk) == skipped
    assert listed(viewer, q=first.phone) == skipped


def test_the_filters_do_not_read_the_campaigns_or_the_table(viewer: Client) -> None:
    sending_campaign(2)
    for _n in range(5):
        CampaignFactory.create()
    with CaptureQueriesContext(connection) as queries:
        response = viewer.get(LIST)
    assert "DISTINCT" not in "".join(query["sql"] for query in queries)
    assert response.content.decode().count("<option") < 50


def test_a_message_shows_all_there_is_to_know(viewer: Client, outbox: Memory) -> None:
    CustomerFactory.create(first_name="Amina", phone="+254712345678")
    send_to_everybody(CampaignFactory.create(base_template="Hi {FirstName}"))
    deliver_due()
    shown = text(viewer.get(f"{LIST}{OutboundMessage.objects.get().pk}/change/"))
    for piece in ("Hi Amina", "+254712345678", "memory", "sent"):
        assert piece in shown


def test_nobody_adds_edits_or_deletes_a_message(superuser: Client) -> None:
    sending_campaign(1)
    message = OutboundMessage.objects.get()
    page = f"{LIST}{message.pk}/"
    assert superuser.post(f"{LIST}add/", {}).status_code == 403
    assert superuser.post(f"{page}change/", {"status": "sent"}).status_code == 403
    assert superuser.post(f"{page}delete/", {"post": "yes"}).status_code == 403
    superuser.post(LIST, {"action": "delete_selected", "_selected_action": [message.pk], "post": "yes"})
    message.refresh_from_db()
    assert message.status == "pending"
