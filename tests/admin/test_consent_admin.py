"""The admin's pages of consent: the customer's panel and dialogs, the ledger, the words and answers."""

from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from customers import consent
from customers.importing import import_file
from customers.models import ConsentAnswer, ConsentEvent, ConsentWord, Customer
from messaging.models import OutboundMessage
from messaging.providers.memory import Memory
from tests.admin.conftest import LOOKING, client_with
from tests.admin.pages import text
from tests.factories import CampaignFactory, CustomerFactory
from tests.messaging.driving import deliver_due, send_to_everybody

pytestmark = pytest.mark.django_db

EVENTS = "/admin/customers/consentevent/"
WORDS = "/admin/customers/consentword/"


def page(customer: Customer, what: str = "change") -> str:
    return f"/admin/customers/customer/{customer.pk}/{what}/"


def test_the_customers_page_says_what_counts_and_what_was_said(viewer: Client) -> None:
    customer = CustomerFactory.create()
    assert text(viewer.get(page(customer))).count("nothing was ever said") == 2
    user = User.objects.create(username="grace")
    consent.opt_out(phone=customer.phone, channel="sms", source="reply", words="<b>Stop</b> it", by=user.pk, note="n1")
    consent.opt_in(phone=customer.phone, channel="sms", source="admin", by=987_654, note="n2")

    response = viewer.get(page(customer))

    shown = text(response)
    assert "SMS: opted in, said on" in shown
    assert "WhatsApp: nothing was ever said" in shown
    assert shown.index("n2") < shown.index("n1")
    assert "grace" in shown
    assert "user 987654" in shown
    assert b"&lt;b&gt;Stop&lt;/b&gt; it" in response.content


def test_who_may_not_read_consent_sees_none_of_it(viewer: Client) -> None:
    customer = CustomerFactory.create()
    consent.opt_out(phone=customer.phone, channel="sms", source="reply", words="secret words")
    blind = client_with([name for name in LOOKING if "consent" not in name])

    assert "secret words" in text(viewer.get(page(customer)))
    assert "secret words" not in text(blind.get(page(customer)))
    assert blind.get(EVENTS).status_code == 403
    assert blind.get(f"{EVENTS}export/").status_code == 403


@pytest.mark.parametrize(("verb", "state"), [("opt-out", "opted_out"), ("opt-in", "opted_in")])
def test_a_dialog_records_who_said_so_and_why_and_only_when_it_is_sent(marketer: Client, verb: str, state: str) -> None:
    customer = CustomerFactory.create()
    assert marketer.get(page(customer, verb)).status_code == 200
    assert "This field is required." in text(marketer.post(page(customer, verb), {"channel": "sms", "note": " "}))
    assert not ConsentEvent.objects.exists()

    response = marketer.post(page(customer, verb), {"channel": "whatsapp", "note": "letter of 3 May"}, follow=True)

    assert "It is recorded" in text(response)
    event = ConsentEvent.objects.get()
    assert (event.state, event.channel, event.source, event.note) == (state, "whatsapp", "admin", "letter of 3 May")
    assert event.user_id == int(marketer.session["_auth_user_id"])


def test_who_may_only_look_may_not_speak_for_others(viewer: Client) -> None:
    customer = CustomerFactory.create()
    for verb in ("opt-out", "opt-in"):
        assert viewer.get(page(customer, verb)).status_code == 403
        assert viewer.post(page(customer, verb), {"channel": "sms", "note": "n"}).status_code == 403
    assert viewer.get(f"{EVENTS}add/").status_code == 403
    assert not ConsentEvent.objects.exists()


def test_an_event_of_a_number_that_is_nobodys_is_added_in_e164(marketer: Client) -> None:
    said = {"phone": "0712 345 678", "channel": "sms", "state": "opted_out", "note": "letter"}
    assert "This field is required." in text(marketer.post(f"{EVENTS}add/", said | {"note": ""}))
    response = marketer.post(f"{EVENTS}add/", said)
    assert response.status_code == 302, text(response)

    event = ConsentEvent.objects.get()
    assert (event.phone, event.source, event.note) == ("+254712345678", "admin", "letter")
    assert LogEntry.objects.get().object_id == str(event.pk)
    assert list(marketer.get(EVENTS, {"q": "+254 712 345 678"}).context["cl"].result_list) == [event]


