"""The verbs of a campaign's page, each by a dialog."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from campaigns.audience import listed
from campaigns.models import Campaign, Status
from customers import consent
from messaging import dispatch, launching
from messaging.models import OutboundMessage
from messaging.providers.base import StopAll
from messaging.providers.memory import Memory
from tests.admin.conftest import LOOKING, MARKETING, client_with
from tests.admin.pages import buttons, dialog, hidden, page, snapshot, text
from tests.factories import CampaignFactory, CustomerFactory, customers
from tests.messaging.driving import deliver_due, sending_campaign, stats

pytestmark = pytest.mark.django_db


def draft() -> Campaign:
    return CampaignFactory.create()


def scheduled() -> Campaign:
    return CampaignFactory.create(scheduled_at=timezone.now() + timedelta(hours=1), status=Status.SCHEDULED)


def waiting() -> Campaign:
    campaign = scheduled()
    dispatch.send(campaign, listed([customer.pk for customer in customers(3)]), by=None)
    return campaign


def paused() -> Campaign:
    campaign = sending_campaign()
    campaign.pause()
    return campaign


def cancelled() -> Campaign:
    campaign = draft()
    campaign.cancel()
    return campaign


OFFERED: list[tuple[Callable[[], Campaign], set[str]]] = [
    (draft, {"preview", "test_send", "schedule", "cancel", "send"}),
    (scheduled, {"preview", "test_send", "schedule", "unschedule", "pause", "cancel", "send"}),
    (waiting, {"preview", "test_send", "schedule", "unschedule", "pause", "cancel"}),
    (sending_campaign, {"preview", "test_send", "pause", "cancel"}),
    (paused, {"preview", "test_send", "resume", "cancel"}),
    (cancelled, {"preview"}),
]
VERBS = ("preview", "test_send", "schedule", "unschedule", "pause", "resume", "cancel", "send", "retry", "settle")


@pytest.mark.parametrize(("make", "verbs"), OFFERED)
def test_the_page_offers_what_the_status_allows(
    marketer: Client, make: Callable[[], Campaign], verbs: set[str]
) -> None:
    assert buttons(marketer, make()) == verbs


@pytest.mark.parametrize(("make", "verbs"), OFFERED)
def test_who_may_only_look_is_offered_nothing_and_can_do_nothing(
    viewer: Client, make: Callable[[], Campaign], verbs: set[str]
) -> None:
    campaign = make()
    assert buttons(viewer, campaign) == set()
    before = snapshot(campaign)
    for verb in VERBS:
        assert viewer.get(dialog(campaign, verb)).status_code == 403
        assert viewer.post(dialog(campaign, verb), {"_confirmed": "1", "to": "all"}).status_code == 403
    assert snapshot(campaign) == before


def test_who_may_not_send_may_still_pause_and_cancel_but_not_resume() -> None:
    editor = client_with([name for name in MARKETING if name != "campaigns.send_campaign"])
    assert buttons(editor, draft()) == {"preview", "cancel"}
    assert buttons(editor, sending_campaign()) == {"preview", "pause", "cancel"}
    campaign = paused()
    assert buttons(editor, campaign) == {"preview", "cancel"}
    assert editor.post(dialog(campaign, "resume")).status_code == 403


def test_who_may_send_but_not_edit_is_offered_the_sending() -> None:
    sender = client_with([*LOOKING, "campaigns.send_campaign"])
    assert buttons(sender, draft()) == {"test_send", "schedule", "send"}


@pytest.mark.parametrize(("make", "verbs"), OFFERED)
def test_what_the_status_does_not_allow_is_refused_with_a_sentence(
    marketer: Client, make: Callable[[], Campaign], verbs: set[str]
) -> None:
    campaign = make()
    before = snapshot(campaign)
    for verb in set(VERBS) - verbs:
        response = marketer.post(dialog(campaign, verb), {"_confirmed": "1", "to": "all"}, follow=True)
        assert f"is not possible: the campaign is {campaign.get_status_display()}." in text(response)
    assert snapshot(campaign) == before


def test_send_says_to_how_many_and_does_it_only_when_confirmed(marketer: Client, outbox: Memory) -> None:
    campaign = draft()
    people = customers(5)
    consent.opt_out(phone=people[0].phone, channel="sms", source="test")
    before = snapshot(campaign)
    reviewed = marketer.post(dialog(campaign, "send"), {"to": "all"})
    shown = text(reviewed)
    assert "4 customers will be written to." in shown
    assert "1 has opted out and will be skipped." in shown
    assert snapshot(campaign) == before
    done = marketer.post(dialog(campaign, "send"), hidden(reviewed), follow=True)
    assert "5 messages will be written." in text(done)
    campaign.refresh_from_db()
    assert campaign.status == Status.SENDING
    assert campaign.launched_by_id == int(marketer.session["_auth_user_id"])
    while launching.launch_step(campaign.pk):
        pass
    deliver_due()
    assert stats(campaign) == {"sent": 4, "skipped": 1}


def test_send_to_selected_customers_writes_to_them_alone(marketer: Client) -> None:
    campaign = draft()
    chosen = [customer.pk for customer in customers(5)[:2]]
    reviewed = marketer.post(dialog(campaign, "send"), {"to": "chosen", "customers": chosen})
    assert "2 customers will be written to." in text(reviewed)
    done = marketer.post(dialog(campaign, "send"), hidden(reviewed), follow=True)
    assert "2 messages are queued." in text(done)
    assert set(OutboundMessage.objects.values_list("customer_id", flat=True)) == set(chosen)


def test_send_to_nobody_is_refused_with_a_sentence(marketer: Client) -> None:
    campaign = draft()
    before = snapshot(campaign)
    assert "Choose at least one customer." in text(marketer.post(dialog(campaign, "send"), {"to": "chosen"}))
    assert "There is nobody to write to." in text(marketer.post(dialog(campaign, "send"), {"to": "all"}))
    assert snapshot(campaign) == before


def test_send_to_a_customer_who_is_gone_is_refused_with_a_sentence(marketer: Client) -> None:
    campaign = draft()
    before = snapshot(campaign)
    customer = CustomerFactory.create()
    fields = hidden(marketer.post(dialog(campaign, "send"), {"to": "chosen", "customers": [customer.pk]}))
    gone = customer.pk
    customer.delete()
    assert f"These customers do not exist: {gone}." in text(marketer.post(dialog(campaign, "send"), fields))
    assert snapshot(campaign) == before


def test_send_without_a_text_is_refused_with_a_sentence(marketer: Client) -> None:
    campaign = CampaignFactory.create(base_template=" ")
    CustomerFactory.create()
    response = marketer.post(dialog(campaign, "send"), {"to": "all", "_confirmed": "1"})
    assert "The campaign has no text." in text(response)
    campaign.refresh_from_db()
    assert campaign.status == Status.DRAFT


@pytest.mark.parametrize(
    "sent",
    [
        {}, {"to": "nonsense"}, {"to": "chosen", "ids": "1,x"}, {"to": "chosen", "customers": ["x"]},
        {"to": "chosen", "ids": "9" * 30}, {"to": "chosen", "customers": ["9" * 30]}, {"to": "chosen", "ids": "-1"},
        {"to": "chosen", "ids": "1" * 5_000}, {"to": "all\0"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("confirmed", [{}, {"_confirmed": "1"}])
def test_a_send_form_that_makes_no_sense_is_shown_again(
    marketer: Client, sent: dict[str, str], confirmed: dict[str, str]
) -> None:
    campaign = draft()
    CustomerFactory.create()
    before = snapshot(campaign)
    assert marketer.post(dialog(campaign, "send"), sent | confirmed).status_code == 200
    assert snapshot(campaign) == before


def test_a_second_send_is_refused_with_a_sentence(marketer: Client) -> None:
    campaign = draft()
    CustomerFactory.create()
    fields = hidden(marketer.post(dialog(campaign, "send"), {"to": "all"}))
    marketer.post(dialog(campaign, "send"), fields)
    before = snapshot(campaign)
    assert "is not possible: the campaign is sending." in text(
        marketer.post(dialog(campaign, "send"), fields, follow=True)
    )
    assert snapshot(campaign) == before


def test_a_send_that_loses_the_race_is_refused_with_a_sentence(
    marketer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = draft()
    customer = CustomerFactory.create()
    sending = dispatch.send

    def second(*args: object, **kwargs: object) -> object:
        monkeypatch.setattr(dispatch, "send", sending)
        sending(Campaign.objects.get(pk=campaign.pk), listed([customer.pk]), by=None)
        return sending(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(dispatch, "send", second)
    response = marketer.post(dialog(campaign, "send"), {"to": "all", "_confirmed": "1"}, follow=True)
    assert "it cannot be sent." in text(response)
    assert OutboundMessage.objects.count() == 1


def local(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%dT%H:%M}"


def test_schedule_says_when_in_which_zone_and_to_how_many(marketer: Client) -> None:
    campaign = draft()
    chosen = [customer.pk for customer in customers(3)]
    at = (timezone.now() + timedelta(days=2)).replace(second=0, microsecond=0)
    sent = {"at": local(at), "to": "chosen", "customers": chosen}
    reviewed = marketer.post(dialog(campaign, "schedule"), sent)
    assert "3 customers will be written to." in text(reviewed)
    assert f"({timezone.get_current_timezone_name()})" in text(reviewed)
    campaign.refresh_from_db()
    assert campaign.status == Status.DRAFT
    marketer.post(dialog(campaign, "schedule"), hidden(reviewed))
    campaign.refresh_from_db()
    assert (campaign.status, campaign.scheduled_at) == (Status.SCHEDULED, at)
    assert stats(campaign) == {"pending": 3}


def test_the_time_is_read_in_the_configured_zone(marketer: Client) -> None:
    campaign = draft()
    CustomerFactory.create()
    with timezone.override("Africa/Nairobi"):
        fields = hidden(marketer.post(dialog(campaign, "schedule"), {"at": "2099-01-31T09:00", "to": "all"}))
        marketer.post(dialog(campaign, "schedule"), fields)
    campaign.refresh_from_db()
    assert campaign.scheduled_at is not None
    assert campaign.scheduled_at.isoformat() == "2099-01-31T06:00:00+00:00"


@pytest.mark.parametrize("at", ["", "soon", "2020-01-01T09:00", "9999-99-99T09:00"])
def test_a_time_that_is_none_or_over_is_refused_with_a_sentence(marketer: Client, at: str) -> None:
    campaign = draft()
    CustomerFactory.create()
    before = snapshot(campaign)
    response = marketer.post(dialog(campaign, "schedule"), {"at": at, "to": "all", "_confirmed": "1"})
    assert response.status_code == 200
    assert response.context["form"].errors["at"]
    assert snapshot(campaign) == before


def test_a_refused_audience_leaves_the_draft_without_a_time(marketer: Client) -> None:
    campaign = draft()
    before = snapshot(campaign)
    sent = {"at": local(timezone.now() + timedelta(hours=2)), "to": "chosen", "ids": "12345", "_confirmed": "1"}
    assert "These customers do not exist: 12345." in text(marketer.post(dialog(campaign, "schedule"), sent))
    assert snapshot(campaign) == before


def test_a_scheduled_campaign_gets_another_time_and_keeps_its_messages(marketer: Client) -> None:
    campaign = waiting()
    at = (timezone.now() + timedelta(days=3)).replace(second=0, microsecond=0)
    assert 'name="to"' not in marketer.get(dialog(campaign, "schedule")).content.decode()
    reviewed = marketer.post(dialog(campaign, "schedule"), {"at": local(at)})
    assert "3 messages are waiting." in text(reviewed)
    marketer.post(dialog(campaign, "schedule"), hidden(reviewed))
    campaign.refresh_from_db()
    assert campaign.scheduled_at == at
    assert stats(campaign) == {"pending": 3}


def test_unschedule_says_how_many_messages_go_and_removes_them(marketer: Client) -> None:
    campaign = waiting()
    assert "3 messages that wait are removed." in text(marketer.get(dialog(campaign, "unschedule")))
    marketer.post(dialog(campaign, "unschedule"))
    campaign.refresh_from_db()
    assert (campaign.status, campaign.scheduled_at, campaign.audience) == (Status.DRAFT, None, None)
    assert not OutboundMessage.objects.exists()


def test_pause_resume_and_cancel_say_how_many_wait_and_do_it(marketer: Client) -> None:
    campaign = sending_campaign(3)
    for verb, status in (("pause", Status.PAUSED), ("resume", Status.SENDING), ("cancel", Status.CANCELLED)):
        assert "3 messages are waiting." in text(marketer.get(dialog(campaign, verb)))
        marketer.post(dialog(campaign, verb))
        campaign.refresh_from_db()
        assert campaign.status == status


def test_preview_shows_the_text_for_the_chosen_customer(marketer: Client) -> None:
    campaign = CampaignFactory.create(base_template="Hi {FirstName}, {Location|here}! {Nothing}")
    customer = CustomerFactory.create(first_name="Amina", location="")
    before = snapshot(campaign)
    shown = text(marketer.post(dialog(campaign, "preview"), {"customer": customer.pk}))
    assert "Hi Amina, here! {Nothing}" in shown
    assert "1 part · GSM-7" in shown
    assert "Nothing" in shown.split("No value for:")[1]
    assert snapshot(campaign) == before
    assert "Select a valid choice" in text(marketer.post(dialog(campaign, "preview"), {"customer": "999"}))


def test_a_test_send_goes_to_one_number_and_stays_out_of_the_ledger(marketer: Client, outbox: Memory) -> None:
    campaign = CampaignFactory.create(base_template="Hi {FirstName}")
    customer = CustomerFactory.create(first_name="Amina")
    before = snapshot(campaign)
    sent = {"phone": "0712 345 678", "customer": customer.pk}
    response = marketer.post(dialog(campaign, "test_send"), sent, follow=True)
    assert "The provider accepted the test message." in text(response)
    [envelope] = outbox.outbox
    assert (envelope.to, envelope.text) == ("+254712345678", "Hi Amina")
    assert snapshot(campaign) == before


def test_a_test_send_to_a_number_that_opted_out_is_refused_with_a_sentence(marketer: Client, outbox: Memory) -> None:
    campaign = draft()
    consent.opt_out(phone="+254712345678", channel="sms", source="test")
    shown = text(marketer.post(dialog(campaign, "test_send"), {"phone": "0712 345 678"}))
    assert "The number asked not to be written to on this channel." in shown
    assert not outbox.outbox


def test_a_test_send_that_the_provider_refuses_says_what_that_means(marketer: Client, outbox: Memory) -> None:
    outbox.answer = lambda _envelope: StopAll("the balance is 0")
    CustomerFactory.create()
    shown = text(marketer.post(dialog(draft(), "test_send"), {"phone": "0712 345 678"}))
    assert "the sender's account does not work, and would send nothing else either." in shown
    assert "Reason given: the balance is 0" in shown


def test_a_test_send_to_no_number_is_refused_with_a_sentence(marketer: Client, outbox: Memory) -> None:
    shown = text(marketer.post(dialog(draft(), "test_send"), {"phone": "123"}))
    assert "This is not a valid phone number" in shown
    assert not outbox.outbox


def test_the_selected_customers_of_the_list_are_sent_the_chosen_campaign(marketer: Client) -> None:
    campaign = draft()
    chosen = [customer.pk for customer in customers(4)[:3]]
    asked = marketer.post("/admin/customers/customer/", {"action": "send_campaign", "_selected_action": [*chosen]})
    assert "3 customers are selected." in text(asked)
    ids = ",".join(map(str, sorted(chosen)))
    before = snapshot(campaign)
    reviewed = marketer.post("/admin/customers/customer/send/", {"campaign": campaign.pk, "ids": ids})
    assert "3 customers will be written to." in text(reviewed)
    assert snapshot(campaign) == before
    done = marketer.post(dialog(campaign, "send"), hidden(reviewed), follow=True)
    assert done.redirect_chain[-1][0] == page(campaign)
    assert set(OutboundMessage.objects.values_list("customer_id", flat=True)) == set(chosen)


def test_a_campaign_that_has_its_audience_cannot_be_chosen_for_the_selected_customers(marketer: Client) -> None:
    campaign = sending_campaign(1)
    response = marketer.post("/admin/customers/customer/send/", {"campaign": campaign.pk, "ids": "1"})
    assert "Select a valid choice" in text(response)


def test_who_may_not_send_is_not_offered_to_send_to_selected_customers() -> None:
    editor = client_with([name for name in MARKETING if name != "campaigns.send_campaign"])
    CustomerFactory.create()
    assert "send_campaign" not in editor.get("/admin/customers/customer/").content.decode()
    assert editor.post("/admin/customers/customer/send/", {"campaign": draft().pk, "ids": "1"}).status_code == 403


def test_a_dialog_without_the_csrf_token_is_refused(marketer: Client) -> None:
    campaign = sending_campaign(1)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = marketer.cookies
    assert strict.post(dialog(campaign, "cancel")).status_code == 403
    campaign.refresh_from_db()
    assert campaign.status == Status.SENDING
