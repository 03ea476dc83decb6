"""No page of the admin changes anything when it is only looked at."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from campaigns.audience import listed
from campaigns.models import Campaign, Status
from config import tokens
from customers import consent
from messaging import dispatch
from messaging.models import OutboundMessage
from messaging.providers.base import GiveUp, Unknown
from messaging.providers.memory import Memory
from tests.factories import CampaignFactory, UserFactory, customers
from tests.messaging.driving import deliver_due, sending_campaign

# Django's sessions and the cache of content types are not of our making.
NOT_OURS = {"django_session", "django_content_type", "django_migrations", "auth_permission"}
LEAVES = {"logout", "r/", "jsi18n/", "autocomplete/"}


def paths(patterns: list[Any], prefix: str = "") -> Iterator[str]:
    """Every path of the admin as it is written in the URL configuration."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from paths(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route


def of_the_admin() -> list[str]:
    [resolver] = [each for each in get_resolver().url_patterns if str(each.pattern) == "admin/"]
    assert isinstance(resolver, URLResolver)
    return [path for path in paths(resolver.url_patterns, "admin/") if "(" not in path]


def contents() -> dict[str, Any]:
    """Every row of every table, as PostgreSQL prints it."""
    names = set(connection.introspection.table_names()) - NOT_OURS
    found = {}
    with connection.cursor() as cursor:
        for name in sorted(names):
            cursor.execute(f'SELECT t::text FROM "{name}" AS t ORDER BY 1')
            found[name] = [line for (line,) in cursor.fetchall()]
    return found


@pytest.fixture
def everything(db: None, outbox: Memory) -> dict[str, list[Any]]:
    """Something of every kind, and campaigns in every state."""
    outbox.answer = lambda envelope: GiveUp("no") if int(envelope.reference) % 2 else Unknown("no answer")
    ended = sending_campaign(2)
    deliver_due()
    outbox.clear()
    people = customers(3)
    consent.opt_out(phone=people[0].phone, channel="sms", source="test")
    campaigns = [CampaignFactory.create(), sending_campaign(), sending_campaign()]
    campaigns[2].pause()
    later = timezone.now() + timedelta(hours=1)
    campaigns.append(CampaignFactory.create(scheduled_at=later, status=Status.SCHEDULED))
    dispatch.send(campaigns[3], listed([people[1].pk]), by=None)
    tokens.create(UserFactory.create(), "test")
    for campaign in (*campaigns, ended):
        campaign.refresh_from_db()
    return {model._meta.label_lower: list(model._default_manager.all()) for model in admin.site._registry}


def test_walking_every_page_of_the_admin_changes_nothing(
    superuser: Client, everything: dict[str, list[Any]], outbox: Memory
) -> None:
    superuser.get("/admin/")
    before = contents()
    walked = 0
    for path in of_the_admin():
        if any(leaf in path for leaf in LEAVES):
            continue
        for url in addresses(path, everything):
            response = superuser.get(url, {"to": "all", "_confirmed": "1", "post": "yes", "action": "delete_selected"})
            assert response.status_code in {200, 302, 403}, url
            walked += 1
    assert walked > 80
    assert contents() == before
    assert not outbox.outbox
    assert Campaign.objects.count() == 5
    assert OutboundMessage.objects.count() == 9


def addresses(path: str, everything: dict[str, list[Any]]) -> Iterator[str]:
    """The path with each object of its kind in it."""
    if "<" not in path:
        yield f"/{path}"
        return
    _admin, app, model, *_rest = path.split("/")
    for row in everything.get(f"{app}.{model}", []):
        for blank in ("<path:object_id>", "<id>"):
            path_of_row = path.replace(blank, str(row.pk))
            if "<" not in path_of_row:
                yield f"/{path_of_row}"


def test_the_walk_knows_the_pages_that_would_change_something() -> None:
    found = of_the_admin()
    for verb in (
        "send",
        "schedule",
        "unschedule",
        "pause",
        "resume",
        "cancel",
        "test_send",
        "preview",
        "retry",
        "settle",
    ):
        assert f"admin/campaigns/campaign/<path:object_id>/{verb}/" in found
