"""What a customer's page shows of consent, and the two dialogs that record what the customer said.

A GET never changes anything; who recorded it and why is kept with it.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from customers import consent
from customers.models import Channel, Consent, ConsentSource, ConsentState, Customer

PERMISSION = "customers.add_consentevent"
MOST_SHOWN = 20


def how_known() -> forms.CharField:
    """The field that is never left empty: how we know what somebody said."""
    return forms.CharField(
        label=gettext_lazy("How do you know?"),
        help_text=gettext_lazy("For example: said so on the phone, letter of 3 May. It is kept with your name."),
        max_length=consent.LONGEST_NOTE,
        widget=UnfoldAdminTextInputWidget,
    )


class ConsentForm(forms.Form):
    """On which channel, and how we know."""

    channel = forms.ChoiceField(label=gettext_lazy("Channel"), choices=Channel.choices, widget=UnfoldAdminSelectWidget)
    note = how_known()


class ConsentDialog:
    """Records for one customer's number that it opted out or in."""

    def __init__(self, request: HttpRequest, customer: Customer, state: ConsentState) -> None:
        self.request = request
        self.customer = customer
        self.state = state

    def respond(self) -> HttpResponse:
        """Show the page, or do what it says and go back to the customer; raises `PermissionDenied`."""
        if not self.request.user.has_perm(PERMISSION):
            raise PermissionDenied
        form = ConsentForm(self.request.POST if self.request.method == "POST" else None)
        if not form.is_valid():
            return render(self.request, "admin/customers/customer/consent_dialog.html", self._context(form))
        self._record(**form.cleaned_data)
        messages.success(self.request, str(DONE[self.state]))
        return HttpResponseRedirect(page_url(self.customer))

    def _record(self, channel: str, note: str) -> None:
        say = consent.opt_out if self.state == ConsentState.OPTED_OUT else consent.opt_in
        say(
            phone=self.customer.phone, channel=channel, source=ConsentSource.ADMIN, by=self.request.user.pk, note=note,
        )  # fmt: skip

    def _context(self, form: ConsentForm) -> dict[str, Any]:
        return {
            **admin.site.each_context(self.request),
            "title": TITLES[self.state],
            "opts": Customer._meta,  # noqa: SLF001  (Django's documented API)
            "original": self.customer,
            "consequence": CONSEQUENCES[self.state],
            "is_dangerous": self.state == ConsentState.OPTED_OUT,
            "form": form,
            "page_url": page_url(self.customer),
        }


TITLES = {ConsentState.OPTED_OUT: gettext_lazy("Opt out"), ConsentState.OPTED_IN: gettext_lazy("Opt in")}
CONSEQUENCES = {
    ConsentState.OPTED_OUT: gettext_lazy(
        "From now on nobody writes to this number on that channel: messages that wait for it are skipped. It holds for"
        " the number, also when the customer is deleted and comes back."
    ),
    ConsentState.OPTED_IN: gettext_lazy(
        "From now on campaigns may write to this number on that channel. Record it only when the person said so;"
        " messages that were skipped stay skipped."
    ),
}
DONE = {
    ConsentState.OPTED_OUT: gettext_lazy("It is recorded: the number has opted out."),
    ConsentState.OPTED_IN: gettext_lazy("It is recorded: the number has opted in."),
}


def panel(customer: Customer) -> SafeString:
    """What counts now for each channel and the last that was said, as HTML. Three queries."""
    known = {row.channel: row for row in Consent.objects.filter(phone=customer.phone)}
    events = list(consent.history(customer.phone)[:MOST_SHOWN])
    names = user_names({event.user_id for event in events if event.user_id})
    return render_to_string(
        "admin/customers/customer/consent.html",
        {
            "customer": customer,
            "channels": [(channel.label, known.get(channel.value)) for channel in Channel],
            "events": [(event, names.get(event.user_id or 0, "")) for event in events],
        },
    )


def user_names(ids: set[int]) -> dict[int, str]:
    """What these users are called; one who is gone is called by the id."""
    names = {pk: _("user %(id)d") % {"id": pk} for pk in ids}
    if ids:
        names.update(User.objects.filter(pk__in=ids).values_list("pk", "username"))
    return names


def page_url(customer: Customer) -> str:
    """The customer's own page in the admin."""
    return reverse("admin:customers_customer_change", args=[customer.pk])
