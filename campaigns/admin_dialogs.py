"""The dialogs that concern the campaign alone: preview, pause, resume, cancel."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.enums import ActionVariant

from campaigns.dialogs import Dialog
from campaigns.models import Campaign, Status
from campaigns.preview import preview
from customers.forms import CustomerField


class PreviewForm(forms.Form):
    """Whose text to show."""

    customer = CustomerField(label=gettext_lazy("As customer"))


class Preview(Dialog):
    """The text as one chosen customer would get it; changes nothing."""

    name, icon = "preview", "visibility"
    title, submit = gettext_lazy("Preview"), gettext_lazy("Show")
    statuses = frozenset(Status)
    form_class = PreviewForm

    def consequences(self, form: forms.Form) -> Sequence[str]:
        """None."""
        return ()

    def _answer(self, form: forms.Form) -> HttpResponse:
        if not form.is_valid():
            return self.show(form)
        customer = form.cleaned_data["customer"]
        return self.show(form, preview=preview(self.campaign, customer), customer=customer)


class Pause(Dialog):
    """Hold the campaign back."""

    name, icon, variant = "pause", "pause", ActionVariant.WARNING
    title, submit = gettext_lazy("Pause"), gettext_lazy("Pause the campaign")
    statuses = frozenset({Status.SENDING, Status.SCHEDULED})

    def consequences(self, form: forms.Form) -> Sequence[str]:
        """How many wait."""
        return [
            _waiting(self.campaign),
            _("Messages that are on their way to the provider at this moment still go out. Resume whenever you like."),
        ]

    def perform(self, form: forms.Form) -> str:
        """Pause it."""
        self.campaign.pause()
        return _("The campaign is paused.")


class Resume(Dialog):
    """Let a paused campaign go on."""

    name, icon, variant = "resume", "play_arrow", ActionVariant.PRIMARY
    title, submit = gettext_lazy("Resume"), gettext_lazy("Resume the campaign")
    permission = "campaigns.send_campaign"
    statuses = frozenset({Status.PAUSED})

    def consequences(self, form: forms.Form) -> Sequence[str]:
        """How many go out."""
        return [_waiting(self.campaign), _("They go out from now on, or at the scheduled time if it is still to come.")]

    def perform(self, form: forms.Form) -> str:
        """Resume it."""
        self.campaign.resume()
        return _("The campaign goes on: it is %(status)s.") % {"status": self.campaign.get_status_display()}


class Cancel(Dialog):
    """End the campaign for good."""

    name, icon, variant = "cancel", "cancel", ActionVariant.DANGER
    title, submit = gettext_lazy("Cancel campaign"), gettext_lazy("Cancel the campaign for good")
    is_dangerous = True
    statuses = frozenset({Status.DRAFT, Status.SCHEDULED, Status.SENDING, Status.PAUSED})

    def consequences(self, form: forms.Form) -> Sequence[str]:
        """How many never go out."""
        return [_waiting(self.campaign), _("They will never be sent. This cannot be undone.")]

    def perform(self, form: forms.Form) -> str:
        """Cancel it."""
        self.campaign.cancel()
        return _("The campaign is cancelled.")


def waiting(campaign: Campaign) -> int:
    """How many of its messages have not gone out: those written, or those expected while they are being written."""
    progress = campaign.progress
    unwritten = max(campaign.expected - progress.total, 0) if campaign.audience else 0
    return progress.pending + unwritten


def _waiting(campaign: Campaign) -> str:
    count: Any = waiting(campaign)
    if not count:
        return _("No message is waiting.")
    sentence = ngettext("%(count)s message is waiting.", "%(count)s messages are waiting.", count)
    return sentence % {"count": f"{count:,}"}
