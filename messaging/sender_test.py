"""The dialog that sends one message by a sender, to see on a phone whether it works."""

import secrets

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from campaigns.dialogs import Verb
from customers.forms import PhoneField
from customers.models import Channel
from messaging import accounts, outcome_words, trial
from messaging.models import Sender
from messaging.providers.base import Accepted


class TestForm(forms.Form):
    """Where the message goes and what it says."""

    phone = PhoneField(label=gettext_lazy("To this number"))
    channel = forms.ChoiceField(label=gettext_lazy("Channel"), widget=UnfoldAdminSelectWidget)
    text = forms.CharField(
        label=gettext_lazy("Text"), max_length=1_000, widget=UnfoldAdminTextareaWidget({"rows": 3}),
        initial=gettext_lazy("A test of this sender."),
    )  # fmt: skip

    def __init__(self, *args: object, channels: frozenset[str], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        field = self.fields["channel"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  (declared above)
        field.choices = [(each, str(Channel(each).label)) for each in Channel.values if each in channels]


class TestMessage(Verb):
    """One message outside the ledger and outside every campaign."""

    name, icon, variant = "test_message", "phone_iphone", ActionVariant.PRIMARY
    title, submit = gettext_lazy("Send a test message"), gettext_lazy("Send one test message")
    permission = "messaging.change_sender"
    is_dangerous = reviews = False

    def __init__(self, request: HttpRequest, sender: Sender) -> None:
        self.request = request
        self.sender = sender

    def respond(self) -> HttpResponse:
        """Show the dialog, or send the message and tell what the provider said. Leaves the house on a POST."""
        if not self.request.user.has_perm(self.permission):
            raise PermissionDenied
        channels = accounts.channels(accounts.get(self.sender.alias))
        if not channels:
            messages.error(self.request, _("Tick a channel that it sends first, and save."))
            return HttpResponseRedirect(page_url(self.sender))
        form = TestForm(self.request.POST or None, channels=channels)
        if self.request.method == "POST" and form.is_valid():
            asked = form.cleaned_data
            outcome = trial.try_account(
                self.sender.alias, channel=asked["channel"], phone=asked["phone"], text=asked["text"],
                reference=secrets.token_hex(8),
            )  # fmt: skip
            if isinstance(outcome, Accepted):
                known = outcome.provider_message_id or _("none")
                told = _("The provider accepted the test message; its id there: %(id)s.") % {"id": known}
                messages.success(self.request, told)
                return HttpResponseRedirect(page_url(self.sender))
            form.add_error(None, outcome_words.refusal(outcome))
        return render(self.request, "admin/campaigns/campaign/dialog.html", self._context(form))

    def _context(self, form: forms.Form) -> dict[str, object]:
        return {
            **admin.site.each_context(self.request),
            "title": self.title,
            "content_title": self.title,
            "opts": Sender._meta,  # noqa: SLF001  (Django's documented API)
            "original": self.sender,
            "dialog": self,
            "form": form,
            "media": form.media,
            "consequences": [_("One real message goes out at once. It is part of no campaign and is not counted.")],
            "page_url": page_url(self.sender),
            "action_url": reverse(f"admin:messaging_sender_{self.name}", args=[self.sender.pk]),
        }


def page_url(sender: Sender) -> str:
    """The sender's own page in the admin."""
    return reverse("admin:messaging_sender_change", args=[sender.pk])
