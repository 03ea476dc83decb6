"""Users, groups, API tokens, and the policy that the browser enforces."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from config.models import ApiToken
from tests.admin.conftest import client_with
from tests.admin.pages import text
from tests.factories import UserFactory

TOKENS = "/admin/config/apitoken/"
pytestmark = pytest.mark.django_db


def make_token(client: Client, user: User) -> str:
    """Make a token in the admin, as the page shows it."""
    body = client.post(f"{TOKENS}add/", {"name": "Shop", "user": user.pk}).content.decode()
    [token] = re.findall(r"data-token>([^<]+)<", body)
    return str(token)


def test_a_new_token_is_shown_once_and_works_and_a_deleted_one_is_refused(superuser: Client) -> None:
    user = UserFactory.create(is_superuser=True)
    token = make_token(superuser, user)
    program = APIClient(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert program.get("/api/v1/campaigns").status_code == 200
    row = ApiToken.objects.get()
    assert (row.name, row.user) == ("Shop", user)
    assert row.last_used_at is not None
    for url in (TOKENS, f"{TOKENS}{row.pk}/change/", f"{TOKENS}{row.pk}/delete/"):
        assert token not in superuser.get(url).content.decode()
    superuser.post(f"{TOKENS}{row.pk}/delete/", {"post": "yes"})
    assert program.get("/api/v1/campaigns").status_code == 401


def test_the_page_with_the_token_is_stored_nowhere(superuser: Client) -> None:
    response = superuser.post(f"{TOKENS}add/", {"name": "Shop", "user": UserFactory.create().pk})
    assert "no-store" in response["Cache-Control"]
    assert "messages" not in response.cookies


def test_a_token_needs_a_name_and_a_user(superuser: Client) -> None:
    assert "This field is required." in text(superuser.post(f"{TOKENS}add/", {"name": "", "user": ""}))
    assert not ApiToken.objects.exists()


def test_who_may_only_look_at_tokens_cannot_make_or_revoke_one(superuser: Client) -> None:
    user = UserFactory.create()
    make_token(superuser, user)
    looker = client_with(["config.view_apitoken"])
    assert looker.get(TOKENS).status_code == 200
    assert looker.post(f"{TOKENS}add/", {"name": "x", "user": user.pk}).status_code == 403
    assert looker.post(f"{TOKENS}{ApiToken.objects.get().pk}/delete/", {"post": "yes"}).status_code == 403


def test_users_and_groups_can_be_opened_and_made(superuser: Client) -> None:
    for url in ("/admin/auth/user/", "/admin/auth/group/", "/admin/auth/group/add/"):
        assert superuser.get(url).status_code == 200
    sent = {"username": "asha", "usable_password": "true", "password1": "wekundu-92-x", "password2": "wekundu-92-x"}
    superuser.post("/admin/auth/user/add/", sent)
    assert superuser.get(f"/admin/auth/user/{User.objects.get(username='asha').pk}/change/").status_code == 200


def test_scripts_are_evaluated_on_the_pages_of_the_admin_alone(superuser: Client) -> None:
    assert "'unsafe-eval'" in superuser.get("/admin/")["Content-Security-Policy"]
    for url in ("/health/live", "/api/v1/campaigns", "/nowhere"):
        policy = superuser.get(url)["Content-Security-Policy"]
        [scripts] = [part for part in policy.split("; ") if part.startswith("script-src")]
        assert scripts == "script-src 'self'"


def test_who_logs_in_comes_to_the_overview(client: Client) -> None:
    User.objects.create_user("asha", password="wekundu-92-x", is_staff=True)
    response = client.post("/admin/login/", {"username": "asha", "password": "wekundu-92-x"}, follow=True)
    assert response.redirect_chain[-1][0] == "/admin/"
    assert "Overview" in text(response)
    assert "Clarion" in text(response)


def test_the_sidebar_shows_what_the_user_may_open(viewer: Client) -> None:
    shown = text(viewer.get("/admin/"))
    assert "Consent" in shown
    assert "Consent words" not in shown
    assert "API tokens" not in shown
