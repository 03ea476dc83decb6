"""The admin's pages of campaigns: form, list, progress, deletion."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import pace
from campaigns.models import Campaign, Status
from customers.models import Customer
from messaging import dispatch
from messaging.models import OutboundMessage
from messaging.providers.memory import Memory
from tests.admin.pages import page, snapshot, text
from tests.factories import CampaignFactory, CustomerFactory, customers
from tests.messaging.driving import deliver_due, send_to_everybody, sending_campaign
from tests.messaging.renting import rent

LIST = "/admin/campaigns/campaign/"
SAMPLE = f"{LIST}sample/"


def test_a_new_campaign_is_a_draft_of_whom_made_it_with_plain_line_breaks(marketer: Client) -> None:
    sent = {
        "name": "June",
        "channel": "sms",
        "base_template": " Hi {FirstName}\r\nBye ",
        "weight": "1",
        "status": "sent",
    }
    marketer.post(f"{LIST}add/", sent)
    campaign = Campaign.objects.get()
    assert campaign.base_template == " Hi {FirstName}\nBye "
    assert campaign.status == Status.DRAFT
    assert campaign.created_by_id == int(marketer.session["_auth_user_id"])


def test_the_form_has_neither_status_nor_time_nor_audience(marketer: Client) -> None:
    body = marketer.get(page(CampaignFactory.create())).content.decode()
    names = set(re.findall(r'<(?:input|select|textarea)[^>]* name="(\w+)"', body))
    assert {"name", "channel", "base_template"} <= names
    assert not names & {"status", "scheduled_at", "scheduled_at_0", "audience", "reason", "expected", "launching"}


def test_a_text_longer_than_the_limit_is_refused_with_a_sentence(marketer: Client) -> None:
    sent = {"name": "June", "channel": "sms", "base_template": "x" * 5_001}
    assert "at most 5000 characters" in text(marketer.post(f"{LIST}add/", sent))
    assert not Campaign.objects.exists()


def test_line_breaks_do_not_count_twice_towards_the_limit(marketer: Client) -> None:
    marketer.post(f"{LIST}add/", {"name": "June", "channel": "sms", "base_template": "\r\n" * 5_000, "weight": "1"})
    assert Campaign.objects.get().base_template == "\n" * 5_000


def test_a_draft_can_be_edited(marketer: Client) -> None:
    campaign = CampaignFactory.create()
    marketer.post(page(campaign), {"name": "New", "channel": "whatsapp", "base_template": "Other", "weight": "1"})
    campaign.refresh_from_db()
    assert (campaign.name, campaign.channel, campaign.base_template) == ("New", "whatsapp", "Other")


def test_once_messages_are_written_only_name_expiry_and_weight_can_be_edited(marketer: Client) -> None:
    campaign = CampaignFactory.create(scheduled_at=timezone.now() + timedelta(hours=1), status=Status.SCHEDULED)
    from campaigns.audience import listed

    dispatch.send(campaign, listed([CustomerFactory.create().pk]), by=None)
    marketer.post(page(campaign), {"name": "New", "channel": "whatsapp", "base_template": "Other", "weight": "1"})
    campaign.refresh_from_db()
    assert (campaign.name, campaign.channel) == ("New", "sms")
    assert campaign.base_template != "Other"


@pytest.mark.parametrize("verb", ["none", "pause"])
def test_of_a_campaign_that_is_running_only_expiry_and_weight_can_be_edited(marketer: Client, verb: str) -> None:
    campaign = sending_campaign(1)
    if verb == "pause":
        campaign.pause()
    at = timezone.localtime(timezone.now() + timedelta(hours=3)).replace(second=0, microsecond=0)

    sent = {"name": "New", "base_template": "Other", "weight": "7", "expires_at": f"{at:%Y-%m-%dT%H:%M}"}
    marketer.post(page(campaign), sent)

    kept = Campaign.objects.get(pk=campaign.pk)
    assert (kept.name, kept.base_template) == (campaign.name, campaign.base_template)
    assert (kept.weight, kept.expires_at) == (7, at)


def test_an_expiry_is_shown_as_it_was_given_and_can_be_taken_back(marketer: Client) -> None:
    at = timezone.localtime(timezone.now() + timedelta(days=1)).replace(microsecond=0)
    campaign = CampaignFactory.create(expires_at=at)
    shown = f'value="{at:%Y-%m-%dT%H:%M:%S}"'
    assert shown in marketer.get(page(campaign)).content.decode()

    sent = {"name": "New", "channel": "sms", "base_template": "Hi", "weight": "1"}
    marketer.post(page(campaign), sent | {"expires_at": f"{at:%Y-%m-%dT%H:%M:%S}"})
    campaign.refresh_from_db()
    assert (campaign.name, campaign.expires_at) == ("New", at)
    marketer.post(page(campaign), sent | {"expires_at": ""})
    campaign.refresh_from_db()
    assert campaign.expires_at is None


def test_an_expiry_that_has_passed_or_comes_before_the_start_is_refused_with_a_sentence(marketer: Client) -> None:
    now = timezone.localtime()
    campaign = CampaignFactory.create(scheduled_at=now + timedelta(hours=2), status=Status.SCHEDULED)
    sent = {"name": "New", "channel": "sms", "base_template": "Hi", "weight": "1"}

    past = marketer.post(page(campaign), sent | {"expires_at": f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M}"})
    early = marketer.post(page(campaign), sent | {"expires_at": f"{now + timedelta(hours=1):%Y-%m-%dT%H:%M}"})

    assert "This time has already passed." in text(past)
    assert "The campaign must expire later than it starts." in text(early)
    campaign.refresh_from_db()
    assert campaign.expires_at is None


def test_an_expiry_that_has_passed_keeps_nobody_from_changing_the_weight(marketer: Client) -> None:
    campaign = sending_campaign(1)
    at = timezone.localtime(timezone.now() - timedelta(seconds=5))
    Campaign.objects.filter(pk=campaign.pk).update(expires_at=at)

    marketer.post(page(campaign), {"weight": "3", "expires_at": f"{at:%Y-%m-%dT%H:%M:%S}"})

    campaign.refresh_from_db()
    assert (campaign.weight, campaign.expires_at) == (3, at)


@pytest.mark.parametrize("weight", ["0", "101", "", "x"])
def test_a_weight_out_of_range_is_refused(marketer: Client, weight: str) -> None:
    campaign = CampaignFactory.create()
    marketer.post(page(campaign), {"name": "New", "channel": "sms", "base_template": "Hi", "weight": weight})
    campaign.refresh_from_db()
    assert (campaign.name == "New", campaign.weight) == (False, 1)


def test_of_a_campaign_that_has_ended_only_expiry_and_weight_can_be_edited(marketer: Client, outbox: Memory) -> None:
    campaign = sending_campaign(1, name="Old")
    deliver_due()

    response = marketer.post(
        page(campaign),
        {
            "name": "New", "channel": "whatsapp", "base_template": "Other", "weight": "3",
            "expires_at": "2077-01-31T12:00",
        },
    )  # fmt: skip

    assert response.status_code == 302
    campaign.refresh_from_db()
    assert (campaign.name, campaign.channel, campaign.weight, campaign.status) == ("Old", "sms", 3, "sent")
    assert campaign.expires_at is not None


def test_a_campaign_that_was_cancelled_cannot_be_edited(marketer: Client) -> None:
    campaign = sending_campaign(1)
    campaign.cancel()
    before = snapshot(campaign)
    response = marketer.post(page(campaign), {"weight": "3"})
    assert response.status_code in {200, 302}
    assert snapshot(campaign) == before
    assert 'name="_save"' not in marketer.get(page(campaign)).content.decode()


def test_an_edit_that_comes_after_the_send_is_refused_with_a_sentence(
    marketer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form was valid when it was read; the campaign is sent by somebody else before it is saved."""
    campaign = CampaignFactory.create()
    customer = CustomerFactory.create()
    from campaigns.admin import CampaignAdmin
    from campaigns.audience import listed

    saving = CampaignAdmin.save_model

    def send_first(self: Any, request: Any, obj: Any, form: Any, change: bool) -> None:
        dispatch.send(Campaign.objects.get(pk=campaign.pk), listed([customer.pk]), by=None)
        saving(self, request, obj, form, change)

    monkeypatch.setattr(CampaignAdmin, "save_model", send_first)
    sent = {"name": "New", "channel": "sms", "base_template": campaign.base_template, "weight": "1"}
    response = marketer.post(page(campaign), sent, follow=True)
    assert "it cannot be edited" in text(response)
    campaign.refresh_from_db()
    assert campaign.name != "New"


