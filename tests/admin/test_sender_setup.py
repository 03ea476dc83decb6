"""Setting up a sender in the admin: its vendor's options, credentials that are never shown, prices, a test message."""

import json
import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from messaging import accounts, board, providers, secrets, senders
from messaging.models import Sender, SenderPrice, SenderState
from messaging.providers.base import GiveUp, Outcome
from tests import factories
from tests.admin.conftest import client_with
from tests.admin.pages import text
from tests.messaging.renting import SECRET, Rented, rent

pytestmark = pytest.mark.django_db

LIST = "/admin/messaging/sender/"
NO_PRICES = {"prices-TOTAL_FORMS": "0", "prices-INITIAL_FORMS": "0"}


@pytest.fixture
def operator(db: None) -> Client:
    """May do everything with senders."""
    return client_with([f"messaging.{verb}_sender" for verb in ("view", "add", "change", "delete")])


def url(sender: Sender, page: str = "change") -> str:
    return f"{LIST}{sender.pk}/{page}/"


def change(client: Client, sender: Sender, **fields: str) -> Any:
    form = {"kind": "promotional", "is_enabled": "on", "sends_sms": "on", "option_sender_id": "Clarion"}
    form |= {"option_mood": "calm"} | NO_PRICES | fields
    return client.post(url(sender), {name: value for name, value in form.items() if value})


def errors(response: Any) -> str:
    assert response.status_code == 200, response
    return str(response.context["adminform"].form.errors)


def stored(alias: str = "line") -> dict[str, Any]:
    sender = Sender.objects.get(alias=alias)
    return sender.sealed.open(alias)


def test_a_sender_is_made_in_two_steps_and_then_sends(operator: Client, rented: list[Rented]) -> None:
    assert "Rented line" in text(operator.get(f"{LIST}add/"))
    made = operator.post(f"{LIST}add/", {"alias": "line", "backend": "rented", "kind": "transactional"})
    sender = Sender.objects.get(alias="line")
    assert made.headers["Location"] == url(sender)
    assert not sender.is_enabled
    assert "What people see." in text(operator.get(url(sender)))

    fields = {"option_token": SECRET, "option_speed": "5", "option_is_fast": "on", "option_extra": '{"a": "b"}'}
    assert change(operator, sender, **fields, rate="20", is_default_sms="on").status_code == 302

    sender.refresh_from_db()
    expected = {"sender_id": "Clarion", "speed": 5, "mood": "calm", "is_fast": True, "extra": {"a": "b"}}
    assert (sender.options, sender.rate, sender.is_enabled) == (expected, 20, True)
    assert stored() == {"token": SECRET}
    assert accounts.default("sms") == "line"
    assert "line Rented line SMS (default) 20.0 20.0 parts a second running 0" in text(operator.get(LIST))


def test_a_credential_is_never_shown_nor_kept_in_the_history(operator: Client, rented: list[Rented]) -> None:
    sender = rent()
    change(operator, sender, option_token="another-hush")
    pages = [operator.get(address).content.decode() for address in (LIST, url(sender), url(sender, "history"))]
    pages += [str(LogEntry.objects.values()), text(operator.get(url(sender)))]
    for page in pages:
        assert "another-hush" not in page
        assert SECRET not in page
        assert sender.sealed.token not in page
    assert "Stored; leave this empty to keep it." in pages[-1]


def test_a_refused_form_does_not_repeat_the_credential(operator: Client, rented: list[Rented]) -> None:
    sender = rent()
    response = change(operator, sender, option_token="another-hush", option_sender_id="wrong")
    assert "cannot be used: no such sender with …" in errors(response)
    assert "another-hush" not in response.content.decode()
    assert stored() == {"token": SECRET}


def test_an_empty_field_leaves_the_credential_a_value_replaces_it_and_a_tick_removes_it(
    operator: Client, rented: list[Rented]
) -> None:
    sender = rent()
    assert change(operator, sender, option_sender_id="Another").status_code == 302
    assert stored() == {"token": SECRET}
    assert change(operator, sender, option_token="new").status_code == 302
    assert stored() == {"token": "new"}
    assert "This credential is needed." in errors(change(operator, sender, remove_token="on"))
    assert change(operator, sender, remove_token="on", option_token="newer").status_code == 302
    assert stored() == {"token": "newer"}


