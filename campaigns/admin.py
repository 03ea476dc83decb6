"""The admin's pages of campaigns: list, form, live progress, and the buttons of what concerns the campaign alone."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns.admin_dialogs import Cancel, Pause, Preview, Resume
from campaigns.campaign_form import CampaignForm, sample
from campaigns.dialogs import button, page_url
from campaigns.models import ENDED, KEPT, Campaign, IllegalTransition, Status
from campaigns.progress_bar import bar, panel, status_badge
from customers.tables import ModelAdmin

EDITABLE = frozenset({Status.DRAFT, Status.SCHEDULED})
# While it goes out or is held back, expiry and weight can still be changed.
BEGUN = frozenset({Status.SENDING, Status.PAUSED, *ENDED})
# What of it the messages are made of and go out by.
WRITTEN = ("channel", "sender", "base_template", "whatsapp_template", "whatsapp_language")
SAVE_BUTTONS = ("show_save", "show_save_and_continue", "show_save_and_add_another")


class CampaignAdmin(ModelAdmin[Campaign]):
    """Campaigns, as far as they are campaigns alone; messaging adds what touches messages."""

    form = CampaignForm
    list_display = ("name", "badge", "channel", "progress_cell", "scheduled_at", "created_at")
    list_select_related = ("progress",)
    list_filter = ("status", "channel")
    list_per_page = 50
    search_fields = ("name",)
    search_help_text = _("Part of the name")
    actions_detail: ClassVar[Any] = ["preview", "pause", "resume", "cancel"]
    change_form_outer_before_template = "admin/campaigns/campaign/panel.html"
    facts: ClassVar[tuple[str, ...]] = (
        "shown_status", "why", "shown_audience", "scheduled_at", "launched_at", "started_at", "ended_at", "created_by",
        "launched_by", "created_at",
    )  # fmt: skip

    @admin.display(description=_("status"), ordering="status")
    def badge(self, campaign: Campaign) -> SafeString:
        """The status in its colour."""
        return status_badge(campaign)

    @admin.display(description=_("status"))
    def shown_status(self, campaign: Campaign) -> SafeString:
        """The status in its colour."""
        return status_badge(campaign)

    @admin.display(description=_("reason"))
    def why(self, campaign: Campaign) -> str:
        """Why it is where it is, when Clarion itself moved it."""
        return campaign.reason

    @admin.display(description=_("audience"))
    def shown_audience(self, campaign: Campaign) -> str:
        """Whom it is for, in words."""
        kind = (campaign.audience or {}).get("kind")
        return {"list": gettext("selected customers"), "all": gettext("everybody")}.get(
            kind or "", gettext("not given")
        )

    @admin.display(description=_("progress"))
    def progress_cell(self, campaign: Campaign) -> SafeString:
        """A small bar with the counts."""
        return render_to_string("admin/campaigns/campaign/small_bar.html", {"bar": bar(campaign)})

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Campaign]":
        """Campaigns with their counts, which every page shows."""
        return super().get_queryset(request).select_related("progress", "created_by", "launched_by")

    def get_fieldsets(self, request: HttpRequest, obj: Campaign | None = None) -> Any:
        """What the marketer writes, then what Clarion knows."""
        written = (
            "name", ("channel", "sender"), "base_template", ("whatsapp_template", "whatsapp_language"),
            ("expires_at", "weight"),
        )  # fmt: skip
        fieldsets: list[Any] = [(None, {"fields": written})]
        if obj:
            pairs = [tuple(self.facts[first : first + 2]) for first in range(0, len(self.facts), 2)]
            fieldsets.append((_("What happened"), {"fields": pairs}))
        return fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Campaign | None = None) -> Any:
        """What may no longer be edited is shown; `Campaign.revise` refuses it all the same."""
        if obj is None:
            return ()
        if obj.status in BEGUN:
            return ("name", *WRITTEN, *self.facts)
        if obj.status not in EDITABLE:
            return ("name", *WRITTEN, "expires_at", "weight", *self.facts)
        return (*WRITTEN, *self.facts) if obj.audience else self.facts

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """The buttons that the campaign's status and the user's permissions allow."""
        campaign = self.get_object(request, unquote(str(object_id)))
        offered = [
            self.get_unfold_action(name)  # type: ignore[attr-defined]  # unfold carries no types
            for name in self.actions_detail
        ]
        return [each for each in offered if campaign and each.method.dialog_class.is_offered(request, campaign)]

    def get_urls(self) -> list[URLPattern]:
        """The dialogs are unfold's actions; the progress and the sample stand beside them."""
        wrap = self.admin_site.admin_view
        return [
            path("sample/", wrap(self.sample), name="campaigns_campaign_sample"),
            path("<path:object_id>/progress/", wrap(self.progress), name="campaigns_campaign_progress"),
            *super().get_urls(),
        ]

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """The form with the panel above it; what the campaign's status refuses becomes a sentence."""
        context = dict(extra_context or {})
        campaign = self.get_object(request, unquote(object_id)) if object_id else None
        if campaign:
            context |= {"panel": panel(campaign), "show_history": False, "show_delete": campaign.status not in KEPT}
            if campaign.status not in EDITABLE | BEGUN:
                context |= dict.fromkeys(SAVE_BUTTONS, False)
        try:
            return super().changeform_view(request, object_id, form_url, context)
        except IllegalTransition as refused:
            messages.error(request, str(refused))
            return HttpResponseRedirect(page_url(refused.campaign))

    def save_model(self, request: HttpRequest, obj: Campaign, form: Any, change: bool) -> None:
        """A new campaign is saved; a change goes through `revise`, which writes nothing but what was changed."""
        if change:
            obj.revise(**{name: form.cleaned_data[name] for name in form.changed_data})
        else:
            obj.created_by_id = request.user.pk
            super().save_model(request, obj, form, change)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Not while messages are on their way or held back; the sentence says what to do first."""
        campaign = self.get_object(request, unquote(object_id))
        try:
            _refuse_while_kept(campaign)
            return super().delete_view(request, object_id, extra_context)
        except IllegalTransition as refused:
            messages.error(request, f"{refused} {gettext('Cancel it first.')}")
            return HttpResponseRedirect(page_url(refused.campaign))

    def delete_model(self, request: HttpRequest, obj: Campaign) -> None:
        """Delete it and, in the database, its messages, unless it is sending or paused at that very moment."""
        obj.remove()

    def get_actions(self, request: HttpRequest) -> Any:
        """No deletion of many at once: each campaign's own page says what goes with it."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def sample(self, request: HttpRequest) -> HttpResponse:
        """The text that is being typed, as a customer would get it; changes nothing."""
        if not (self.has_change_permission(request) or self.has_add_permission(request)):
            raise PermissionDenied
        return sample(request)

    def progress(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The panel alone, for the page that polls; one read of one row.

        When the status is no longer the one that the page's buttons were made for, the page is told to load again.
        """
        campaign = self.campaign_or_404(request, object_id)
        query = request.GET.dict()
        answer = render(request, "admin/campaigns/campaign/progress.html", {"panel": panel(campaign, query)})
        if query.get("status", campaign.status) != campaign.status:
            answer["HX-Refresh"] = "true"
        return answer

    def campaign_or_404(self, request: HttpRequest, object_id: str) -> Campaign:
        """The campaign of a URL; raises `Http404`, and `PermissionDenied` when the user may not see it."""
        campaign = self.get_object(request, unquote(object_id))
        if campaign is None:
            raise Http404
        if not self.has_view_or_change_permission(request, campaign):
            raise PermissionDenied
        return campaign

    @button(Preview)
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The preview dialog."""
        return Preview(request, self.campaign_or_404(request, object_id)).respond()

    @button(Pause)
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The pause dialog."""
        return Pause(request, self.campaign_or_404(request, object_id)).respond()

    @button(Resume)
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The resume dialog."""
        return Resume(request, self.campaign_or_404(request, object_id)).respond()

    @button(Cancel)
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The cancel dialog."""
        return Cancel(request, self.campaign_or_404(request, object_id)).respond()


def _refuse_while_kept(campaign: Campaign | None) -> None:
    if campaign and campaign.status in KEPT:
        raise IllegalTransition(campaign, gettext("deleted"))


admin.site.register(Campaign, CampaignAdmin)
