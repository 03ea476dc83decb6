"""What an alias is, and how soon a change of it is in use."""

import time
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, transaction
from django.db.models.functions import Now

from campaigns.audience import CustomerList, Everybody, InvalidAudience
from campaigns.models import Status
from messaging import (
    accounts,
    adapters,
    alerts,
    delivery,
    dispatch,
    leases,
    providers,
    routing,
    secrets,
    senders,
    tasks,
)
from messaging.checks import every_sender_can_be_made
from messaging.models import Alert, OutboundMessage, Sender
from messaging.providers.base import Accepted, Envelope, Outcome, StopAll
from messaging.providers.memory import Memory
from messaging.reasons import Reason
from tests import factories
from tests.messaging.renting import SECRET, Rented, rent

pytestmark = pytest.mark.django_db


def submit(alias: str = "line") -> Outcome:
    [outcome] = providers.submit(alias, [Envelope("1", "sms", "+254712345678", "Hi")])
    return outcome


def launched(**fields: Any) -> Any:
    campaign = factories.CampaignFactory.create(**fields)
    dispatch.send(campaign, CustomerList(tuple(each.pk for each in factories.customers(3))), by=None)
    return campaign


def deliver() -> None:
    while lease := leases.take():
        delivery.deliver(lease)


def test_a_sender_made_by_people_is_an_account_with_its_options_and_credentials(rented: list[Rented]) -> None:
    rent()
    assert submit() == Accepted("rented-1")
    [adapter] = rented
    assert (adapter.sender_id, adapter.token) == ("Clarion", SECRET)


def test_a_changed_credential_is_in_use_within_two_seconds_in_a_process_that_did_not_change_it(
    rented: list[Rented],
) -> None:
    sender = rent()
    submit()
    # As another process does it: nothing here is told.
    Sender.objects.filter(pk=sender.pk).update(sealed=secrets.seal({"token": "new"}), updated_at=Now())
    ends = time.monotonic() + 2
    while rented[-1].token != "new" and time.monotonic() < ends:
        submit()
        time.sleep(0.05)
    assert [each.token for each in rented] == [SECRET, "new"]


def test_within_its_second_a_process_asks_the_database_once(
    rented: list[Rented], django_assert_num_queries: Any
) -> None:
    rent()
    with django_assert_num_queries(1):
        for _ in range(20):
            submit()
    assert len(rented) == 1


def is_closed(adapter: Rented) -> bool:
    ends = time.monotonic() + 0.3
    while not adapter.line.is_closed and time.monotonic() < ends:
        time.sleep(0.01)
    return adapter.line.is_closed


def test_an_adapter_that_is_done_with_is_closed_when_its_calls_have_ended(rented: list[Rented]) -> None:
    sender = rent()
    with providers._current("line"), providers._current("line"):
        sender.options = {"sender_id": "Another"}
        senders.save(sender)
        submit()
        old, new = rented
        assert not is_closed(old)
    assert is_closed(old)
    assert not is_closed(new)


def test_an_idle_adapter_that_is_done_with_is_closed_at_once(rented: list[Rented]) -> None:
    sender = rent()
    submit()
    sender.options = {"sender_id": "Another"}
    senders.save(sender)
    submit()
    old, new = rented
    assert is_closed(old)
    assert new.sender_id == "Another"


def test_while_the_database_is_away_what_was_believed_holds(
    rented: list[Rented], monkeypatch: pytest.MonkeyPatch
) -> None:
    rent()
    submit()

    def away() -> None:
        raise OperationalError

    monkeypatch.setattr(accounts, "_read", away)
    monkeypatch.setattr(accounts, "BELIEF_SECONDS", 0)
    accounts._Held.belief = accounts._Belief(accounts._Held.belief.accounts, {}, until=0.001)
    assert submit() == Accepted("rented-1")
    accounts.forget()
    with pytest.raises(OperationalError):
        accounts.get("line")


def test_a_sender_that_is_not_enabled_is_no_error(rented: list[Rented], caplog: pytest.LogCaptureFixture) -> None:
    rent("resting", is_enabled=False)
    rent("empty", is_enabled=False, options={"sender_id": "wrong"})
    for alias in ("resting", "empty"):
        assert isinstance(providers.get(alias), providers.Unusable)
        assert providers.ear(alias) is None
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


def test_the_settings_go_before_a_sender_of_the_same_name(rented: list[Rented]) -> None:
    Sender.objects.filter(alias="memory").update(backend="rented", is_enabled=True, sends_sms=True)
    assert accounts.get("memory").from_settings
    assert isinstance(providers.get("memory"), Memory)


