"""The admin's pages of messages, read-only, and the registration of those that messaging completes."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from campaigns.models import Campaign
from customers.models import Customer
from customers.tables import ByPhone
from messaging import accounts
from messaging.arrivals_admin import HookEventAdmin, ReplyAdmin, UnmatchedReceiptAdmin
from messaging.campaign_admin import SendingCampaignAdmin, WrittenToCustomerAdmin
from messaging.models import OutboundMessage
from messaging.reasons import Reason
from messaging.sender_admin import SenderAdmin

__all__ = ["HookEventAdmin", "MessageAdmin", "ReplyAdmin", "SenderAdmin", "UnmatchedReceiptAdmin"]

# The lower apps cannot know what is built on them, so their pages are replaced by those that do.
admin.site.unregister([Campaign, Customer])
admin.site.register(Campaign, SendingCampaignAdmin)
admin.site.register(Customer, WrittenToCustomerAdmin)


class ReasonFilter(admin.SimpleListFilter):
    """By reason, from the list of reasons and not from the table."""

    title = _("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """Every reason."""
        return Reason.choices

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        """Messages with it."""
        return queryset.filter(reason=self.value()) if self.value() else queryset


class ProviderFilter(admin.SimpleListFilter):
    """By provider, from the accounts and not from the table."""

    title = _("provider")
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """Every alias."""
        return [(alias, alias) for alias in accounts.known()]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        """Messages that went through it."""
        return queryset.filter(provider=self.value()) if self.value() else queryset


@admin.register(OutboundMessage)
class MessageAdmin(ByPhone):
    """The ledger, to read: who got what, and why not."""

    list_display = ("id", "campaign", "customer", "badge", "why", "retry_count", "sent_at")
    list_select_related = ("campaign", "customer")
    list_filter = ("status", ReasonFilter, "campaign__channel", ("campaign", AutocompleteSelectFilter), ProviderFilter)
    search_fields = ("customer__phone",)
    actions = None
    fieldsets: ClassVar[Any] = (
        (None, {"fields": (("campaign", "customer"), ("badge", "why"), "rendered_content")}),
        (
            _("Delivery"),
            {
                "fields": (
                    ("address", "parts"), ("provider", "provider_message_id"), ("retry_count", "last_error"),
                    ("due_at", "expires_at"), ("sent_at", "delivered_at"), ("created_at", "updated_at"),
                )
            },
        ),
    )  # fmt: skip

    @admin.display(description=_("status"))
    def badge(self, message: OutboundMessage) -> SafeString:
        """The status in its colour."""
        return format_html(
            '<span class="clarion-badge clarion-badge-{}">{}</span>', message.status, message.get_status_display()
        )

    @admin.display(description=_("reason"))
    def why(self, message: OutboundMessage) -> str:
        """Why it stands where it stands, in a sentence."""
        if not message.reason:
            return "–"
        return str(dict(Reason.choices).get(message.reason, message.reason))

    def get_readonly_fields(self, request: HttpRequest, obj: OutboundMessage | None = None) -> Any:
        """Everything."""
        return [*(field.name for field in self.opts.fields), "badge", "why"]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Also one customer's messages, for the link on the customer's page; there is an index for them."""
        return lookup == "customer__id__exact" or super().lookup_allowed(lookup, value, request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only a campaign writes messages."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: OutboundMessage | None = None) -> bool:
        """Only delivery moves them."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: OutboundMessage | None = None) -> bool:
        """They go with their campaign or their customer."""
        return False
