"""The form of a campaign in the admin, and the sample of its text that appears while it is typed."""

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from campaigns import parts, rendering, sender_choice
from campaigns.models import LONGEST_TEMPLATE, Campaign
from campaigns.placeholders import TEXT_COLUMNS
from campaigns.preview import preview
from customers.models import Channel, Customer, CustomerAttribute

MOST_FIELDS_NAMED = 40
MOST_PROBLEMS_TOLD = 5


class TemplateField(forms.CharField):
    """A text with line breaks as it will be sent: a browser sends CR LF, which would count twice on a phone."""

    def to_python(self, value: Any) -> str:
        """The text with plain line feeds."""
        return (super().to_python(value) or "").replace("\r\n", "\n").replace("\r", "\n")


class CampaignForm(forms.ModelForm[Campaign]):
    """Name, channel, sender, text, template, expiry and weight; the time is the schedule dialog's."""

    expires_at = forms.DateTimeField(
        label=_("Expires at"),
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"],
        widget=UnfoldAdminTextInputWidget({"type": "datetime-local", "step": "60"}),
    )
    base_template = TemplateField(
        label=_("Text"), required=False, strip=False, validators=[MaxLengthValidator(LONGEST_TEMPLATE)]
    )

    sender = forms.ChoiceField(label=_("Sender"), required=False, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = Campaign
        fields = (
            "name", "channel", "sender", "base_template", "whatsapp_template", "whatsapp_language", "expires_at",
            "weight",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(field := self.fields.get("sender"), forms.ChoiceField):
            field.help_text = Campaign._meta.get_field("sender").help_text  # noqa: SLF001  (Django's documented API)
            field.choices = _senders(self.instance.sender)
        if field := self.fields.get("expires_at"):
            field.help_text = _("What has not gone out by then is never sent. In the time zone %(zone)s.") % {
                "zone": timezone.get_current_timezone_name()
            }
            if self.instance.expires_at:
                # As the browser's input writes it; with the seconds, so that what was not touched is known again.
                self.initial["expires_at"] = f"{timezone.localtime(self.instance.expires_at):%Y-%m-%dT%H:%M:%S}"
        if field := self.fields.get("base_template"):
            field.help_text = fields_help()
            field.widget = UnfoldAdminTextareaWidget(
                {
                    "rows": 5,
                    "hx-post": reverse("admin:campaigns_campaign_sample"),
                    "hx-trigger": "load, keyup changed delay:400ms, change from:#id_channel",
                    "hx-target": "#sample",
                }
            )

    def clean_expires_at(self) -> datetime | None:
        """A time to come, and later than the start; one that was not changed may have passed."""
        at: datetime | None = self.cleaned_data["expires_at"]
        was = self.instance.expires_at
        if at is None or (was and at == was.replace(microsecond=0)):
            return at and was
        if at <= timezone.now():
            raise ValidationError(_("This time has already passed."))
        if self.instance.scheduled_at and at <= self.instance.scheduled_at:
            raise ValidationError(_("The campaign must expire later than it starts."))
        return at

    def clean(self) -> dict[str, Any] | None:
        """The sender serves the channel; what is no longer edited was looked at before."""
        cleaned = super().clean() or self.cleaned_data
        channel = cleaned.get("channel", self.instance.channel)
        if problem := sender_choice.mistake(cleaned.get("sender", ""), channel):
            self.add_error("sender", problem)
        return cleaned


def _senders(chosen: str) -> list[tuple[str, str]]:
    """Those that can be chosen, and the one that was, though it may be gone."""
    known = {each.alias: str(each) for each in sender_choice.choices()}
    gone = {chosen: chosen} if chosen else {}
    return [("", gettext("the channel's default")), *(gone | known).items()]


def fields_help() -> SafeString:
    """The fields that a text may use, as they are written in it, and the place of the sample."""
    attributes = CustomerAttribute.objects.order_by("name").values_list("name", flat=True)[:MOST_FIELDS_NAMED]
    names = [_in_template(name) for name in (*TEXT_COLUMNS, *attributes)]
    return format_html(
        '{} {}<br>{}<div id="sample"></div>',
        gettext("Fields:"),
        format_html_join(" ", "<code>{}</code>", ((name,) for name in names)),
        gettext("With a default for customers without a value: {FirstName|Guest}."),
    )


def sample(request: HttpRequest) -> HttpResponse:
    """The text that was typed as the newest customer would get it, its parts, and what looks like a mistake in it."""
    text = TemplateField(required=False, strip=False).to_python(request.POST.get("base_template", ""))
    text = text.replace("\0", "")[:LONGEST_TEMPLATE]
    channel = request.POST.get("channel", "")
    return render(request, "admin/campaigns/campaign/sample.html", describe(text, channel))


def describe(text: str, channel: str) -> dict[str, Any]:
    """What the sample shows of a text on a channel."""
    attributes = list(CustomerAttribute.objects.values_list("name", flat=True))
    customer = Customer.objects.order_by("-pk").first()
    shown = preview(Campaign(channel=channel, base_template=text), customer) if customer else None
    counted = parts.count(shown.rendered_content if shown else text) if channel == Channel.SMS else None
    problems = rendering.problems(rendering.Language.SIMPLE, text, attributes)
    return {
        "text": text,
        "customer": customer,
        "preview": shown,
        "counted": counted,
        "forcing_character": parts.forcing_character(shown.rendered_content if shown else text) if counted else None,
        "problems": problems[:MOST_PROBLEMS_TOLD],
    }


def _in_template(name: str) -> str:
    return "{" + "".join(word.capitalize() for word in name.split("_")) + "}"
