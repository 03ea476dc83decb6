"""Dialogs of a campaign's page: each says what a verb will do to how many, and does it when that page is sent back.

A GET never changes anything; a door makes one domain call, and what the domain refuses becomes a sentence on the page.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.enums import ActionVariant

from campaigns.audience import InvalidAudience
from campaigns.models import Campaign, IllegalTransition, Status

CONFIRMED = "_confirmed"
View = TypeVar("View", bound=Callable[..., Any])


class Refused(Exception):
    """What was asked for cannot be done as the form says; `str()` is the sentence shown above it."""


class Verb:
    """What a button on a page says, and where it leads."""

    name: ClassVar[str]
    title: ClassVar[Any]
    icon: ClassVar[str]
    variant: ClassVar[ActionVariant] = ActionVariant.DEFAULT


class Dialog(Verb):
    """One verb as a page. Subclasses name it, say when it is offered, what it will do, and do it."""

    submit: ClassVar[Any]
    is_dangerous: ClassVar[bool] = False
    permission: ClassVar[str] = "campaigns.change_campaign"
    statuses: ClassVar[frozenset[Status]]
    form_class: ClassVar[type[forms.Form]] = forms.Form
    # Whether the form is sent twice: what it would do is told after it is filled in, and then confirmed.
    reviews: ClassVar[bool] = False
    template: ClassVar[str] = "admin/campaigns/campaign/dialog.html"

    def __init__(self, request: HttpRequest, campaign: Campaign) -> None:
        self.request = request
        self.campaign = campaign

    @classmethod
    def is_offered(cls, request: HttpRequest, campaign: Campaign) -> bool:
        """Whether this user may do it and the campaign is where it can be done; the database has the last word."""
        return request.user.has_perm(cls.permission) and campaign.status in cls.statuses and cls.suits(campaign)

    @classmethod
    def suits(cls, campaign: Campaign) -> bool:
        """What else must be so for the dialog to be offered."""
        return True

    def make_form(self, data: Any = None) -> forms.Form:
        """The form, bound to what was sent."""
        return self.form_class(data)

    def consequences(self, form: forms.Form) -> Sequence[str]:
        """Sentences that say what will happen to how many; the form is valid when the dialog reviews, else unbound."""
        raise NotImplementedError

    def confirmed_fields(self, form: forms.Form) -> dict[str, str]:
        """What the reviewed page sends back, as hidden fields."""
        return {name: str(form.data.get(name, "")) for name in form.fields}

    def perform(self, form: forms.Form) -> str:
        """Make the one domain call; the sentence that tells what was done. Raises what the domain raises."""
        raise NotImplementedError

    def context(self, form: forms.Form, **extra: Any) -> dict[str, Any]:
        """What the page shows."""
        return {
            **admin.site.each_context(self.request),
            "title": self.title,
            "content_title": self.title,
            "opts": Campaign._meta,  # noqa: SLF001  (Django's documented API)
            "original": self.campaign,
            "dialog": self,
            "form": form,
            "media": form.media,
            "page_url": page_url(self.campaign),
            "action_url": reverse(f"admin:campaigns_campaign_{self.name}", args=[self.campaign.pk]),
            **extra,
        }

    def show(self, form: forms.Form, **extra: Any) -> HttpResponse:
        """The page."""
        return render(self.request, self.template, self.context(form, **extra))

    def review(self, form: forms.Form) -> HttpResponse:
        """The page again, with what will happen and the form's values out of sight."""
        hidden = self.confirmed_fields(form) | {CONFIRMED: "1"}
        return self.show(form, consequences=self.consequences(form), hidden=hidden)

    def respond(self) -> HttpResponse:
        """Answer the request: show the page, or do what it says."""
        if not self.request.user.has_perm(self.permission):
            raise PermissionDenied
        if not self.is_offered(self.request, self.campaign):
            sentence = _("“%(verb)s” is not possible: the campaign is %(status)s.")
            status = self.campaign.get_status_display()
            return self._leave(messages.ERROR, sentence % {"verb": self.title, "status": status})
        if self.request.method != "POST":
            form = self.make_form()
            return self.show(form, consequences=() if self.reviews else self.consequences(form))
        form = self.make_form(self.request.POST)
        try:
            return self._answer(form)
        except (InvalidAudience, Refused) as refused:
            form.add_error(None, str(refused))
            return self.show(form)

    def _answer(self, form: forms.Form) -> HttpResponse:
        if not form.is_valid():
            return self.show(form, consequences=() if self.reviews else self.consequences(form))
        if self.reviews and CONFIRMED not in self.request.POST:
            return self.review(form)
        try:
            return self._leave(messages.SUCCESS, self.perform(form))
        except IllegalTransition as refused:
            return self._leave(messages.ERROR, str(refused))

    def _leave(self, level: int, sentence: str) -> HttpResponse:
        messages.add_message(self.request, level, sentence)
        return HttpResponseRedirect(page_url(self.campaign))


def page_url(campaign: Campaign) -> str:
    """The campaign's own page in the admin."""
    return reverse("admin:campaigns_campaign_change", args=[campaign.pk])


def button(dialog: type[Verb]) -> Callable[[View], View]:
    """Mark an admin's method as the view behind a dialog's button: what unfold reads of an action of the change page.

    unfold's own decorator is not used: its permissions know no status, and its system check asks the database before
    the first migration.
    """

    def mark(view: View) -> View:
        for name, value in {
            "short_description": dialog.title,
            "url_path": dialog.name,
            "icon": dialog.icon,
            "variant": dialog.variant,
            "attrs": {},
            "dialog_class": dialog,
        }.items():
            setattr(view, name, value)
        return view

    return mark
