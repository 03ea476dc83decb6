"""The admin's pages of senders: everything to read, the rate to set."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from messaging import senders
from messaging.models import Sender, SenderState
from tests.admin.conftest import client_with
from tests.admin.pages import text

pytestmark = pytest.mark.django_db

LIST = "/admin/messaging/sender/"


@pytest.fixture
def operator(db: None) -> Client:
    """May see senders and set their rates."""
    return client_with(["messaging.view_sender", "messaging.change_sender"])


def memory() -> Sender:
    return Sender.objects.get(alias="memory")


NO_PRICES = {"prices-TOTAL_FORMS": "0", "prices-INITIAL_FORMS": "0"}


def change(client: Client, **fields: str) -> Any:
    return client.post(f"{LIST}{memory().pk}/change/", {"kind": "promotional"} | NO_PRICES | fields)


def test_the_list_shows_class_channels_rate_and_what_each_is_doing(operator: Client, settings: Any) -> None:
    settings.MESSAGE_PROVIDERS = settings.MESSAGE_PROVIDERS | {
        "memory": settings.MESSAGE_PROVIDERS["memory"] | {"RATE": 20}
    }
    Sender.objects.filter(alias="console").update(rate=0.5)
    SenderState.objects.create(
        alias="memory", hold="breaker", held_until=Now() + timedelta(minutes=1), failures=5, free_at=Now()
    )

    shown = text(operator.get(LIST))

    memory_line = (
        "memory messaging.providers.memory.Memory, from the settings SMS (default), WhatsApp (default) - 20 parts"
    )
    assert f"{memory_line} a second breaker open until " in shown
    assert "Console, from the settings SMS, WhatsApp 0.5 0.5 parts a second running 0" in shown
    assert "Simulator, from the settings SMS, WhatsApp - no limit running 0" in shown


def test_an_alias_that_is_no_longer_configured_is_shown_as_such(operator: Client) -> None:
    Sender.objects.create(alias="former")
    assert "former not in MESSAGE_PROVIDERS" in text(operator.get(LIST))


def test_a_new_rate_is_in_force_at_once_and_nothing_else_is_written(operator: Client) -> None:
    before = memory()

    assert change(operator, rate="12.5", alias="stolen").status_code == 302

    after = memory()
    assert (after.alias, after.rate, after.created_at) == ("memory", 12.5, before.created_at)
    assert after.updated_at > before.updated_at
    assert {each.alias: each.rate for each in senders.standings()}["memory"] == 12.5

    assert change(operator, rate="").status_code == 302
    assert {each.alias: each.rate for each in senders.standings()}["memory"] is None


@pytest.mark.parametrize("rate", ["0", "-5", "0.001", "many", "nan", "inf"])
def test_a_rate_that_is_none_is_refused_with_a_sentence(operator: Client, rate: str) -> None:
    response = change(operator, rate=rate)
    assert response.status_code == 200
    assert response.context["adminform"].form.errors["rate"]
    assert memory().rate is None


def test_senders_of_the_settings_are_not_deleted(superuser: Client) -> None:
    assert superuser.post(f"{LIST}{memory().pk}/delete/", {"post": "yes"}).status_code == 403
    superuser.post(LIST, {"action": "delete_selected", "_selected_action": [memory().pk], "post": "yes"})
    assert Sender.objects.filter(alias="memory").exists()


def test_who_may_only_look_cannot_set_a_rate(marketer: Client) -> None:
    viewer = client_with(["messaging.view_sender"])
    assert viewer.get(LIST).status_code == 200
    assert change(viewer, rate="1").status_code == 403
    assert marketer.get(LIST).status_code == 403
    assert memory().rate is None


def test_the_sidebar_leads_there_for_those_who_may(operator: Client, marketer: Client) -> None:
    assert f'href="{LIST}"' in operator.get("/admin/").content.decode()
    assert f'href="{LIST}"' not in marketer.get("/admin/").content.decode()


def test_looking_writes_nothing_and_asks_little(operator: Client) -> None:
    operator.get(LIST)
    with CaptureQueriesContext(connection) as queries:
        operator.get(LIST)
    verbs = {query["sql"].split()[0] for query in queries.captured_queries}
    assert verbs == {"SELECT"}
    assert len(queries) <= 7 + 2 * Sender.objects.count()
