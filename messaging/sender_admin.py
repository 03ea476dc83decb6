"""The admin's pages of senders: how fast each account may go, and what it is doing."""

from typing import Any

import structlog
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from customers.models import Channel
from customers.tables import ModelAdmin
from messaging import senders
from messaging.models import Sender

log = structlog.get_logger(__name__)


@admin.register(Sender)
class SenderAdmin(ModelAdmin[Sender]):
    """Everything to read, the rate to set. The rows are made for the aliases of MESSAGE_PROVIDERS and stay."""

    list_display = ("alias", "backend", "channels", "rate", "shown_rate", "doing", "failures")
    actions = None
    fields = (
        ("alias", "channels"),
        "backend",
        ("shown_rate", "updated_at"),
        ("doing", "failures"),
        "hook_address",
        "rate",
    )
    readonly_fields = ("hook_address", "alias", "backend", "channels", "shown_rate", "doing", "failures", "updated_at")
    list_per_page = 50

    @admin.display(description=_("class"))
    def backend(self, sender: Sender) -> str:
        """The adapter's class; none when the alias is no longer configured."""
        entry: dict[str, Any] = settings.MESSAGE_PROVIDERS.get(sender.alias, {})
        return str(entry.get("BACKEND", gettext("not in MESSAGE_PROVIDERS")))

    @admin.display(description=_("channels"))
    def channels(self, sender: Sender) -> str:
        """The channels that are routed to it."""
        return ", ".join(
            str(Channel(name).label) for name, alias in settings.MESSAGE_ROUTES.items() if alias == sender.alias
        )

    @admin.display(description=_("address for receipts"))
    def hook_address(self, sender: Sender) -> str:
        """What to tell the vendor; it holds a secret."""
        return senders.hook_url(sender.alias) or gettext("none: PUBLIC_URL is not set, or it hears nothing")

    @admin.display(description=_("rate in force"))
    def shown_rate(self, sender: Sender) -> str:
        """What holds now, whoever said so."""
        rate = _standing(sender).rate
        if rate is None:
            return gettext("no limit")
        return gettext("%(rate)s parts a second") % {"rate": number_format(rate)}

    @admin.display(description=_("now"))
    def doing(self, sender: Sender) -> str:
        """What it is doing, in a few words."""
        return _standing(sender).sentence

    @admin.display(description=_("failures in a row"))
    def failures(self, sender: Sender) -> int:
        """How many messages in a row came to nothing."""
        return _standing(sender).failures

    def save_model(self, request: HttpRequest, obj: Sender, form: Any, change: bool) -> None:
        """Set the rate and nothing else; workers follow it within two seconds."""
        senders.set_rate(obj.alias, obj.rate)
        log.info("sender_rate_set", alias=obj.alias, rate=obj.rate, user=request.user.pk)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """The settings say which accounts there are."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Sender | None = None) -> bool:
        """The settings say which accounts there are."""
        return False


def _standing(sender: Sender) -> senders.Standing:
    """Where it stands, asked once for each row that is shown; there are few."""
    kept: dict[str, Any] = sender.__dict__
    if "_standing" not in kept:
        [kept["_standing"]] = [each for each in senders.standings() if each.alias == sender.alias]
    standing: senders.Standing = kept["_standing"]
    return standing
