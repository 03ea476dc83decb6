"""The dialogs of a campaign that write, remove or send messages: test send, send, schedule, unschedule."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, cast

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextInputWidget

from campaigns import audience
from campaigns.dialogs import Dialog, Refused
from campaigns.models import Campaign, Status
from campaigns.preview import preview
from customers.forms import CustomerField, CustomersField, PhoneField
from customers.models import Customer
from messaging import dispatch, trial
from messaging.providers.base import Accepted, OptedOut

EVERYBODY, CHOSEN = "all", "chosen"


class AudienceForm(forms.Form):
    """Whom to write to: everybody, or customers chosen here or on the list of customers."""

    to = forms.ChoiceField(
        label=gettext_lazy("To"),
        choices=[(EVERYBODY, gettext_lazy("Everybody")), (CHOSEN, gettext_lazy("Selected customers"))],
        initial=EVERYBODY,
        widget=UnfoldAdminRadioSelectWidget,
    )
    customers = CustomersField(label=gettext_lazy("Selected customers"), required=False)
    ids = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if sent := self.data.get("ids"):
            count = sent.count(",") + 1
            more = ngettext("%(count)s customer from the list", "%(count)s customers from the list", count)
            self.fields["customers"].help_text = _("Besides: %(more)s.") % {"more": more % {"count": f"{count:,}"}}

    def clean_ids(self) -> list[int]:
        """The ids that the list of customers or the reviewed page sent, in one field because there may be thousands."""
        try:
            return [int(item) for item in self.cleaned_data["ids"].split(",") if item]
        except ValueError as mistake:
            raise ValidationError(_("Customer ids must be integers.")) from mistake

    def audience(self) -> audience.Audience:
        """What was chosen; raises `InvalidAudience` when that is nobody or too many."""
        if self.cleaned_data["to"] == EVERYBODY:
            return audience.Everybody()
        chosen = list(self.cleaned_data["customers"].values_list("pk", flat=True))
        ids = chosen + self.cleaned_data["ids"]
        if not ids:
            raise audience.InvalidAudience("empty", _("Choose at least one customer."), "customers")
        return audience.listed(ids)


class Send(Dialog):
    """Give the campaign its audience and begin."""

    name, icon, variant = "send", "send", ActionVariant.PRIMARY
    title, submit = gettext_lazy("Send"), gettext_lazy("Send now")
    permission = "campaigns.send_campaign"
    statuses = frozenset({Status.DRAFT, Status.SCHEDULED})
    form_class: ClassVar[type[forms.Form]] = AudienceForm
    reviews = True

    @classmethod
    def suits(cls, campaign: Campaign) -> bool:
        """An audience is given once."""
        return campaign.audience is None

    def consequences(self, form: forms.Form) -> Sequence[str]:
        """How many are written to, how many are skipped, and when."""
        chosen = cast(AudienceForm, form).audience()
        at = self.campaign.scheduled_at
        when = (
            _("They go out on %(at)s, as scheduled.") % {"at": in_words(at)}
            if at and at > timezone.now()
            else _("They go out at once.")
        )
        return [*_numbers(self.campaign, chosen), when]

    def confirmed_fields(self, form: forms.Form) -> dict[str, str]:
        """Everybody, or the ids."""
        return audience_fields(cast(AudienceForm, form).audience())

    def perform(self, form: forms.Form) -> str:
        """Send it."""
        queued = dispatch.send(self.campaign, cast(AudienceForm, form).audience(), by=cast(User, self.request.user))
        return _told(queued)


class ScheduleForm(AudienceForm):
    """Whom to write to, and when."""

    at = forms.DateTimeField(
        label=gettext_lazy("Time"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"],
        widget=UnfoldAdminTextInputWidget({"type": "datetime-local", "step": "60"}),
    )
    field_order = ("at", "to", "customers", "ids")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        now = timezone.localtime()
        self.fields["at"].help_text = _("In the time zone %(zone)s, where it is now %(now)s.") % {
            "zone": timezone.get_current_timezone_name(),
            "now": f"{now:%Y-%m-%d %H:%M}",
        }

    def clean_at(self) -> datetime:
        """A time that is still to come."""
        at: datetime = self.cleaned_data["at"]
        if at <= timezone.now():
            raise ValidationError(_("This time has already passed."))
        return at


class TimeForm(ScheduleForm):
    """Another time for a campaign whose audience stands."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("to", "customers", "ids"):
            del self.fields[name]


