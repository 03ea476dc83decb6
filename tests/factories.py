"""Makes customers, campaigns and users for tests; states are reached through the real methods."""

from typing import Any

import factory
from django.contrib.auth.models import User
from factory.declarations import Sequence

from campaigns.models import Campaign
from customers.models import Channel, Customer


class UserFactory(factory.django.DjangoModelFactory[User]):
    """A user without any permission."""

    class Meta:
        model = User

    username = Sequence("user{}".format)


class CustomerFactory(factory.django.DjangoModelFactory[Customer]):
    """A Kenyan customer with every field filled."""

    class Meta:
        model = Customer

    phone = Sequence(lambda n: f"+2547{10_000_000 + n:08d}")
    first_name = "Wanjiru"
    last_name = "Otieno"
    location = "Nairobi"
    preferred_product = "Maize Flour"


class CampaignFactory(factory.django.DjangoModelFactory[Campaign]):
    """A draft by SMS."""

    class Meta:
        model = Campaign

    name = Sequence("Campaign {}".format)
    channel = Channel.SMS
    base_template = "Hi {FirstName}, greetings from Clarion."


def customers(count: int, **fields: Any) -> list[Customer]:
    """This many new customers, written by set, in the order of their ids."""
    return Customer.objects.bulk_create(CustomerFactory.build_batch(count, **fields))
