"""The dialog that sends one text of a campaign to one number, to see it on a phone."""

import secrets
from collections.abc import Sequence
from typing import ClassVar

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.dialogs import Dialog, Refused
from campaigns.models import Status
from campaigns.preview import preview
from customers.forms import CustomerField, PhoneField
from customers.models import Customer
from messaging import outcome_words, trial
from messaging.providers.base import Accepted


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
        raise Refused(outcome_words.refusal(outcome))


def _like(phone: str) -> Customer | None:
    same = Customer.objects.filter(phone=phone).first()
    return same or Customer.objects.order_by("-pk").first()
