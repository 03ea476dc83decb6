"""Who may call the API, and how that is shown."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django.asserts import assertNumQueries
from rest_framework.test import APIClient

from config import tokens
from config.models import ApiToken
from tests.api.answers import error
from tests.api.conftest import Caller, caller_with, user_with
from tests.factories import CampaignFactory, CustomerFactory, UserFactory

pytestmark = pytest.mark.django_db

GIVEN = "0123456789abcdef" * 2
PATHS = ["campaigns", "campaigns/1", "customers", "messages", "messages/1", "campaigns/1/messages", "campaigns/1/audit"]


@pytest.mark.parametrize("path", [*PATHS, "schema", "docs"])
def test_without_a_token_nothing_is_shown(anyone: APIClient, path: str) -> None:
    response = anyone.get(f"/api/v1/{path}")

    assert error(response, 401)["code"] == "not_authenticated"
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "bearer wrong",
        "Bearer a b",
        "Bearer \xff\xfe",
        "Bearer \0",
        "Bearer " + "x" * 9_000,
    ],
)
def test_a_bad_token_is_refused_with_the_scheme_named(anyone: APIClient, header: str) -> None:
    response = anyone.get("/api/v1/campaigns", HTTP_AUTHORIZATION=header)

    assert error(response, 401)["code"] == "authentication_failed"
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Token abc", "Basic YTpi", "", "Bearerabc"])
def test_another_scheme_is_no_authentication(anyone: APIClient, header: str) -> None:
    assert error(anyone.get("/api/v1/campaigns", HTTP_AUTHORIZATION=header), 401)["code"] == "not_authenticated"


def test_a_token_is_kept_only_as_a_digest() -> None:
    _row, token = tokens.create(user_with([]), "shop")

    kept = " ".join(str(value) for row in ApiToken.objects.values_list() for value in row)
    assert token not in kept
    assert token[16:] not in kept


def test_the_scheme_is_read_in_any_case() -> None:
    _row, token = tokens.create(user_with(["campaigns.view_campaign"]), "shop")

    assert APIClient().get("/api/v1/campaigns", HTTP_AUTHORIZATION=f"bEARER  {token} ").status_code == 200


def test_a_revoked_token_is_refused() -> None:
    row, token = tokens.create(user_with(["campaigns.view_campaign"]), "shop")
    tokens.revoke(row)
    tokens.revoke(row)

    assert caller_with(token).get("/api/v1/campaigns").status_code == 401


def test_a_token_that_ran_out_is_refused() -> None:
    row, token = tokens.create(user_with(["campaigns.view_campaign"]), "shop")
    ApiToken.objects.filter(pk=row.pk).update(expiry=timezone.now() - timedelta(seconds=1))

    assert caller_with(token).get("/api/v1/campaigns").status_code == 401


def test_the_token_of_an_inactive_user_is_refused() -> None:
    row, token = tokens.create(user_with(["campaigns.view_campaign"]), "shop")
    User.objects.filter(pk=row.user_id).update(is_active=False)

    assert caller_with(token).get("/api/v1/campaigns").status_code == 401


def test_a_tokens_last_use_is_written_once_a_minute() -> None:
    row, token = tokens.create(user_with(["campaigns.view_campaign"]), "shop")
    client = caller_with(token)

    client.get("/api/v1/campaigns")
    row.refresh_from_db()
    first = row.last_used_at
    assert first is not None
    client.get("/api/v1/campaigns")
    row.refresh_from_db()
    assert row.last_used_at == first

    ApiToken.objects.filter(pk=row.pk).update(last_used_at=first - timedelta(seconds=61))
    client.get("/api/v1/campaigns")
    row.refresh_from_db()
    assert row.last_used_at is not None
    assert row.last_used_at > first - timedelta(seconds=61)


def test_a_known_token_costs_one_query_and_the_permissions_two(caller: Caller) -> None:
    client = caller(["campaigns.view_campaign"])
    client.get("/api/v1/campaigns")

    with assertNumQueries(4):  # the token, the user's and the groups' permissions, the count of an empty list
        assert client.get("/api/v1/campaigns").status_code == 200


def test_a_given_token_works_for_its_service_user() -> None:
    row = tokens.ensure(GIVEN, "api")

    assert caller_with(GIVEN).get("/api/v1/campaigns").status_code == 200
    assert row.user.username == "api"
    assert not row.user.has_usable_password()
    assert row.user.get_all_permissions() == set(tokens.PERMISSIONS)


def test_giving_the_same_token_again_changes_nothing() -> None:
    first = tokens.ensure(GIVEN, "api")
    assert tokens.ensure(GIVEN, "api").pk == first.pk
    assert ApiToken.objects.count() == 1
    assert User.objects.filter(username="api").count() == 1


def test_another_given_token_revokes_the_one_before_but_none_made_by_hand() -> None:
    row = tokens.ensure(GIVEN, "api")
    _made, by_hand = tokens.create(row.user, "shop")
    other = "z" * 32

    tokens.ensure(other, "api")

    assert caller_with(GIVEN).get("/api/v1/campaigns").status_code == 401
    assert caller_with(other).get("/api/v1/campaigns").status_code == 200
    assert caller_with(by_hand).get("/api/v1/campaigns").status_code == 200


def test_two_tokens_that_begin_alike_both_work() -> None:
    tokens.ensure(f"{GIVEN}-one", "one")
    tokens.ensure(f"{GIVEN}-two", "two")

    assert caller_with(f"{GIVEN}-one").get("/api/v1/campaigns").status_code == 200
    assert caller_with(f"{GIVEN}-two").get("/api/v1/campaigns").status_code == 200
    assert caller_with(f"{GIVEN}-six").get("/api/v1/campaigns").status_code == 401


@pytest.mark.parametrize(
    "token",
    [
        "".join(map(chr, range(33, 127))),
        "with blanks  in the middle of it all",
        "=" * 32,
        "{'$%\"\\`}" * 4,
        "x" * 5_000,
    ],
)
def test_any_printable_ascii_can_be_a_token(token: str) -> None:
    tokens.ensure(token, "api")

    assert caller_with(token).get("/api/v1/campaigns").status_code == 200


@pytest.mark.parametrize("token", ["", "x" * 31, " " * 40, "x" * 40 + "\n", "x" * 40 + "\x7f", "é" * 40])
def test_what_cannot_be_a_token_is_refused_with_a_sentence_that_does_not_hold_it(token: str) -> None:
    with pytest.raises(tokens.InvalidToken) as refused:
        tokens.ensure(token, "api")

    assert "API token" in str(refused.value)
    assert "x" * 10 not in str(refused.value)
    assert not ApiToken.objects.exists()


def test_the_session_of_the_admin_works_for_the_api() -> None:
    client = APIClient()
    client.force_login(user_with(["campaigns.view_campaign"]))

    assert client.get("/api/v1/campaigns").status_code == 200


def test_a_session_needs_the_csrf_token_to_change_anything() -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(user_with(["campaigns.add_campaign"]))

    response = client.post("/api/v1/campaigns", {"name": "x", "channel": "sms", "base_template": ""})

    assert error(response, 403)["code"] == "permission_denied"


CALLS = [
    ("GET", "campaigns", "campaigns.view_campaign", 200),
    ("GET", "senders", "messaging.view_sender", 200),
    ("POST", "campaigns", "campaigns.add_campaign", 400),
    ("GET", "campaigns/{campaign}", "campaigns.view_campaign", 200),
    ("PATCH", "campaigns/{campaign}", "campaigns.change_campaign", 200),
    ("DELETE", "campaigns/{campaign}", "campaigns.delete_campaign", 204),
    ("POST", "campaigns/{campaign}/pause", "campaigns.change_campaign", 409),
    ("POST", "campaigns/{campaign}/cancel", "campaigns.change_campaign", 200),
    ("POST", "campaigns/{campaign}/unschedule", "campaigns.change_campaign", 409),
    ("POST", "campaigns/{campaign}/resume", "campaigns.send_campaign", 409),
    ("POST", "campaigns/{campaign}/send", "campaigns.send_campaign", 400),
    ("POST", "campaigns/{campaign}/preview", "campaigns.view_campaign customers.view_customer", 400),
    ("GET", "campaigns/{campaign}/audit", "campaigns.view_campaign messaging.view_outboundmessage", 200),
    ("GET", "campaigns/{campaign}/messages", "messaging.view_outboundmessage", 200),
    ("GET", "messages", "messaging.view_outboundmessage", 200),
    ("GET", "messages/1", "messaging.view_outboundmessage", 404),
    ("GET", "customers", "customers.view_customer", 200),
    ("POST", "customers", "customers.add_customer", 400),
    ("GET", "customers/{customer}", "customers.view_customer", 200),
    ("PATCH", "customers/{customer}", "customers.change_customer", 200),
    ("DELETE", "customers/{customer}", "customers.delete_customer", 204),
    ("GET", "customers/{customer}/consent", "customers.view_customer customers.view_consentevent", 200),
    (
        "GET",
        "customers/{customer}/timeline",
        "customers.view_customer customers.view_consentevent messaging.view_outboundmessage messaging.view_reply",
        200,
    ),
    ("GET", "replies", "messaging.view_reply", 200),
    ("POST", "customers/{customer}/consent", "customers.view_customer customers.add_consentevent", 400),
]


@pytest.mark.parametrize(("method", "path", "permissions", "status"), CALLS)
def test_each_call_asks_for_its_own_permission_and_no_other(
    caller: Caller, method: str, path: str, permissions: str, status: int
) -> None:
    needed = permissions.split()
    url = "/api/v1/" + path.format(campaign=CampaignFactory.create().pk, customer=CustomerFactory.create().pk)
    others = sorted(tokens.PERMISSIONS - set(needed))

    refused = error(caller(others).generic(method, url, "{}", content_type="application/json"), 403)
    allowed = caller(needed).generic(method, url, "{}", content_type="application/json")

    assert refused["code"] == "permission_denied"
    assert all(name in refused["detail"] for name in needed)
    assert allowed.status_code == status, allowed.content


def test_the_service_user_holds_exactly_the_permissions_that_calls_ask_for() -> None:
    assert {name for call in CALLS for name in call[2].split()} == tokens.PERMISSIONS


def test_what_may_not_be_done_may_not_be_probed_either(caller: Caller) -> None:
    assert caller([]).get("/api/v1/campaigns/999999").status_code == 403


def test_a_new_random_token_differs_from_the_last() -> None:
    user = UserFactory.create()
    assert len({tokens.create(user, "shop")[1] for _ in range(20)}) == 20
