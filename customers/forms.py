"""Form fields that the admin needs wherever it asks for a phone number or for customers."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminAutocompleteWidget,
    UnfoldAdminMultipleAutocompleteWidget,
    UnfoldAdminTextInputWidget,
)

from customers.models import Customer
from customers.phones import InvalidPhone, normalise


class PhoneField(forms.CharField):
    """Takes a number as people write it and gives it in E.164; refuses with a sentence."""

    widget = UnfoldAdminTextInputWidget

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", _("Phone"))
        kwargs.setdefault("max_length", 64)
        kwargs.setdefault(
            "help_text",
            _("In international form, or as it is dialled in %(region)s.") % {"region": settings.DEFAULT_PHONE_REGION},
        )
        super().__init__(**kwargs)

    def clean(self, value: Any) -> str:
        """The number in E.164, or nothing where nothing is required."""
        text = super().clean(value)
        if not text:
            return ""
        try:
            return normalise(text, settings.DEFAULT_PHONE_REGION)
        except InvalidPhone as mistake:
            raise ValidationError(str(mistake), code="invalid") from mistake


def label(customer: Customer) -> str:
    """How a customer is called in a list to choose from: name and number."""
    return str(customer) if str(customer) == customer.phone else f"{customer} · {customer.phone}"


class _ChosenOnly(forms.Select):
    """Renders the chosen customers and no others, which a plain select would load as well: all of them."""

    option_template_name = "django/forms/widgets/select_option.html"

    def __init__(self) -> None:
        super().__init__()
        self.attrs |= {
            "data-ajax--url": reverse_lazy("admin:customers_customer_choose"),
            "data-placeholder": _("Whole phone number, or the beginning of a name"),
            "style": "width: 100%",
        }

    def optgroups(self, name: str, value: list[str], attrs: dict[str, Any] | None = None) -> list[Any]:
        """One group: the chosen."""
        ids = [int(item) for item in value if str(item).isdecimal()]
        chosen = Customer.objects.filter(pk__in=ids).order_by("pk") if ids else []
        options = [
            self.create_option(name, customer.pk, label(customer), selected=True, index=index, attrs=attrs)
            for index, customer in enumerate(chosen)
        ]
        return [(None, options, 0)]


class OneCustomer(_ChosenOnly, UnfoldAdminAutocompleteWidget):  # type: ignore[misc]
    """A search box for one customer."""


class ManyCustomers(_ChosenOnly, UnfoldAdminMultipleAutocompleteWidget):  # type: ignore[misc]
    """A search box for several customers."""


class CustomerField(forms.ModelChoiceField[Customer]):
    """One customer, found by a search."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=Customer.objects.all(), widget=OneCustomer(), **kwargs)


class CustomersField(forms.ModelMultipleChoiceField[Customer]):
    """Several customers, each found by a search."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=Customer.objects.all(), widget=ManyCustomers(), **kwargs)
