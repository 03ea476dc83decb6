"""Callers of the API: one who may do everything, and others who may do less."""

from collections.abc import Callable, Sequence

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from config import tokens
from tests.factories import UserFactory

Caller = Callable[[Sequence[str]], APIClient]


def caller_with(token: str) -> APIClient:
    """A program that sends this token."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def user_with(permissions: Sequence[str]) -> User:
    """A user who holds exactly these permissions."""
    user: User = UserFactory.create()
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


@pytest.fixture
def caller(db: None) -> Caller:
    """Makes a program whose user holds exactly the given permissions."""
    return lambda permissions: caller_with(tokens.create(user_with(permissions), "test")[1])


@pytest.fixture
def api(caller: Caller) -> APIClient:
    """A program whose user holds every permission of the API."""
    return caller(sorted(tokens.PERMISSIONS))


@pytest.fixture
def anyone(db: None) -> APIClient:
    """A program that sends no token."""
    return APIClient()