def test_a_credential_in_the_environment_is_looked_for_at_once(
    operator: Client, rented: list[Rented], monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = rent()
    assert "LINE_TOKEN, which is not set" in errors(change(operator, sender, option_token="env:LINE_TOKEN"))
    monkeypatch.setenv("LINE_TOKEN", "outside")
    assert change(operator, sender, option_token="env:LINE_TOKEN").status_code == 302
    assert stored() == {"token": "env:LINE_TOKEN"}
    assert providers.get("line").token == "outside"  # type: ignore[attr-defined]


def test_credentials_that_no_key_reads_are_told_and_can_be_entered_again(
    operator: Client, rented: list[Rented]
) -> None:
    sender = rent()
    Sender.objects.filter(pk=sender.pk).update(sealed=secrets.Sealed("nonsense"))
    accounts.forget()
    assert "can be read with none of SECRETS_KEYS" in text(operator.get(url(sender)))
    assert "This credential is needed." in errors(change(operator, sender))
    assert change(operator, sender, option_token=SECRET).status_code == 302
    assert stored() == {"token": SECRET}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"sends_whatsapp": "on"}, "does not serve the channel"),
        ({"option_sender_id": ""}, "required"),
        ({"option_speed": "quick"}, "whole number"),
        ({"option_mood": "wild"}, "Select a valid choice"),
        ({"option_extra": "{"}, "valid JSON"),
        ({"is_default_sms": "on", "is_enabled": ""}, "must be enabled and send SMS"),
    ],
)
def test_what_the_vendor_does_not_take_is_told_beside_its_field(
    operator: Client, rented: list[Rented], fields: dict[str, str], sentence: str
) -> None:
    sender = rent()
    assert sentence in errors(change(operator, sender, **fields))


def test_alias_and_vendor_stay_as_they_are(operator: Client, rented: list[Rented]) -> None:
    sender = rent()
    change(operator, sender, alias="stolen", backend="http")
    sender.refresh_from_db()
    assert (sender.alias, sender.backend) == ("line", "rented")


@pytest.mark.parametrize("alias", ["memory", "line", "with blank", "a/b", ""])
def test_an_alias_that_is_taken_or_fits_no_address_is_refused(
    operator: Client, rented: list[Rented], alias: str
) -> None:
    rent()
    response = operator.post(f"{LIST}add/", {"alias": alias, "backend": "rented", "kind": "promotional"})
    assert "alias" in response.context["adminform"].form.errors


def test_a_sender_in_use_is_not_changed_and_the_page_says_by_what(operator: Client, rented: list[Rented]) -> None:
    sender = rent()
    factories.CampaignFactory.create(name="Long rains", sender="line", status="sending")
    for refused in (
        lambda: change(operator, sender, is_enabled=""),
        lambda: operator.post(url(sender, "delete"), {"post": "yes"}),
    ):
        assert refused().status_code == 302
        assert "“line” is in use by “Long rains”" in text(operator.get(url(sender)))
    sender.refresh_from_db()
    assert sender.is_enabled


def test_a_sender_that_nobody_uses_is_deleted_with_its_prices(operator: Client, rented: list[Rented]) -> None:
    sender = rent()
    SenderPrice.objects.create(sender=sender, prefix="+254", price="0.8", currency="KES")
    deleter = client_with([f"messaging.{verb}_sender" for verb in ("view", "change", "delete")])
    assert deleter.post(url(sender, "delete"), {"post": "yes"}).status_code == 302
    assert not Sender.objects.filter(alias="line").exists()
    assert not SenderPrice.objects.exists()


def test_prices_are_set_also_for_an_account_of_the_settings(operator: Client) -> None:
    memory = Sender.objects.get(alias="memory")
    prices = {"prices-TOTAL_FORMS": "1", "prices-0-sender": str(memory.pk), "prices-0-prefix": "+254"}
    prices |= {"prices-0-price": "0.8", "prices-0-currency": "KES"}
    form = {"kind": "transactional", "is_enabled": "on", "sends_sms": "on"} | NO_PRICES | prices

    assert operator.post(url(memory), form).status_code == 302

    assert str(SenderPrice.objects.get()) == "+254: 0.800000 KES"
    memory.refresh_from_db()
    assert (memory.kind, memory.is_enabled, memory.sends_sms) == ("transactional", False, False)


def test_a_test_message_shows_what_the_provider_said(operator: Client, rented: list[Rented]) -> None:
    sender = rent()
    dialog = url(sender, "test_message")
    assert dialog in operator.get(url(sender)).content.decode()
    assert "part of no campaign" in text(operator.get(dialog))

    form = {"phone": "0712 345 678", "channel": "sms", "text": "Hi"}
    assert operator.post(dialog, form).status_code == 302
    [sent] = rented[-1].outbox
    assert (sent.to, sent.text) == ("+254712345678", "Hi")
    assert f"accepted the test message; its id there: rented-{sent.reference}." in text(operator.get(url(sender)))

    async def refuse(envelopes: Any) -> list[Outcome]:
        return [GiveUp("no such number")] * len(envelopes)

    rented[-1].submit = refuse  # type: ignore[method-assign]
    shown = text(operator.post(dialog, form))
    assert "Not sent: the provider refuses this message, and would refuse it again." in shown
    assert "Reason given: no such number" in shown
    assert "GiveUp" not in shown


@pytest.mark.parametrize("fields", [{"phone": "12"}, {"channel": "whatsapp"}, {"text": ""}])
def test_a_test_message_that_cannot_be_sent_is_not(
    operator: Client, rented: list[Rented], fields: dict[str, str]
) -> None:
    form = {"phone": "0712 345 678", "channel": "sms", "text": "Hi"} | fields
    assert operator.post(url(rent(), "test_message"), form).status_code == 200
    assert not any(each.outbox for each in rented)


