"""The form of a campaign in the admin, and the sample of its text that appears while it is typed."""

from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from campaigns import parts, rendering
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
    """Name, channel and text; the time is the schedule dialog's."""

    base_template = TemplateField(
        label=_("Text"), required=False, strip=False, validators=[MaxLengthValidator(LONGEST_TEMPLATE)]
    )

    class Meta:
        model = Campaign
        fields = ("name", "channel", "base_template")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
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
