"""What a person reads on a page of the admin."""

import re
from html import unescape
from typing import Any

from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign
from messaging.audit import audit


def text(response: Any) -> str:
    """The words of the page, without tags, in one line."""
    body = re.sub(r"<(script|style).*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def page(campaign: Campaign) -> str:
    """The campaign's page."""
    return reverse("admin:campaigns_campaign_change", args=[campaign.pk])


def dialog(campaign: Campaign, name: str) -> str:
    """The page of a verb."""
    return reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])


def buttons(client: Client, campaign: Campaign) -> set[str]:
    """The verbs that the campaign's page offers."""
    body = client.get(page(campaign)).content.decode()
    found = re.findall(rf'href="/admin/campaigns/campaign/{campaign.pk}/(\w+)/"', body)
    return set(found) - {"history", "delete", "change"}


def hidden(response: Any) -> dict[str, str]:
    """The hidden fields of the dialog, which its button sends back."""
    body = response.content.decode()
    form = body[body.index('id="dialog-form"') :]
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
    return {name: unescape(value) for name, value in fields if name != "csrfmiddlewaretoken"}


def snapshot(campaign: Campaign) -> tuple[Any, ...]:
    """Everything that a verb could change."""
    campaign.refresh_from_db()
    fields = {field.name: getattr(campaign, field.attname) for field in campaign._meta.concrete_fields}
    return fields, audit(campaign)["rows"]