def test_the_form_names_the_fields_that_a_text_may_use(marketer: Client) -> None:
    CustomerFactory.create(attributes={"loyalty_points": 5})
    shown = text(marketer.get(f"{LIST}add/"))
    for field in ("{FirstName}", "{PreferredProduct}", "{Location}", "{LoyaltyPoints}"):
        assert field in shown


def test_the_sample_shows_the_text_as_a_customer_would_get_it_and_its_parts(marketer: Client) -> None:
    CustomerFactory.create(first_name="Amina")
    shown = text(marketer.post(SAMPLE, {"base_template": "Hi {FirstName}", "channel": "sms"}))
    assert "Hi Amina" in shown
    assert "1 part · GSM-7" in shown
    shown = text(marketer.post(SAMPLE, {"base_template": "Hi {FirstName} 🎉" + "x" * 70, "channel": "sms"}))
    assert "2 parts · UCS-2" in shown
    assert "“🎉” is not in the GSM alphabet" in shown
    assert "part" not in text(marketer.post(SAMPLE, {"base_template": "Hi", "channel": "whatsapp"}))


def test_the_sample_tells_a_name_that_is_no_field(marketer: Client) -> None:
    shown = text(marketer.post(SAMPLE, {"base_template": "Hi\n {Frist}", "channel": "sms"}))
    assert "Line 2, column 2: There is no field “Frist”" in shown


