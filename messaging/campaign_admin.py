"""The admin's pages of campaigns, with what touches their messages, and of customers, with what is sent to them."""

from typing import Any, ClassVar
from urllib.parse import urlencode

import structlog
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget

from campaigns.admin import CampaignAdmin
from campaigns.audience import MOST_LISTED, InvalidAudience
from campaigns.dialogs import button
from campaigns.models import Campaign
from customers.admin import CustomerAdmin
from customers.models import Customer
from messaging import failures, timeline
from messaging.campaign_dialogs import CHOSEN, AudienceForm, Schedule, Send, Unschedule
from messaging.campaign_test import TestSend
from messaging.models import OutboundMessage
from messaging.reasons import Reason
from messaging.second_chance_dialogs import Retry, Settle
from messaging.why import shares

log = structlog.get_logger(__name__)

# The file of those who were not reached holds messages as well as people.
EXPORT = ("messaging.view_outboundmessage", "customers.view_customer")
WHY = {"no_audience": _("Its time came and nobody had said whom to write to.")} | dict(Reason.choices)


def messages_line(queryset: "QuerySet[OutboundMessage]") -> dict[str, int]:
    """What a deletion page adds to its summary: the database deletes the messages, so Django does not see them."""
    count = queryset.count()
    return {str(OutboundMessage._meta.verbose_name_plural): count} if count else {}  # noqa: SLF001 (Django's API)


