"""The admin's pages of what came in at the door, read-only."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Length
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from customers.tables import BigTableAdmin, ByPhone
from messaging.arrivals import HookEvent, Reply, UnmatchedReceipt
from messaging.models import Sender

# Of a body; the rest is in the database.
MOST_SHOWN = 20_000
SHORT = 80


class ReadOnly(BigTableAdmin):
    """Rows that only vendors make, and only working off moves."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only vendors make them."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only working off moves them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They go with `manage.py purge`."""
        return False


class Whether(admin.SimpleListFilter):
    """Rows of one of a few kinds, each with an index of its own."""

    kinds: "dict[str, tuple[Any, dict[str, Any], dict[str, Any]]]"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """The kinds."""
        return [(key, words) for key, (words, _wanted, _unwanted) in self.kinds.items()]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        """Rows of the chosen kind."""
        if self.value() not in self.kinds:
            return queryset
        _words, wanted, unwanted = self.kinds[str(self.value())]
        rows = queryset.filter(**wanted)
        return rows.exclude(**unwanted) if unwanted else rows


class FateFilter(Whether):
    """By what became of the request."""

    title = _("what became of it")
    parameter_name = "fate"
    kinds = {  # noqa: RUF012 (as Django's own)
        "waiting": (_("waiting"), {"done_at": None}, {}),
        "faulty": (_("could not be worked off"), {}, {"fault": ""}),
    }


class TriedFilter(Whether):
    """By whether it is tried again."""

    title = _("tried again")
    parameter_name = "tried"
    kinds = {  # noqa: RUF012 (as Django's own)
        "again": (_("yes"), {"next_try_at__isnull": False}, {}),
        "kept": (_("no more"), {"next_try_at": None}, {}),
    }


class WishFilter(Whether):
    """By what was heard; those that a person should read have an index of their own."""

    title = _("wish")
    parameter_name = "heard"
    kinds = {  # noqa: RUF012 (as Django's own)
        "to_read": (_("to be read by a person"), {"heard": "among_others"}, {}),
        "opt_out": (_("opts out"), {"wish": "opt_out"}, {"heard": "among_others"}),
        "opt_in": (_("opts in"), {"wish": "opt_in"}, {"heard": "among_others"}),
        "help": (_("asks for help"), {"wish": "help"}, {"heard": "among_others"}),
    }


class AliasFilter(admin.SimpleListFilter):
    """By sender, from the few senders and not from the table."""

    title = _("sender")
    parameter_name = "alias"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """Every sender."""
        return [(alias, alias) for alias in Sender.objects.values_list("alias", flat=True)]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        """What came for it."""
        return queryset.filter(alias=self.value()) if self.value() else queryset


@admin.register(HookEvent)
class HookEventAdmin(ReadOnly):
    """What vendors sent, as it came."""

    list_display = ("id", "alias", "method", "size", "received_at", "done_at", "fault")
    list_filter = (FateFilter, AliasFilter)
    fields = (("alias", "method"), ("received_at", "done_at"), "fault", "query", "headers", "text")
    readonly_fields = ("text",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        """In the list without the bodies, but for their size."""
        rows: QuerySet[Any] = super().get_queryset(request)
        if request.resolver_match and request.resolver_match.url_name == "messaging_hookevent_changelist":
            rows = rows.defer("body", "headers", "query").annotate(bytes=Length("body"))
        return rows

    @admin.display(description=_("bytes"))
    def size(self, event: HookEvent) -> int:
        """How long its body is."""
        return int(getattr(event, "bytes", 0))

    @admin.display(description=_("body"))
    def text(self, event: HookEvent) -> str:
        """Its body as far as it is text."""
        body = bytes(event.body)
        shown = body[:MOST_SHOWN].decode(errors="replace")
        return shown if len(body) <= MOST_SHOWN else gettext("%(text)s … (%(bytes)d bytes)") % {
            "text": shown, "bytes": len(body),
        }  # fmt: skip


@admin.register(Reply)
class ReplyAdmin(ReadOnly, ByPhone):
    """What people wrote back, and what was made of it."""

    list_display = ("at", "phone", "short", "wish", "heard", "campaign", "answer_status")
    list_display_links = ("at", "phone")
    list_select_related = ("campaign",)
    list_filter = (WishFilter, "channel", AliasFilter)
    search_fields = ("phone",)
    fields = (
        ("phone", "channel"), "text", ("wish", "heard"), ("at", "received_at"), ("campaign", "message"),
        ("alias", "to"), "answer", ("answer_status", "answer_error"),
    )  # fmt: skip
    readonly_fields = ("message",)

    @admin.display(description=_("text"))
    def short(self, reply: Reply) -> str:
        """As much of it as fits on a line."""
        return Truncator(reply.text).chars(SHORT)

    @admin.display(description=_("the last message before it"))
    def message(self, reply: Reply) -> str:
        """A link to it; it may have been deleted since."""
        if not reply.message_id:
            return "–"
        url = reverse("admin:messaging_outboundmessage_change", args=[reply.message_id])
        return format_html('<a class="text-link" href="{}">{}</a>', url, reply.message_id)


@admin.register(UnmatchedReceipt)
class UnmatchedReceiptAdmin(ReadOnly):
    """Receipts that name no message."""

    list_display = ("id", "alias", "status", "opted_out", "reference", "at", "received_at", "next_try_at")
    list_filter = (TriedFilter, "status", "opted_out", AliasFilter)
    fields = (
        ("alias", "status"), ("reference", "provider_message_id"), ("at", "received_at"), ("tried_at", "next_try_at"),
        ("error", "opted_out"),
    )  # fmt: skip
