"""The admin's pages of senders: set up, changed and removed, tried out, and what each is doing."""

from typing import Any, ClassVar

import structlog
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline

from campaigns.dialogs import button
from customers.models import Channel
from customers.tables import ModelAdmin
from messaging import accounts, adapters, board, defaults, providers, senders
from messaging.models import Sender, SenderPrice
from messaging.sender_form import NewSenderForm, form_for, option_fields
from messaging.sender_test import TestMessage, page_url

log = structlog.get_logger(__name__)

FACTS = (
    "shown_backend",
    "shown_channels",
    "shown_rate",
    "doing",
    "failures",
    "lately",
    "trouble",
    "updated_at",
)
OURS = ("is_enabled", "sends_sms", "sends_whatsapp", "is_default_sms", "is_default_whatsapp")


class PriceInline(TabularInline):  # type: ignore[misc]  # unfold carries no types
    """What a part costs there, for whoever may change the sender."""

    model = SenderPrice
    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for the sender."""
        return request.user.has_perm("messaging.view_sender") or self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for the sender."""
        return request.user.has_perm("messaging.change_sender")

    has_add_permission = has_delete_permission = has_change_permission


@admin.register(Sender)
class SenderAdmin(ModelAdmin[Sender]):
    """Accounts of MESSAGE_PROVIDERS, of which rate, kind and prices are set here; and those that are made here."""

    list_display = ("alias", "shown_backend", "shown_channels", "rate", "shown_rate", "doing", "failures")
    actions = None
    actions_detail: ClassVar[Any] = ["test_message"]
    list_per_page = 50
    inlines = (PriceInline,)

    @admin.display(description=_("vendor"))
    def shown_backend(self, sender: Sender) -> str:
        """Whose it is, for people, and whether the settings say so."""
        if (entry := settings.MESSAGE_PROVIDERS.get(sender.alias)) is not None:
            return gettext("%(class)s, from the settings") % {"class": entry["BACKEND"]}
        if not sender.backend:
            return gettext("not in MESSAGE_PROVIDERS")
        adapter = adapters.shipped().get(sender.backend)
        return adapter.label if adapter else sender.backend

    @admin.display(description=_("channels"))
    def shown_channels(self, sender: Sender) -> str:
        """Those that it may serve, and of which it is the default."""
        found = []
        for channel in Channel.values:
            if accounts.default(channel) == sender.alias:
                found.append(gettext("%(channel)s (default)") % {"channel": Channel(channel).label})
            elif accounts.serves(sender.alias, channel):
                found.append(str(Channel(channel).label))
        return ", ".join(found) or gettext("none")

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

    @admin.display(description=_("the last hour's answers"))
    def lately(self, sender: Sender) -> str:
        """How often the provider said what."""
        counts = board.last_hour(sender.alias)
        if counts is None:
            return gettext("not known: Redis does not answer")
        return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or gettext("none")

    @admin.display(description=_("trouble"))
    def trouble(self, sender: Sender) -> str:
        """Why no adapter can be made of it, if so."""
        try:
            provider = providers.get(sender.alias)
        except providers.UnknownAlias:
            return gettext("There is no such account.")
        return provider.error if isinstance(provider, providers.Unusable) else gettext("none")

    @admin.display(description=_("address for receipts and replies"))
    def door(self, sender: Sender) -> str:
        """What the vendor is to call. It holds a secret: only who may change the sender is shown it."""
        return senders.hook_url(sender.alias) or gettext(
            "none: PUBLIC_URL is not set, this vendor tells nothing, or its account is not filled in yet"
        )

    def get_form(self, request: HttpRequest, obj: Sender | None = None, change: bool = False, **kwargs: Any) -> Any:
        """With the fields of the sender's adapter."""
        form = form_for(obj) if obj else NewSenderForm
        return super().get_form(request, obj, change, **kwargs | {"form": form})

    def get_fieldsets(self, request: HttpRequest, obj: Sender | None = None) -> Any:
        """What it is, its adapter's options, and what it is doing."""
        if obj is None:
            return [(None, {"fields": ("alias", "backend", "kind", "rate")})]
        is_ours = _is_ours(obj)
        ours: tuple[Any, ...] = ("is_enabled", OURS[1:3], OURS[3:5]) if is_ours else ()
        if is_ours and defaults.waiting():
            ours = (*ours, "moves")
        fieldsets: list[Any] = [(None, {"fields": ("alias", *ours, ("kind", "rate"))})]
        if is_ours and self.has_change_permission(request, obj) and (fields := option_fields(obj)):
            fieldsets.append((_("Account"), {"fields": fields}))
        pairs: list[Any] = [FACTS[first : first + 2] for first in range(0, len(FACTS), 2)]
        door = ["door"] if self.has_change_permission(request, obj) else []
        return [*fieldsets, (_("Now"), {"fields": pairs + door})]

    def get_readonly_fields(self, request: HttpRequest, obj: Sender | None = None) -> Any:
        """An alias and a vendor stay; what the settings say is theirs."""
        return () if obj is None else ("alias", *FACTS, "door")

    def get_inline_instances(self, request: HttpRequest, obj: Sender | None = None) -> Any:
        """Prices when the sender is there."""
        return super().get_inline_instances(request, obj) if obj else []

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """The test, for who may change the sender."""
        if not request.user.has_perm(TestMessage.permission):
            return []
        return [self.get_unfold_action(name) for name in self.actions_detail]  # type: ignore[attr-defined]

    @button(TestMessage)
    def test_message(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The test dialog."""
        sender = self.get_object(request, unquote(object_id))
        if sender is None:
            raise Http404
        try:
            return TestMessage(request, sender).respond()
        except providers.UnknownAlias:
            messages.error(request, gettext("There is no such account."))
            return HttpResponseRedirect(page_url(sender))

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """What running campaigns refuse becomes a sentence."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except senders.InUse as refused:
            return self._refuse(request, object_id, refused)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """What running campaigns refuse becomes a sentence."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except senders.InUse as refused:
            return self._refuse(request, object_id, refused)

    def _refuse(self, request: HttpRequest, object_id: str | None, refused: senders.InUse) -> HttpResponse:
        messages.error(request, str(refused))
        return HttpResponseRedirect(page_url(Sender(pk=int(unquote(object_id or "0")))))

    def save_model(self, request: HttpRequest, obj: Sender, form: Any, change: bool) -> None:
        """Workers follow within two seconds; of what the settings say nothing is written."""
        if change and not _is_ours(obj):
            senders.set_terms(obj.alias, rate=obj.rate, kind=obj.kind)
        else:
            senders.save(obj)
        log.info("sender_saved", alias=obj.alias, rate=obj.rate, enabled=obj.is_enabled, user=request.user.pk)

    def delete_model(self, request: HttpRequest, obj: Sender) -> None:
        """Delete it unless it is in use."""
        senders.remove(obj)
        log.info("sender_removed", alias=obj.alias, user=request.user.pk)

    def response_add(self, request: HttpRequest, obj: Sender, post_url_continue: Any = None) -> Any:
        """To its page, where its adapter's options are asked for."""
        messages.info(request, gettext("Now give it the account's options, and enable it."))
        return HttpResponseRedirect(page_url(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Sender | None = None) -> bool:
        """What the settings name stays."""
        return super().has_delete_permission(request, obj) and (
            obj is None or obj.alias not in settings.MESSAGE_PROVIDERS
        )


def _is_ours(sender: Sender) -> bool:
    """Whether people set it up, and not the settings."""
    return bool(sender.backend) and sender.alias not in settings.MESSAGE_PROVIDERS


def _standing(sender: Sender) -> senders.Standing:
    """Where it stands, asked once for each row that is shown; there are few."""
    kept: dict[str, Any] = sender.__dict__
    if "_standing" not in kept:
        [kept["_standing"]] = [each for each in senders.standings() if each.alias == sender.alias]
    standing: senders.Standing = kept["_standing"]
    return standing
