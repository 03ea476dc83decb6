"""The dialogs of a campaign that has ended: retry what failed, settle what nobody knows about."""

from collections.abc import Sequence
from typing import Any, ClassVar, cast

from django import forms
from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminRadioSelectWidget

from campaigns.dialogs import Dialog
from campaigns.models import ENDED, Campaign
from messaging import second_chances
from messaging.models import OutboundMessage, Status
from messaging.reasons import Reason

RESEND, LEAVE = "resend", "leave"


class Checkboxes(UnfoldAdminCheckboxSelectMultipleWidget):  # type: ignore[misc]  # unfold carries no types
    """Checkboxes whose values may also come in one field, separated by commas, as the reviewed page sends them."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        """The values that were ticked."""
        del files
        return [code for given in data.getlist(name) for code in given.split(",") if code]


class RetryForm(forms.Form):
    """Which of the failed messages, by their reasons."""

    reasons = forms.MultipleChoiceField(label=gettext_lazy("Which of them"), widget=Checkboxes)

    def __init__(self, data: Any, counts: dict[Reason, int]) -> None:
        super().__init__(data)
        self.counts = counts
        field = cast(forms.MultipleChoiceField, self.fields["reasons"])
        field.choices = [
            (reason.value, format_html("{} ({})", reason.label, f"{count:,}")) for reason, count in counts.items()
        ]
        field.initial = list(counts)

    def chosen(self) -> list[Reason]:
        """The reasons that were ticked."""
        return [Reason(code) for code in self.cleaned_data["reasons"]]


class Retry(Dialog):
    """Try failed messages again."""

    name, icon = "retry", "replay"
    title, submit = gettext_lazy("Retry failed"), gettext_lazy("Send them again")
    permission = "campaigns.send_campaign"
    statuses = ENDED
    reviews = True

    @classmethod
    def suits(cls, campaign: Campaign) -> bool:
        """Some have failed."""
        return campaign.progress.failed > 0

    def make_form(self, data: Any = None) -> forms.Form:
        """With the reasons that this campaign's messages have."""
        return RetryForm(data, second_chances.failed_by_reason(self.campaign))

    def consequences(self, form: forms.Form) -> Sequence[str]:
        """How many go out again."""
        retry = cast(RetryForm, form)
        count = sum(retry.counts[reason] for reason in retry.chosen())
        again = ngettext(
            "%(count)s message that failed is sent again, with the same text.",
            "%(count)s messages that failed are sent again, with the same texts.",
            count,
        )
        return [again % {"count": f"{count:,}"}, _skipped(), *_too_late(self.campaign)]

    def confirmed_fields(self, form: forms.Form) -> dict[str, str]:
        """The reasons, in one field."""
        return {"reasons": ",".join(cast(RetryForm, form).chosen())}

    def perform(self, form: forms.Form) -> str:
        """Retry them."""
        again = second_chances.retry(self.campaign, cast(RetryForm, form).chosen(), by=cast(User, self.request.user))
        return _queued(again.messages_queued)


class SettleForm(forms.Form):
    """What to do with them."""

    unknown = forms.ChoiceField(
        label=gettext_lazy("These messages"),
        choices=[
            (LEAVE, gettext_lazy("Leave them as they are")),
            (RESEND, gettext_lazy("Send them again, although they may have arrived")),
        ],
        initial=LEAVE,
        widget=UnfoldAdminRadioSelectWidget,
    )


class Settle(Dialog):
    """Resend the unknown ones, or leave them."""

    name, icon = "settle", "contact_support"
    title, submit = gettext_lazy("Settle unknown"), gettext_lazy("Do it")
    permission = "campaigns.send_campaign"
    statuses = ENDED
    form_class: ClassVar[type[forms.Form]] = SettleForm
    reviews = True

    @classmethod
    def suits(cls, campaign: Campaign) -> bool:
        """There are some."""
        return campaign.progress.unknown > 0

    def consequences(self, form: forms.Form) -> Sequence[str]:
        """How many may get it twice, or stay as they are."""
        count = self.campaign.progress.unknown
        if form.cleaned_data["unknown"] == LEAVE:
            return [_left(count), _("Nothing is sent and nothing is changed.")]
        again = ngettext(
            "%(count)s message is sent again. It may have arrived: a person may get it twice.",
            "%(count)s messages are sent again. They may have arrived: %(count)s people may get them twice.",
            count,
        )
        return [again % {"count": f"{count:,}"}, _skipped(), *_still_asked(self.campaign), *_too_late(self.campaign)]

    def perform(self, form: forms.Form) -> str:
        """Settle them."""
        again = second_chances.settle(self.campaign, form.cleaned_data["unknown"], by=cast(User, self.request.user))
        return _queued(again.messages_queued) if again.messages_queued else _left(again.left)


def _skipped() -> str:
    return _("People who have opted out meanwhile are skipped.")


def _too_late(campaign: Campaign) -> list[str]:
    late = campaign.expires_at is not None and campaign.expires_at <= timezone.now()
    return [_("But the campaign has expired: give it a later expiry first, on its page.")] if late else []


def _still_asked(campaign: Campaign) -> list[str]:
    unknown = OutboundMessage.objects.filter(campaign=campaign, status=Status.UNKNOWN)
    count = unknown.filter(due_at__isnull=False).count()
    sentence = ngettext(
        "The provider is still being asked about %(count)s of them; wait, and it may be known what became of it.",
        "The provider is still being asked about %(count)s of them; wait, and it may be known what became of them.",
        count,
    )
    return [sentence % {"count": f"{count:,}"}] if count else []


def _queued(count: int) -> str:
    return ngettext("%(count)s message is queued.", "%(count)s messages are queued.", count) % {"count": f"{count:,}"}


def _left(count: int) -> str:
    sentence = ngettext("%(count)s message stays unknown.", "%(count)s messages stay unknown.", count)
    return sentence % {"count": f"{count:,}"}