class Schedule(Send):
    """Give the campaign its audience and its time, or another time."""

    name, icon, variant = "schedule", "schedule", ActionVariant.DEFAULT
    title, submit = gettext_lazy("Schedule"), gettext_lazy("Schedule the campaign")

    @classmethod
    def suits(cls, campaign: Campaign) -> bool:
        """A time may be changed as long as it has not come."""
        return True

    def make_form(self, data: Any = None) -> forms.Form:
        """With an audience, unless it is given already."""
        at = self.campaign.scheduled_at
        initial = {"at": f"{timezone.localtime(at):%Y-%m-%dT%H:%M}"} if at else {}
        return (ScheduleForm if self.campaign.audience is None else TimeForm)(data, initial=initial)

    def consequences(self, form: forms.Form) -> Sequence[str]:
        """How many are written to, how many are skipped, and when."""
        expires_at = self.campaign.expires_at
        if expires_at and expires_at <= form.cleaned_data["at"]:
            raise Refused(_("The campaign expires on %(at)s, before that.") % {"at": in_words(expires_at)})
        when = _("They go out on %(at)s.") % {"at": in_words(form.cleaned_data["at"])}
        if self.campaign.audience is None:
            return [*_numbers(self.campaign, cast(AudienceForm, form).audience()), when]
        return [_waiting(self.campaign), when]

    def confirmed_fields(self, form: forms.Form) -> dict[str, str]:
        """The time and the audience."""
        at = {"at": str(form.data.get("at", ""))}
        return at if self.campaign.audience else at | audience_fields(cast(AudienceForm, form).audience())

    def perform(self, form: forms.Form) -> str:
        """Set the time and send, together: a refused audience leaves a draft."""
        at = form.cleaned_data["at"]
        with transaction.atomic():
            gives_audience = self.campaign.audience is None
            self.campaign.revise(scheduled_at=at)
            if gives_audience:
                dispatch.send(self.campaign, cast(AudienceForm, form).audience(), by=cast(User, self.request.user))
        return _("The campaign is scheduled for %(at)s.") % {"at": in_words(at)}


class Unschedule(Dialog):
    """Back to draft."""

    name, icon = "unschedule", "event_busy"
    title, submit = gettext_lazy("Unschedule"), gettext_lazy("Make it a draft again")
    statuses = frozenset({Status.SCHEDULED})

    def consequences(self, form: forms.Form) -> Sequence[str]:
        """How many messages go."""
        count = self.campaign.progress.total
        removed = ngettext(
            "%(count)s message that waits is removed.", "%(count)s messages that wait are removed.", count
        )
        forgotten = _("The campaign becomes a draft without time and audience, and can be edited again.")
        return [removed % {"count": f"{count:,}"}, forgotten] if count else [forgotten]

    def perform(self, form: forms.Form) -> str:
        """Unschedule it."""
        count = dispatch.unschedule(self.campaign)
        return _("The campaign is a draft again; %(count)s messages were removed.") % {"count": f"{count:,}"}


class TestForm(forms.Form):
    """Where the test goes, and whose fields it shows."""

    phone = PhoneField(label=gettext_lazy("To this number"))
    customer = CustomerField(
        label=gettext_lazy("With the fields of"),
        required=False,
        help_text=gettext_lazy("Empty: the customer with that number, or else the newest one."),
    )


