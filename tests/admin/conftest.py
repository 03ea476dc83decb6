"""People in front of the admin: one who may do everything with campaigns, one who may only look, and a superuser."""

from collections.abc import Sequence

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.factories import UserFactory

LOOKING = (
    "campaigns.view_campaign",
    "customers.view_customer",
    "customers.view_consentevent",
    "messaging.view_outboundmessage",
)
MARKETING = (
    *LOOKING,
    *(f"campaigns.{verb}_campaign" for verb in ("add", "change", "delete", "send")),
    *(f"customers.{verb}_customer" for verb in ("add", "change", "delete")),
    "customers.add_consentevent",
)


def client_with(permissions: Sequence[str], **fields: object) -> Client:
    """A browser in which a member of staff with exactly these permissions is logged in."""
    user: User = UserFactory.create(is_staff=True, **fields)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def marketer(db: None) -> Client:
    """May do everything with campaigns and customers."""
    return client_with(MARKETING)


@pytest.fixture
def viewer(db: None) -> Client:
    """May look at everything and do nothing."""
    return client_with(LOOKING)


@pytest.fixture
def superuser(db: None) -> Client:
    """May do everything."""
    return client_with((), is_superuser=True)