class SendingCampaignAdmin(CampaignAdmin):
    """Campaigns with send, schedule, unschedule, test send, retry and settle."""

    actions_detail: ClassVar[Any] = [
        "preview", "test_send", "unschedule", "schedule", "pause", "cancel", "resume", "send", "settle", "retry",
    ]  # fmt: skip

    facts = (*CampaignAdmin.facts, "messages_link", "replies_link", "reasons_table")

    @admin.display(description=_("messages"))
    def messages_link(self, campaign: Campaign) -> str:
        """To the campaign's messages."""
        return _link("messaging_outboundmessage", "campaign__id__exact", campaign.pk)

    @admin.display(description=_("replies"))
    def replies_link(self, campaign: Campaign) -> str:
        """To what people wrote after its messages."""
        return _link("messaging_reply", "campaign__id__exact", campaign.pk)

    @admin.display(description=_("reason"))
    def why(self, campaign: Campaign) -> str:
        """Why it is where it is, in a sentence."""
        return str(WHY.get(campaign.reason, campaign.reason))

    @admin.display(description=_("not reached"))
    def failures_link(self, campaign: Campaign) -> str:
        """To the file of those who were not reached, and why."""
        url = reverse("admin:campaigns_campaign_failures", args=[campaign.pk])
        return format_html('<a class="text-link" href="{}">{}</a>', url, _("Download (CSV)"))

    def get_fieldsets(self, request: HttpRequest, obj: Campaign | None = None) -> Any:
        """What happened also leads to the file, for those who may have it."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or not request.user.has_perms(EXPORT):
            return fieldsets
        *others, (title, options) = fieldsets
        return [*others, (title, {**options, "fields": [*options["fields"], "failures_link"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Campaign | None = None) -> Any:
        """The link is no input."""
        return (*super().get_readonly_fields(request, obj), "failures_link")

    def get_urls(self) -> list[URLPattern]:
        """The file stands beside the usual pages."""
        failures = path(
            "<path:object_id>/failures.csv",
            self.admin_site.admin_view(self.failures),
            name="campaigns_campaign_failures",
        )
        reasons = path(
            "<path:object_id>/reasons/",
            self.admin_site.admin_view(self.reasons),
            name="campaigns_campaign_reasons",
        )
        return [failures, reasons, *super().get_urls()]

    @admin.display(description=_("reasons"))
    def reasons_table(self, campaign: Campaign) -> str:
        """Filled in after the page has come: to count them may take a moment."""
        url = reverse("admin:campaigns_campaign_reasons", args=[campaign.pk])
        return format_html('<div hx-get="{}" hx-trigger="load" hx-swap="outerHTML">…</div>', url)

    def reasons(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """How many messages have which reason, each with a link to them."""
        campaign = self.campaign_or_404(request, object_id)
        if not request.user.has_perm("messaging.view_outboundmessage"):
            raise PermissionDenied
        context = {"campaign": campaign, "shares": shares(campaign.pk)}
        return render(request, "admin/campaigns/campaign/reasons.html", context)

    def failures(self, request: HttpRequest, object_id: str) -> StreamingHttpResponse:
        """Everybody who was not reached, and why, as a file; written while it is read, so that it takes no memory."""
        campaign = self.campaign_or_404(request, object_id)
        if not request.user.has_perms(EXPORT):
            raise PermissionDenied
        log.info("failures_exported", campaign=campaign.pk, user=request.user.pk)
        name = f"campaign-{campaign.pk}-failures.csv"
        return StreamingHttpResponse(
            failures.lines(campaign.pk),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    @button(Send)
    def send(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The send dialog."""
        return Send(request, self.campaign_or_404(request, object_id)).respond()

    @button(Schedule)
    def schedule(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The schedule dialog."""
        return Schedule(request, self.campaign_or_404(request, object_id)).respond()

    @button(Unschedule)
    def unschedule(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The unschedule dialog."""
        return Unschedule(request, self.campaign_or_404(request, object_id)).respond()

    @button(TestSend)
    def test_send(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The test dialog."""
        return TestSend(request, self.campaign_or_404(request, object_id)).respond()

    @button(Retry)
    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The retry dialog."""
        return Retry(request, self.campaign_or_404(request, object_id)).respond()

    @button(Settle)
    def settle(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The settle dialog."""
        return Settle(request, self.campaign_or_404(request, object_id)).respond()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What goes with a campaign: its messages, by its own count."""
        deleted, counts, lacking, protected = super().get_deleted_objects(objs, request)
        total = sum(campaign.progress.total for campaign in objs)
        name = str(OutboundMessage._meta.verbose_name_plural)  # noqa: SLF001  (Django's documented API)
        return deleted, counts | ({name: total} if total else {}), lacking, protected


class ChooseCampaignForm(forms.Form):
    """Which campaign the selected customers get."""

    campaign = forms.ModelChoiceField(
        label=_("Campaign"),
        queryset=Campaign.objects.filter(status__in=Send.statuses, audience__isnull=True),
        widget=UnfoldAdminSelectWidget,
        empty_label=_("Select a campaign"),
        help_text=_("Drafts and scheduled campaigns that have no audience yet."),
    )
    ids = forms.CharField(widget=forms.HiddenInput)


class WrittenToCustomerAdmin(CustomerAdmin):
    """Customers with the action that sends them a campaign, and with what a deletion takes along."""

    actions = ("send_campaign",)

    def get_urls(self) -> list[URLPattern]:
        """The page that follows the action."""
        send = path("send/", self.admin_site.admin_view(self.choose_campaign), name="customers_customer_send")
        happened = path(
            "<path:object_id>/timeline/", self.admin_site.admin_view(self.timeline), name="customers_customer_timeline"
        )
        return [send, happened, *super().get_urls()]

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Whether the action is offered."""
        return request.user.has_perm(Send.permission)

    @admin.action(permissions=["send"], description=_("Send a campaign to the selected customers"))
    def send_campaign(self, request: HttpRequest, queryset: "QuerySet[Customer]") -> HttpResponse | None:
        """Ask which campaign; the next page says what will happen, and the one after does it."""
        ids = list(queryset.order_by("pk").values_list("pk", flat=True)[: MOST_LISTED + 1])
        if len(ids) > MOST_LISTED:
            sentence = gettext("At most %(limit)s customers can be selected. A campaign can also be sent to everybody.")
            messages.error(request, sentence % {"limit": f"{MOST_LISTED:,}"})
            return None
        return self._ask(request, ChooseCampaignForm(initial={"ids": ",".join(map(str, ids))}), len(ids))

    def choose_campaign(self, request: HttpRequest) -> HttpResponse:
        """The campaign is chosen: show what its send dialog says of these customers. Sends nothing."""
        if not (self.has_send_permission(request) and self.has_view_permission(request)):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(reverse("admin:customers_customer_changelist"))
        form = ChooseCampaignForm(request.POST)
        if not form.is_valid():
            return self._ask(request, form, request.POST.get("ids", "").count(",") + 1)
        dialog = Send(request, form.cleaned_data["campaign"])
        audience = AudienceForm({"to": CHOSEN, "ids": form.cleaned_data["ids"]})
        try:
            if audience.is_valid():
                return dialog.review(audience)
        except InvalidAudience as refused:
            audience.add_error(None, str(refused))
        return dialog.show(audience)

    def _ask(self, request: HttpRequest, form: forms.Form, count: int) -> HttpResponse:
        many = ngettext("%(count)s customer is selected.", "%(count)s customers are selected.", count)
        context = self.admin_site.each_context(request) | {
            "title": gettext("Send a campaign"),
            "opts": self.opts,
            "form": form,
            "sentence": many % {"count": f"{count:,}"},
        }
        return render(request, "admin/customers/customer/send.html", context)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What goes with a customer: the messages, which the database deletes."""
        deleted, counts, lacking, protected = super().get_deleted_objects(objs, request)
        with_them = OutboundMessage.objects.filter(customer__in=[customer.pk for customer in objs])
        return deleted, counts | messages_line(with_them), lacking, protected

    def get_fieldsets(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        """The record also leads to the messages."""
        fieldsets = super().get_fieldsets(request, obj)
        if not obj:
            return fieldsets
        *others, (title, options) = fieldsets
        links = ("messages_link", "replies_link")
        return [*others, (title, {**options, "fields": [*options["fields"], links, "timeline_list"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        """The links are no input."""
        return (*super().get_readonly_fields(request, obj), "messages_link", "replies_link", "timeline_list")

    @admin.display(description=_("replies"))
    def replies_link(self, customer: Customer) -> str:
        """To what this number wrote."""
        return _link("messaging_reply", "phone__exact", customer.phone)

    @admin.display(description=_("timeline"))
    def timeline_list(self, customer: Customer) -> str:
        """Filled in after the page has come."""
        url = reverse("admin:customers_customer_timeline", args=[customer.pk])
        return format_html('<div hx-get="{}" hx-trigger="load" hx-swap="outerHTML">…</div>', url)

    def timeline(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What happened between this person and us, the newest first."""
        customer = self.get_object(request, unquote(object_id))
        if customer is None:
            raise Http404
        if not request.user.has_perms(timeline.PERMISSIONS):
            raise PermissionDenied
        return render(
            request, "admin/customers/customer/timeline.html", {"moments": timeline.of(customer), "most": timeline.MOST}
        )

    @admin.display(description=_("messages"))
    def messages_link(self, customer: Customer) -> str:
        """To what was sent to this customer."""
        return _link("messaging_outboundmessage", "customer__id__exact", customer.pk)


def _link(page: str, lookup: str, value: int | str) -> str:
    url = f"{reverse(f'admin:{page}_changelist')}?{urlencode({lookup: value})}"
    return format_html('<a class="text-link" href="{}">{}</a>', url, _("Show them"))