class TestSend(Dialog):
    """One message outside the ledger, to see it on a phone."""

    name, icon = "test_send", "phone_iphone"
    title, submit = gettext_lazy("Test send"), gettext_lazy("Send one test message")
    permission = "campaigns.send_campaign"
    statuses = frozenset({Status.DRAFT, Status.SCHEDULED, Status.SENDING, Status.PAUSED})
    form_class: ClassVar[type[forms.Form]] = TestForm

    def consequences(self, form: forms.Form) -> Sequence[str]:
        """One message."""
        return [_("One real message goes out at once. It is not counted, and the campaign stays as it is.")]

    def perform(self, form: forms.Form) -> str:
        """Send it; raises `Refused` with what the provider said unless it accepted."""
        phone = form.cleaned_data["phone"]
        customer = form.cleaned_data["customer"] or _like(phone)
        shown = preview(self.campaign, customer) if customer else None
        text = shown.rendered_content if shown else self.campaign.base_template
        if not text.strip():
            raise Refused(_("The text is empty."))
        variables = shown.variables if shown else ()
        outcome = trial.send_test(
            self.campaign, phone=phone, text=text, reference=secrets.token_hex(8), variables=variables
        )
        if isinstance(outcome, Accepted):
            return _("The provider accepted the test message.")
        if isinstance(outcome, OptedOut):
            raise Refused(outcome.error)
        raise Refused(_("The provider did not accept the test message: %(error)s") % {"error": outcome.error})


def audience_fields(chosen: audience.Audience) -> dict[str, str]:
    """An audience as the hidden fields of `AudienceForm`."""
    if isinstance(chosen, audience.Everybody):
        return {"to": EVERYBODY, "ids": ""}
    return {"to": CHOSEN, "ids": ",".join(map(str, chosen.ids))}


def in_words(at: datetime) -> str:
    """A time in the zone of TIME_ZONE, with its name."""
    local = timezone.localtime(at)
    return f"{date_format(local, 'DATETIME_FORMAT')} ({timezone.get_current_timezone_name()})"


def _numbers(campaign: Campaign, chosen: audience.Audience) -> list[str]:
    found = dispatch.estimate(campaign, chosen)
    count = found.recipients - found.opted_out - found.no_consent
    if not found.recipients:
        raise audience.InvalidAudience("nobody", _("There is nobody to write to."), "customers")
    written = ngettext("%(count)s customer will be written to.", "%(count)s customers will be written to.", count)
    sentences = [written % {"count": f"{count:,}"}]
    if found.opted_out:
        skipped = ngettext(
            "%(count)s has opted out and will be skipped.",
            "%(count)s have opted out and will be skipped.",
            found.opted_out,
        )
        sentences.append(skipped % {"count": f"{found.opted_out:,}"})
    if found.no_consent:
        skipped = ngettext(
            "%(count)s has never opted in and will be skipped.",
            "%(count)s have never opted in and will be skipped.",
            found.no_consent,
        )
        sentences.append(skipped % {"count": f"{found.no_consent:,}"})
    return sentences


def _waiting(campaign: Campaign) -> str:
    count = max(campaign.progress.pending, campaign.expected)
    return ngettext("%(count)s message is waiting.", "%(count)s messages are waiting.", count) % {"count": f"{count:,}"}


def _told(queued: dispatch.Queued) -> str:
    if queued.launching or not queued.messages_queued:
        sentence = ngettext(
            "%(count)s message will be written.", "%(count)s messages will be written.", queued.expected
        )
        return sentence % {"count": f"{queued.expected:,}"}
    sentence = ngettext("%(count)s message is queued.", "%(count)s messages are queued.", queued.messages_queued)
    skipped = _("%(count)s skipped.") % {"count": f"{queued.skipped:,}"} if queued.skipped else ""
    return f"{sentence % {'count': f'{queued.messages_queued:,}'}} {skipped}".strip()


def _like(phone: str) -> Customer | None:
    same = Customer.objects.filter(phone=phone).first()
    return same or Customer.objects.order_by("-pk").first()
