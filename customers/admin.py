"""The admin's pages of customers and opt-outs."""

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from customers import consent
from customers.forms import PhoneField, label
from customers.models import Customer, OptOut
from customers.phones import InvalidPhone, normalise
from customers.tables import BigTableAdmin

MOST_DELETED = 500
CHOICES = 20
# A name has no index, so a search for one reads these newest customers and no more: 15 ms.
NAMES_AMONG = 50_000


class ByPhone(BigTableAdmin):
    """Finds rows by one whole phone number, however it is written; the column's index answers."""

    search_help_text = _("Whole phone number, e.g. 0712 345 678")

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> "tuple[QuerySet[Any], bool]":
        """Rows with that number; none, and a word why, when the text is no number."""
        if not search_term.strip():
            return queryset, False
        try:
            phone = normalise(search_term, settings.DEFAULT_PHONE_REGION)
        except InvalidPhone as mistake:
            messages.warning(request, gettext("The search takes one whole phone number. %(why)s") % {"why": mistake})
            return queryset.none(), False
        return queryset.filter(**{self.search_fields[0]: phone}), False


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
        (_("Record"), {"fields": (("created_at", "updated_at"),)}),
    )
    readonly_fields = ("created_at", "updated_at")

    @admin.display(description=_("name"))
    def name(self, customer: Customer) -> str:
        """First and last name, or nothing."""
        return " ".join(filter(None, [customer.first_name, customer.last_name])) or "–"

    def get_fieldsets(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        """A customer that is not there yet has no record."""
        fieldsets = super().get_fieldsets(request, obj)
        return fieldsets if obj else fieldsets[:-1]

    def get_urls(self) -> list[URLPattern]:
        """The search box's answers stand beside the usual pages."""
        choose = path("choose/", self.admin_site.admin_view(self.choose), name="customers_customer_choose")
        return [choose, *super().get_urls()]

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


class OptOutForm(forms.ModelForm[OptOut]):
    """An opt-out with the phone as people write it."""

    phone = PhoneField()

    class Meta:
        model = OptOut
        fields = ("phone", "channel", "source")


@admin.register(OptOut)
class OptOutAdmin(ByPhone):
    """Opt-outs: list, search by exact phone, add; nothing is edited, because it says what somebody said."""

    form = OptOutForm
    list_display = ("phone", "channel", "source", "created_at")
    list_filter = ("channel",)
    search_fields = ("phone",)
    fields: ClassVar[Any] = ("phone", "channel", "source")

    def has_change_permission(self, request: HttpRequest, obj: OptOut | None = None) -> bool:
        """Nobody edits."""
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Where it comes from, as long as nobody says otherwise."""
        return {"source": "admin"} | super().get_changeform_initial_data(request)

    def save_model(self, request: HttpRequest, obj: OptOut, form: Any, change: bool) -> None:
        """Record it where all opt-outs are recorded."""
        consent.opt_out(phone=obj.phone, channel=obj.channel, source=obj.source)
        obj.pk = OptOut.objects.get(phone=obj.phone, channel=obj.channel).pk


admin.site.register(Customer, CustomerAdmin)