def test_nobody_edits_or_deletes_what_was_said(superuser: Client) -> None:
    consent.opt_out(phone="+254712345678", channel="sms", source="reply", words="stop")
    event = ConsentEvent.objects.get()

    assert "stop" in text(superuser.get(f"{EVENTS}{event.pk}/change/"))
    assert superuser.post(f"{EVENTS}{event.pk}/change/", {"state": "opted_in"}).status_code == 403
    assert superuser.post(f"{EVENTS}{event.pk}/delete/", {"post": "yes"}).status_code == 403
    superuser.post(EVENTS, {"action": "delete_selected", "_selected_action": [event.pk], "post": "yes"})

    assert ConsentEvent.objects.get().state == "opted_out"


def test_the_ledger_is_a_file(viewer: Client) -> None:
    consent.opt_out(phone="+254712345678", channel="sms", source="reply", words="=1+1")

    assert f'href="{EVENTS}export/"' in viewer.get(EVENTS).content.decode()
    response = viewer.get(f"{EVENTS}export/")

    content = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    assert response["Content-Disposition"] == 'attachment; filename="consent.csv"'
    assert "+254712345678,sms,opted_out,reply,'=1+1," in content


@pytest.mark.parametrize("word", ["stop", " Stop! ", "ＳＴＯＰ"])
@pytest.mark.parametrize(("language", "wish"), [("en", "opt_out"), ("en", "help"), ("fr", "opt_out")])
def test_a_word_that_is_in_the_list_already_is_refused_and_named(
    superuser: Client, word: str, language: str, wish: str
) -> None:
    response = superuser.post(f"{WORDS}add/", {"language": language, "word": word, "wish": wish})
    assert "“STOP” (en) is the same word, and already asks for this: opt out." in text(response)
    assert ConsentWord.objects.filter(plain="stop").count() == 1


def test_a_word_without_a_letter_is_refused(superuser: Client) -> None:
    response = superuser.post(f"{WORDS}add/", {"language": "en", "word": "?!", "wish": "help"})
    assert "neither a letter nor a digit" in text(response)


def test_a_word_of_its_own_is_added_and_can_be_written_otherwise(superuser: Client) -> None:
    superuser.post(f"{WORDS}add/", {"language": "de", "word": "Stopp!", "wish": "opt_out"})
    word = ConsentWord.objects.get(plain="stopp")

    superuser.post(f"{WORDS}{word.pk}/change/", {"language": "de", "word": "STOPPEN", "wish": "opt_out"})

    word.refresh_from_db()
    assert (word.word, word.plain) == ("STOPPEN", "stoppen")


def test_answers_are_edited(superuser: Client) -> None:
    answer = ConsentAnswer.objects.get(language="en", wish="help")
    superuser.post(
        f"/admin/customers/consentanswer/{answer.pk}/change/",
        {"language": "en", "wish": "help", "text": "Call us: 0800 100 200."},
    )
    answer.refresh_from_db()
    assert answer.text == "Call us: 0800 100 200."


@pytest.mark.parametrize("way", ["one", "selected"])
def test_a_customer_deleted_and_imported_again_is_not_revived(
    marketer: Client, outbox: Memory, tmp_path: Path, way: str
) -> None:
    customer = CustomerFactory.create()
    phone = customer.phone
    marketer.post(page(customer, "opt-out"), {"channel": "sms", "note": "said so"})
    if way == "one":
        marketer.post(page(customer, "delete"), {"post": "yes"})
    else:
        chosen = {"action": "delete_selected", "_selected_action": [customer.pk], "post": "yes"}
        marketer.post("/admin/customers/customer/", chosen)
    assert not Customer.objects.exists()
    path = tmp_path / "people.csv"
    path.write_text(f"phone,first_name\n{phone},Ann\n")
    import_file(path, region="KE", refusals=tmp_path / "refused.csv")
    assert Customer.objects.get().phone == phone

    send_to_everybody(CampaignFactory.create())
    deliver_due()

    assert OutboundMessage.objects.get().reason == "opted_out"
    assert outbox.outbox == []
    assert consent.history(phone).count() == 1