def test_a_row_without_a_vendor_is_no_account() -> None:
    Sender.objects.create(alias="former", is_enabled=True, sends_sms=True)
    with pytest.raises(providers.UnknownAlias):
        accounts.get("former")
    assert "former" not in accounts.known()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"options": {"sender_id": "wrong"}}, "“line” cannot be used: no such sender with …"),
        ({"options": {}}, "“line” cannot be used: TypeError"),
        ({"options": {"sender_id": "Clarion", "colour": "red"}}, "“line” cannot be used: TypeError"),
        ({"sealed": secrets.Sealed("nonsense")}, "“line” can be read with none of SECRETS_KEYS"),
        ({"token": "env:NOT_THERE"}, "environment variable NOT_THERE, which is not set"),
        ({"backend": "pigeon"}, "of “pigeon”, for which there is no adapter"),
        ({"is_enabled": False}, "“line” is not enabled"),
    ],
)
def test_a_sender_that_cannot_be_used_stops_everything_with_a_sentence_and_without_the_credential(
    rented: list[Rented], caplog: pytest.LogCaptureFixture, fields: dict[str, Any], sentence: str
) -> None:
    rent(**fields)
    outcome = submit()
    assert isinstance(outcome, StopAll)
    assert sentence in outcome.error
    assert SECRET not in outcome.error + caplog.text


def test_a_campaign_whose_sender_breaks_pauses_and_goes_on_when_it_is_mended(
    rented: list[Rented], outbox: Memory
) -> None:
    sender = rent()
    campaign = launched(sender="line")
    good = sender.sealed
    Sender.objects.filter(pk=sender.pk).update(sealed=secrets.Sealed("nonsense"))
    accounts.forget()

    deliver()

    campaign.refresh_from_db()
    assert (campaign.status, campaign.reason) == (Status.PAUSED, Reason.PROVIDER_STOPPED)
    assert Alert.objects.get(campaign=campaign).code == alerts.Code.PROVIDER_STOPPED
    assert campaign.progress.pending == 3
    assert "SECRETS_KEYS" in OutboundMessage.objects.filter(campaign=campaign).latest("id").last_error

    sender.sealed = good
    senders.save(sender)
    campaign.resume()
    deliver()
    assert [each.to for each in rented[-1].outbox] == list(
        OutboundMessage.objects.order_by("id").values_list("address", flat=True)
    )
    assert outbox.outbox == []


def test_a_sender_that_goes_while_its_messages_are_on_the_way_leaves_none_without_a_verdict(
    rented: list[Rented],
) -> None:
    sender = rent()
    campaign = launched(sender="line")
    lease = leases.take()
    assert lease
    Sender.objects.filter(pk=sender.pk).delete()  # as no door does it
    accounts.forget()

    delivery.deliver(lease)

    campaign.refresh_from_db()
    assert (campaign.status, campaign.progress.pending) == (Status.PAUSED, 3)
    assert "no sender “line” any more" in OutboundMessage.objects.filter(campaign=campaign).latest("id").last_error


# Pages are read by another connection, which sees what is committed.
@pytest.mark.django_db(transaction=True)
def test_a_launch_whose_sender_went_pauses_and_is_written_when_there_is_one_again(
    rented: list[Rented], settings: Any
) -> None:
    campaign = factories.CampaignFactory.create()
    factories.customers(3)
    dispatch.send(campaign, Everybody(), by=None)
    routes, settings.MESSAGE_ROUTES = settings.MESSAGE_ROUTES, {}

    with pytest.raises(InvalidAudience):
        tasks.launch(campaign_id=campaign.pk)

    campaign.refresh_from_db()
    assert (campaign.status, campaign.launching) == (Status.PAUSED, True)
    settings.MESSAGE_ROUTES = routes
    tasks.launch(campaign_id=campaign.pk)
    campaign.refresh_from_db()
    assert (campaign.launching, campaign.progress.pending) == (False, 3)


