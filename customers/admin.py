"""The admin's pages of customers; those of their consent stand in `consent_admin`."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from customers.consent_admin import ConsentAnswerAdmin, ConsentEventAdmin, ConsentWordAdmin
from customers.consent_dialog import ConsentDialog, panel
from customers.forms import PhoneField, label
from customers.models import ConsentState, Customer
from customers.phones import InvalidPhone, normalise
from customers.tables import ByPhone

__all__ = ["ConsentAnswerAdmin", "ConsentEventAdmin", "ConsentWordAdmin", "CustomerAdmin"]

MOST_DELETED = 500
CHOICES = 20
# A name has no index, so a search for one reads these newest customers and no more: 15 ms.
NAMES_AMONG = 50_000


class CustomerForm(forms.ModelForm[Customer]):
    """A customer with the phone as people write it."""

    phone = PhoneField()

    class Meta:
        model = Customer
        fields = (
            "phone", "first_name", "last_name", "location", "preferred_product", "language", "time_zone", "attributes",
        )  # fmt: skip


class CustomerAdmin(ByPhone):
    """Customers: list, search by exact phone, add, change, delete."""

    form = CustomerForm
    list_display = ("name", "phone", "location", "preferred_product", "language", "created_at")
    list_display_links = ("name", "phone")
    search_fields = ("phone",)
    fieldsets = (
        (None, {"fields": ("phone", ("first_name", "last_name"))}),
        (_("About"), {"fields": (("location", "preferred_product"), ("language", "time_zone"), "attributes")}),
        (_("Consent"), {"fields": ("consent",)}),
        (_("Record"), {"fields": (("created_at", "updated_at"),)}),
    )
    readonly_fields = ("created_at", "updated_at", "consent")

    @admin.display(description=_("name"))
    def name(self, customer: Customer) -> str:
        """First and last name, or nothing."""
        return " ".join(filter(None, [customer.first_name, customer.last_name])) or "–"

    def get_fieldsets(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        """A customer that is not there yet has no record; what people said is shown to who may read it."""
        about, more, said, record = super().get_fieldsets(request, obj)
        if not obj:
            return [about, more]
        may_read = request.user.has_perm("customers.view_consentevent")
        return [about, more, said, record] if may_read else [about, more, record]

    @admin.display(description=_("consent"))
    def consent(self, customer: Customer) -> SafeString:
        """What counts now for each channel, what was said, and the buttons of the dialogs."""
        return panel(customer)

    def get_urls(self) -> list[URLPattern]:
        """The search box's answers and the dialogs of consent stand beside the usual pages."""
        wrap = self.admin_site.admin_view
        return [
            path("choose/", wrap(self.choose), name="customers_customer_choose"),
            path("<int:object_id>/opt-out/", wrap(self.opt_out), name="customers_customer_opt_out"),
            path("<int:object_id>/opt-in/", wrap(self.opt_in), name="customers_customer_opt_in"),
            *super().get_urls(),
        ]

    def opt_out(self, request: HttpRequest, object_id: int) -> HttpResponseBase:
        """The dialog that records that the customer does not want to be written to."""
        return ConsentDialog(request, self._seen(request, object_id), ConsentState.OPTED_OUT).respond()

    def opt_in(self, request: HttpRequest, object_id: int) -> HttpResponseBase:
        """The dialog that records that the customer wants to be written to."""
        return ConsentDialog(request, self._seen(request, object_id), ConsentState.OPTED_IN).respond()

    def _seen(self, request: HttpRequest, object_id: int) -> Customer:
        customer = get_object_or_404(Customer, pk=object_id)
        if not self.has_view_or_change_permission(request, customer):
            raise PermissionDenied
        return customer

    def choose(self, request: HttpRequest) -> HttpResponseBase:
        """At most twenty customers to choose from, as select2 wants them; the newest when nothing is asked for."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = self.choices_for(request.GET.get("term", "").replace("\0", ""))
        return JsonResponse(
            {"results": [{"id": str(customer.pk), "text": label(customer)} for customer in found], "more": False}
        )

    @staticmethod
    def choices_for(term: str) -> "QuerySet[Customer]":
        """Customers with that phone number, or whose first or last name begins so, among the newest 50,000."""
        term = term.strip()
        if not term:
            return Customer.objects.order_by("-pk")[:CHOICES]
        try:
            return Customer.objects.filter(phone=normalise(term, settings.DEFAULT_PHONE_REGION))
        except InvalidPhone:
            last = Customer.objects.aggregate(last=Max("pk"))["last"] or 0
            begins = Q(first_name__istartswith=term) | Q(last_name__istartswith=term)
            first, _blank, second = term.partition(" ")
            if second:
                begins |= Q(first_name__istartswith=first, last_name__istartswith=second.strip())
            return Customer.objects.filter(begins, pk__gt=last - NAMES_AMONG).order_by("-pk")[:CHOICES]

    @admin.action(permissions=["delete"], description=_("Delete the selected customers"))
    def delete_selected_customers(self, request: HttpRequest, queryset: "QuerySet[Customer]") -> Any:
        """Django's own page and action, for as many as its form can carry."""
        from django.contrib.admin.actions import delete_selected  # (it wants loaded apps)

        if queryset[: MOST_DELETED + 1].count() > MOST_DELETED:
            sentence = gettext("At most %(limit)d customers can be deleted at once.") % {"limit": MOST_DELETED}
            messages.error(request, sentence)
            return None
        return delete_selected(self, request, queryset)

    def get_actions(self, request: HttpRequest) -> Any:
        """Our deletion takes the place of Django's."""
        actions = super().get_actions(request)
        if "delete_selected" in actions:
            ours: Any = type(self).delete_selected_customers
            actions["delete_selected"] = (ours, "delete_selected", gettext("Delete the selected customers"))
        return actions

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Customer]") -> None:
        """Each customer in a transaction of its own, by ascending id.

        One statement for all would lock the messages of many campaigns in no order and could wait in a circle with a
        delivery.
        """
        for pk in sorted(queryset.values_list("pk", flat=True)):
            with transaction.atomic():
                Customer.objects.filter(pk=pk).delete()


admin.site.register(Customer, CustomerAdmin)
