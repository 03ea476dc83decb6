"""The API's door to customers: create, read, change, delete and find them."""

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError as FormError
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django_filters.rest_framework import CharFilter, FilterSet
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.exceptions import APIException, NotFound

from customers import phones
from customers.models import Customer
from customers.places import validate_language
from customers.strict import METHODS, StrictModelSerializer, StrictView, Text

PHONE_INDEX = "idx_customers_phone"


class PhoneTaken(APIException):
    """409: another customer has this number; `extra` names it."""

    status_code = status.HTTP_409_CONFLICT

    def __init__(self, customer_id: int | None) -> None:
        super().__init__({"phone": [_("Another customer already has this phone number.")]}, "phone_taken")
        self.extra = {"id": customer_id}


class Phone(Text):
    """A phone number in any spelling, kept in E.164."""

    def to_internal_value(self, data: Any) -> str:
        """The number in E.164; national spellings are read in DEFAULT_PHONE_REGION."""
        try:
            return phones.normalise(super().to_internal_value(data), settings.DEFAULT_PHONE_REGION)
        except phones.InvalidPhone as mistake:
            raise serializers.ValidationError(str(mistake), "invalid_phone") from mistake


class CustomerSerializer(StrictModelSerializer[Customer]):
    """A customer as the API shows and takes it."""

    phone = Phone(help_text=_("Any spelling that can be dialled; kept and shown in E.164."))

    class Meta:
        model = Customer
        fields = (
            "id", "phone", "first_name", "last_name", "location", "preferred_product", "attributes", "language",
            "time_zone", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = ("created_at", "updated_at")

    def update(self, instance: Customer, validated_data: dict[str, Any]) -> Customer:
        """Write only what was given, so that two programs that change different fields both keep theirs."""
        if not Customer.objects.filter(pk=instance.pk).update(updated_at=Now(), **validated_data):
            raise NotFound
        instance.refresh_from_db()
        return instance


class PhoneFormField(forms.CharField):
    """A phone number in a query."""

    def clean(self, value: Any) -> str:
        """The number in E.164; a blank before it is a `+` that was not percent-encoded."""
        text = str(value or "")
        if text.startswith(" "):
            text = f"+{text.lstrip()}"
        try:
            return phones.normalise(text, settings.DEFAULT_PHONE_REGION) if text else ""
        except phones.InvalidPhone as mistake:
            raise FormError(str(mistake), code="invalid_phone") from mistake


class PhoneFilter(CharFilter):  # type: ignore[misc]
    """Finds the one customer with this number, however it is spelled."""

    field_class = PhoneFormField


class CustomerFilter(FilterSet):  # type: ignore[misc]
    """What customers can be found by."""

    phone = PhoneFilter(strip=False, label=_("The number, in any spelling."))
    location = CharFilter(max_length=150, label=_("Exactly this location."))
    language = CharFilter(
        lookup_expr="iexact", max_length=35, validators=[validate_language], label=_("A BCP 47 tag, in any case.")
    )


class CustomerViewSet(
    StrictView,
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    mixins.ListModelMixin,
    viewsets.GenericViewSet[Customer],
):
    """People, each with one phone number."""

    queryset = Customer.objects.order_by("-id")
    serializer_class = CustomerSerializer
    filterset_class = CustomerFilter
    lookup_value_converter = "int"
    http_method_names = METHODS
    paging = "cursor"
    conflicts: ClassVar[frozenset[str]] = frozenset({"create", "partial_update"})

    def perform_create(self, serializer: serializers.BaseSerializer[Customer]) -> None:
        """Write the customer; of two with one number the database lets one in."""
        _save(serializer)

    def perform_update(self, serializer: serializers.BaseSerializer[Customer]) -> None:
        """Write the given fields only; `attributes` are replaced as a whole."""
        _save(serializer)

    def perform_destroy(self, instance: Customer) -> None:
        """Delete the customer; the database deletes the messages with it, in the same statement."""
        deleted, _rows = Customer.objects.filter(pk=instance.pk).delete()
        if not deleted:
            raise NotFound


def _save(serializer: serializers.BaseSerializer[Customer]) -> None:
    try:
        with transaction.atomic():
            serializer.save()
    except IntegrityError as mistake:
        if getattr(getattr(mistake.__cause__, "diag", None), "constraint_name", None) != PHONE_INDEX:
            raise
        holder = Customer.objects.filter(phone=serializer.validated_data["phone"])
        raise PhoneTaken(holder.values_list("pk", flat=True).first()) from mistake
