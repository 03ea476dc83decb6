"""Campaigns that go out as a template that WhatsApp approved."""

from typing import Any

import pytest
from django.db import IntegrityError

from campaigns.audience import CustomerList
from campaigns.models import Campaign
from messaging import delivery, dispatch, launching, leases, trial
from messaging.models import OutboundMessage
from messaging.providers.base import Template
from messaging.providers.memory import Memory
from tests import factories

pytestmark = pytest.mark.django_db


def campaign(**fields: Any) -> Campaign:
    made: Campaign = factories.CampaignFactory.create(
        **{"channel": "whatsapp", "whatsapp_template": "rains", "whatsapp_language": "en_GB"} | fields
    )
    return made


def deliver(sent: Campaign, **customer: Any) -> None:
    dispatch.send(sent, CustomerList((factories.CustomerFactory.create(**customer).pk,)), by=None)
    while lease := leases.take():
        delivery.deliver(lease)


def test_the_template_leaves_with_the_values_of_the_placeholders_in_their_order(outbox: Memory) -> None:
    text = "Hi {FirstName}, {Shop|our shop} in {Location|town}, {first_name}! {Nobody} {"
    deliver(campaign(base_template=text), first_name="Asha", location="")

    [envelope] = outbox.outbox
    assert envelope.template == Template("rains", "en_GB", ("Asha", "our shop", "town", "Asha"))
    assert envelope.text == "Hi Asha, our shop in town, Asha! {Nobody} {"


@pytest.mark.parametrize("name", ['Wan"jiru', "back\\slash", "two\nlines\ttab", "Ŵ 🌍", "{FirstName}", "\\N"])
def test_values_survive_the_way_through_the_ledger_as_they_are(outbox: Memory, name: str) -> None:
    deliver(campaign(base_template="Hi {FirstName}"), first_name=name)
    [envelope] = outbox.outbox
    assert envelope.template is not None
    assert envelope.template.variables == (name,)
    assert OutboundMessage.objects.get().variables == [name]


def test_a_template_without_placeholders_has_no_variables(outbox: Memory) -> None:
    deliver(campaign(base_template="Maize seed is in."))
    assert outbox.outbox[0].template == Template("rains", "en_GB")


def test_free_text_has_no_template_and_stores_nothing(outbox: Memory) -> None:
    deliver(campaign(whatsapp_template="", whatsapp_language=""))
    assert outbox.outbox[0].template is None
    assert OutboundMessage.objects.get().variables is None


def test_everybody_gets_the_template_as_a_list_does(outbox: Memory) -> None:
    factories.customers(3, first_name="Asha")
    made = campaign(base_template="Hi {FirstName}")
    dispatch._begin_launch(Campaign.objects.get(pk=made.pk))
    Campaign.objects.filter(pk=made.pk).update(launching=True, status="sending", audience={"kind": "all"})
    launching.launch_step(made.pk)
    assert list(OutboundMessage.objects.values_list("variables", flat=True)) == [["Asha"]] * 3


def test_a_test_send_leaves_with_the_template_too(outbox: Memory) -> None:
    trial.send_test(campaign(), phone="+254712345678", text="Hi Asha", reference="a1", variables=["Asha"])
    assert outbox.outbox[0].template == Template("rains", "en_GB", ("Asha",))


@pytest.mark.parametrize(
    "fields",
    [{"channel": "sms"}, {"whatsapp_language": ""}, {"whatsapp_template": ""}],
    ids=["sms", "name", "language"],
)
def test_half_a_template_and_one_by_sms_are_refused(fields: dict[str, str]) -> None:
    with pytest.raises(IntegrityError):
        campaign(**fields)