@pytest.mark.parametrize("sent", [{}, {"base_template": "\0{a", "channel": "pigeon"}, {"base_template": "x" * 9_000}])
def test_the_sample_takes_whatever_is_sent(marketer: Client, sent: dict[str, str]) -> None:
    assert marketer.post(SAMPLE, sent).status_code == 200


def test_the_list_takes_the_same_few_queries_for_twenty_campaigns_as_for_one(marketer: Client) -> None:
    sending_campaign(2)
    with CaptureQueriesContext(connection) as few:
        marketer.get(LIST)
    for _n in range(19):
        sending_campaign(1)
    with CaptureQueriesContext(connection) as many:
        marketer.get(LIST)
    assert len(few) == len(many) <= 8
    assert not any("outbound_messages" in query["sql"] for query in many)


def test_the_list_shows_status_and_counts_and_filters_by_both(marketer: Client, outbox: Memory) -> None:
    campaign = sending_campaign(3)
    deliver_due()
    CampaignFactory.create(channel="whatsapp")
    shown = text(marketer.get(LIST))
    assert "3 / 3" in shown
    assert list(marketer.get(LIST, {"status__exact": "sent"}).context["cl"].result_list) == [campaign]
    assert list(marketer.get(LIST, {"channel__exact": "sms"}).context["cl"].result_list) == [campaign]


def polling(client: Client, campaign: Campaign) -> Any:
    """The first thing that the campaign's page asks for."""
    body = client.get(page(campaign)).content.decode()
    [url] = re.findall(r'hx-get="([^"]*/progress/[^"]*)"', body)
    return client.get(url.replace("&amp;", "&"))


def test_the_progress_of_a_running_campaign_is_one_read_and_asks_again(marketer: Client) -> None:
    campaign = sending_campaign(3)
    query = urlencode(pace.as_query(pace.Look(0, 1.0)) | {"status": "sending"})
    with CaptureQueriesContext(connection) as queries:
        response = marketer.get(f"{LIST}{campaign.pk}/progress/?{query}")
    reads = [query["sql"] for query in queries if "campaign" in query["sql"] and "permission" not in query["sql"]]
    assert len(reads) == 1
    assert "outbound_messages" not in reads[0]
    assert "0 of 3 messages done" in text(response)
    assert 'hx-trigger="every 2s"' in response.content.decode()
    assert "HX-Refresh" not in response


def test_the_page_loads_again_when_the_campaign_has_ended_and_then_asks_no_more(
    marketer: Client, outbox: Memory
) -> None:
    campaign = sending_campaign(3)
    query = urlencode({"status": "sending"})
    deliver_due()
    response = marketer.get(f"{LIST}{campaign.pk}/progress/?{query}")
    assert response["HX-Refresh"] == "true"
    body = marketer.get(page(campaign)).content.decode()
    assert "hx-get" not in body.split('id="progress-')[1].split(">")[0]
    assert 'data-count="sent">3<' in body


def test_rate_and_time_left_come_from_the_look_before(marketer: Client) -> None:
    campaign = sending_campaign(3)
    before = pace.Look(0, timezone.now().timestamp() - 10, 1.0)
    query = urlencode(pace.as_query(before) | {"status": "sending"})
    shown = text(marketer.get(f"{LIST}{campaign.pk}/progress/?{query}"))
    assert "1 messages a second · 0:00:05 left" in shown


@pytest.mark.parametrize("query", ["done=x&at=y", "done=1&at=nan", "done=1&at=1&rate=inf", "status=nonsense"])
def test_a_progress_query_that_makes_no_sense_is_answered_all_the_same(marketer: Client, query: str) -> None:
    campaign = sending_campaign(1)
    assert marketer.get(f"{LIST}{campaign.pk}/progress/?{query}").status_code == 200