def test_who_may_only_look_sees_no_option_and_sends_no_test(rented: list[Rented]) -> None:
    viewer, sender = client_with(["messaging.view_sender"]), rent()
    body = viewer.get(url(sender)).content.decode()
    assert "option_token" not in body
    assert "test_message" not in body
    assert viewer.post(url(sender, "test_message"), {}).status_code == 403
    assert viewer.get(f"{LIST}add/").status_code == 403
    assert change(viewer, sender, option_token="x").status_code == 403


def test_the_page_tells_health_at_a_glance(operator: Client, rented: list[Rented], empty_board: None) -> None:
    sender = rent()
    SenderState.objects.create(alias="line", failures=7)
    board.tally("line", [GiveUp("no"), GiveUp("no")], 0.1)
    board.tally("other", [GiveUp("no")], 0.1)
    shown = text(operator.get(url(sender)))
    assert "give_up 2" in shown
    assert "running" in shown
    assert board.last_hour("line") == {"give_up": 2}


def test_the_door_is_shown_when_the_installation_knows_its_address(operator: Client, settings: Any) -> None:
    senders.ensure()
    sender = Sender.objects.get(alias="simulator")
    assert "hooks/simulator" not in text(operator.get(url(sender)))
    settings.PUBLIC_URL = "https://clarion.example.com"
    assert f"https://clarion.example.com/hooks/simulator/{sender.hook_token.hex}" in text(operator.get(url(sender)))


def test_several_credentials_in_one_are_json_and_are_not_repeated(
    superuser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Sender(alias="web", backend="http", options={"url": "http://127.0.0.1:9/"})
    senders.save(sender)
    form = {"kind": "promotional", "option_url": "http://127.0.0.1:9/", "option_in_flight": "10"}
    form |= {"option_timeout_seconds": "5"} | NO_PRICES
    response = superuser.post(url(sender), form | {"option_headers": '{"Authorization": "hush'})
    assert "This is no JSON." in errors(response)
    assert "hush" not in response.content.decode()
    headers = {"Authorization": "hush"}
    assert superuser.post(url(sender), form | {"option_headers": json.dumps(headers)}).status_code == 302
    assert stored("web") == {"headers": headers}


def test_what_is_not_stored_cannot_be_removed_and_an_option_without_a_value_is_empty(
    operator: Client, rented: list[Rented]
) -> None:
    stored_one, empty = rent(), Sender(alias="web", backend="rented")
    senders.save(empty)
    assert "remove_token" in operator.get(url(stored_one)).content.decode()
    body = operator.get(url(empty)).content.decode()
    assert "remove_token" not in body
    [shown] = re.findall(r"<textarea[^>]*>(.*?)</textarea>", body, flags=re.DOTALL)
    assert shown.strip() == ""


def test_a_sender_that_is_not_enabled_is_not_said_to_run(operator: Client, rented: list[Rented]) -> None:
    rent(is_enabled=False)
    assert "line Rented line none - no limit not enabled 0" in text(operator.get(LIST))


def test_a_test_message_needs_a_channel_first(operator: Client, rented: list[Rented]) -> None:
    sender = rent(sends_sms=False)
    response = operator.get(url(sender, "test_message"), follow=True)
    assert response.redirect_chain == [(url(sender), 302)]
    assert "Tick a channel that it sends first" in text(response)


def test_who_may_only_look_does_not_see_the_secret_of_the_door(settings: Any) -> None:
    settings.PUBLIC_URL = "https://clarion.example.com"
    viewer, sender = client_with(["messaging.view_sender"]), Sender.objects.get(alias="simulator")

    page = viewer.get(url(sender)).content.decode()

    assert "simulator" in page
    assert accounts.hook_token("simulator") not in page


def test_stored_credentials_go_to_no_other_address_unless_they_are_entered_again(superuser: Client) -> None:
    sender = Sender(alias="web", backend="http", options={"url": "http://127.0.0.1:9/"})
    sender.sealed = secrets.seal({"headers": {"Authorization": "hush"}})
    senders.save(sender)
    form = {"kind": "promotional", "option_url": "http://127.0.0.1:8/", "option_in_flight": "10"}
    form |= {"option_timeout_seconds": "5"} | NO_PRICES

    assert "enter them again" in errors(superuser.post(url(sender), form))
    assert Sender.objects.get(alias="web").options["url"] == "http://127.0.0.1:9/"
    assert superuser.post(url(sender), form | {"option_headers": '{"Authorization": "mine"}'}).status_code == 302
    assert stored("web") == {"headers": {"Authorization": "mine"}}
    assert superuser.post(url(sender), form).status_code == 302


def test_no_credential_is_a_secret_of_clarions_own(superuser: Client) -> None:
    sender = Sender(alias="web", backend="http", options={"url": "http://127.0.0.1:9/"})
    senders.save(sender)
    form = {"kind": "promotional", "option_url": "http://127.0.0.1:9/", "option_in_flight": "10"}
    form |= {"option_timeout_seconds": "5"} | NO_PRICES

    refused = errors(superuser.post(url(sender), form | {"option_headers": '{"X": "env:SECRET_KEY"}'}))

    assert "SECRET_KEY is a secret of Clarion" in refused