def test_a_campaign_goes_out_by_the_sender_it_names_else_the_channels_default_else_the_route(
    rented: list[Rented],
) -> None:
    rent("named")
    default = rent("chosen", is_default_sms=True)
    draft = factories.CampaignFactory.build
    assert routing.route(draft(sender="named")) == "named"
    assert routing.route(draft()) == "chosen"
    assert routing.route(draft(channel="whatsapp")) == "memory"
    senders.remove(default)
    assert routing.route(draft()) == "memory"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"sender": "pigeon"}, "sender_unusable"),
        ({"sender": "off"}, "sender_unusable"),
        ({"sender": "line", "channel": "whatsapp"}, "sender_unusable"),
        ({}, "no_sender"),
    ],
)
def test_a_send_without_a_sender_that_serves_is_refused_and_writes_nothing(
    rented: list[Rented], settings: Any, fields: dict[str, str], code: str
) -> None:
    settings.MESSAGE_ROUTES = {}
    rent()
    rent("off", is_enabled=False)
    with pytest.raises(InvalidAudience) as refused:
        launched(**fields)
    assert refused.value.code == code
    assert not OutboundMessage.objects.exists()


def test_a_channel_has_one_default_and_it_is_enabled_and_serves(rented: list[Rented]) -> None:
    rent(is_default_sms=True)
    wrongs: list[dict[str, Any]] = [{"is_default_sms": True}, {"is_default_whatsapp": True}]
    for wrong in wrongs:
        with pytest.raises(IntegrityError), transaction.atomic():
            rent("second", **wrong)
    with pytest.raises(IntegrityError), transaction.atomic():
        Sender.objects.filter(alias="line").update(is_enabled=False)


@pytest.mark.parametrize("named", [True, False])
def test_a_sender_in_use_is_neither_disabled_nor_deleted_nor_taken_its_channel(
    rented: list[Rented], *, named: bool
) -> None:
    sender = rent(is_default_sms=not named)
    campaign = launched(name="Long rains", sender="line" if named else "")
    sender.is_default_sms = False
    for change in ({"is_enabled": False}, {"sends_sms": False}):
        changed = Sender.objects.get(pk=sender.pk)
        for name, value in {"is_default_sms": False, **change}.items():
            setattr(changed, name, value)
        with pytest.raises(senders.InUse, match="“line” is in use by “Long rains”"):
            senders.save(changed)
    with pytest.raises(senders.InUse):
        senders.remove(sender)

    campaign.cancel()
    campaign.refresh_from_db()
    senders.remove(sender)
    assert not Sender.objects.filter(alias="line").exists()


def test_a_draft_does_not_keep_a_sender(rented: list[Rented]) -> None:
    factories.CampaignFactory.create(sender="line")
    senders.remove(rent())
    assert not Sender.objects.filter(alias="line").exists()


def test_the_check_of_the_database_names_what_cannot_be_used_and_is_only_a_warning(rented: list[Rented]) -> None:
    rent()
    rent("broken", sealed=secrets.Sealed("nonsense"))
    rent("off", sealed=secrets.Sealed("nonsense"), is_enabled=False)
    [warning] = every_sender_can_be_made(databases=["default"])
    assert warning.id == "messaging.W002"
    assert "“broken”" in warning.msg
    assert every_sender_can_be_made(databases=None) == []


def test_an_adapters_options_are_what_its_constructor_says() -> None:
    found = {each.name: each for each in adapters.options(Rented)}
    assert [each.kind for each in found.values()] == ["text", "text", "integer", "choice", "boolean", "json"]
    assert [name for name, each in found.items() if each.is_required] == ["sender_id", "token"]
    assert [name for name, each in found.items() if each.is_secret] == ["token"]
    assert found["mood"].choices == ("calm", "brisk")
    assert (found["mood"].default, found["sender_id"].help) == ("calm", "What people see.")


def test_every_option_of_every_adapter_that_ships_is_explained() -> None:
    silent = [
        f"{adapter.key}: {option.name}" for adapter in adapters.shipped().values() for option in adapter.options
        if not option.help
    ]  # fmt: skip
    assert silent == []


def test_an_option_is_called_as_people_write_it() -> None:
    assert [adapters.Option(name, "text", is_required=False).label for name in ("url", "api_key", "account_sid")] == [
        "URL", "API key", "Account SID",
    ]  # fmt: skip


def test_a_short_credential_does_not_go_from_the_middle_of_words() -> None:
    assert accounts.without("url must be an address such as x", ["x"]) == "url must be an address such as …"
    assert accounts.without("such as https://api.example.com", ["x", "api."]) == "such as https://…example.com"


def test_every_adapter_that_ships_can_be_described_and_names_its_credentials_rightly() -> None:
    shipped = adapters.shipped()
    assert "http" in shipped
    assert "memory" not in shipped
    for adapter in shipped.values():
        names = {option.name for option in adapter.options}
        backend = __import__(adapter.path.rpartition(".")[0], fromlist=["x"])
        assert adapters.secrets_of(getattr(backend, adapter.path.rpartition(".")[2])) <= names, adapter.key