def test_a_campaign_of_everybody_counts_towards_what_is_expected(marketer: Client) -> None:
    customers(4)
    campaign = CampaignFactory.create()
    from campaigns.audience import Everybody

    dispatch.send(campaign, Everybody(), by=None)
    shown = text(polling(marketer, campaign))
    assert "0 of 4 messages done" in shown
    assert "The messages are being written." in shown


@pytest.mark.parametrize("verb", ["none", "pause"])
def test_a_campaign_that_is_sending_or_paused_is_not_deleted_and_the_page_says_so(marketer: Client, verb: str) -> None:
    campaign = sending_campaign(1)
    if verb == "pause":
        campaign.pause()
    response = marketer.post(f"{LIST}{campaign.pk}/delete/", {"post": "yes"}, follow=True)
    assert "it cannot be deleted. Cancel it first." in text(response)
    assert Campaign.objects.filter(pk=campaign.pk).exists()


def test_the_page_that_deletes_a_campaign_says_how_many_messages_go_too(marketer: Client, outbox: Memory) -> None:
    campaign = sending_campaign(3)
    deliver_due()
    assert "Messages: 3" in text(marketer.get(f"{LIST}{campaign.pk}/delete/"))
    marketer.post(f"{LIST}{campaign.pk}/delete/", {"post": "yes"})
    assert not Campaign.objects.exists()
    assert not OutboundMessage.objects.exists()
    assert Customer.objects.count() == 3


def test_campaigns_are_not_deleted_many_at_once(marketer: Client) -> None:
    campaign = CampaignFactory.create()
    marketer.post(LIST, {"action": "delete_selected", "_selected_action": [campaign.pk], "post": "yes"})
    assert Campaign.objects.filter(pk=campaign.pk).exists()


def test_a_campaign_that_is_not_there_is_no_error(marketer: Client) -> None:
    for url in (f"{LIST}999/change/", f"{LIST}999/delete/", f"{LIST}nonsense/change/"):
        assert marketer.get(url).status_code == 302
    for url in (f"{LIST}999/progress/", f"{LIST}999/send/", f"{LIST}{'9' * 40}/pause/"):
        assert marketer.get(url).status_code == 404


def test_the_first_page_of_everybody_shows_the_end(marketer: Client, outbox: Memory) -> None:
    customers(3)
    campaign = send_to_everybody(CampaignFactory.create())
    deliver_due()
    assert "3 of 3 messages done" in text(marketer.get(page(campaign)))


def test_a_campaign_chooses_among_the_senders_of_its_channel(marketer: Client, rented: list[Any]) -> None:
    rent()
    form = {"name": "Rains", "channel": "sms", "base_template": "Hi", "weight": "1", "sender": "line"}
    assert marketer.post("/admin/campaigns/campaign/add/", form).status_code == 302
    made = Campaign.objects.get()
    assert made.sender == "line"
    assert "line (SMS)" in text(marketer.get(page(made)))

    response = marketer.post(page(made), form | {"channel": "whatsapp"})
    assert "“line” is no sender of WhatsApp" in text(response)
    response = marketer.post(page(made), form | {"sender": "pigeon"})
    assert response.context["adminform"].form.errors["sender"]


def test_a_template_is_chosen_with_its_language_and_only_for_whatsapp(marketer: Client) -> None:
    form = {"name": "Rains", "channel": "whatsapp", "base_template": "Hi", "weight": "1", "whatsapp_template": "rains"}
    response = marketer.post("/admin/campaigns/campaign/add/", form)
    assert "needs its language, and the channel WhatsApp" in text(response)
    assert marketer.post("/admin/campaigns/campaign/add/", form | {"whatsapp_language": "en"}).status_code == 302
    assert Campaign.objects.get().whatsapp_template == "rains"


@pytest.mark.parametrize(
    ("field", "wrong", "says"),
    [("whatsapp_template", "November offer", "only small letters"), ("whatsapp_language", "en-GB", "such as “en”")],
)
def test_a_template_that_whatsapp_cannot_have_is_told_at_its_field(
    marketer: Client, field: str, wrong: str, says: str
) -> None:
    form = {"name": "Rains", "channel": "whatsapp", "base_template": "Hi", "weight": "1"}
    template = {"whatsapp_template": "rains", "whatsapp_language": "en_GB"}

    response = marketer.post("/admin/campaigns/campaign/add/", form | template | {field: wrong})

    assert list(response.context["adminform"].form.errors) == [field]
    assert says in text(response)
    assert not Campaign.objects.exists()
