"""The API's door to consent: what a customer's number said, and recording what it says now."""

from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers import consent
from customers.models import Channel, Consent, ConsentEvent, ConsentSource, ConsentState, Customer
from customers.strict import METHODS, Moment, StrictFields, StrictModelSerializer, StrictView, Text

MOST_SHOWN = 100


class ConsentEventSerializer(StrictModelSerializer[ConsentEvent]):
    """Something that was said."""

    class Meta:
        model = ConsentEvent
        fields = ("id", "channel", "state", "source", "words", "message_id", "user_id", "note", "at", "created_at")
        read_only_fields = fields


class ChannelConsentSerializer(serializers.Serializer[Any]):
    """What counts now for one channel; nothing was ever said when the state is null."""

    channel = serializers.ChoiceField(choices=Channel.choices)
    state = serializers.ChoiceField(choices=ConsentState.choices, allow_null=True)
    at = Moment(allow_null=True, help_text=_("When it was said."))
    refusal = serializers.CharField(
        allow_null=True, help_text=_("Why campaigns do not write to it: `opted_out`, `no_consent`; null when they do.")
    )


class CustomerConsentSerializer(serializers.Serializer[Any]):
    """A customer's consent: what counts now for each channel, and what was said, the latest first."""

    customer = serializers.IntegerField()
    consents = ChannelConsentSerializer(many=True)
    history = ConsentEventSerializer(many=True, help_text=_("The latest 100."))


class SayRequest(StrictFields):
    """What the customer said."""

    channel = serializers.ChoiceField(choices=Channel.choices)
    state = serializers.ChoiceField(choices=ConsentState.choices)
    note = Text(max_length=consent.LONGEST_NOTE, help_text=_("How it is known."))


class ConsentViewSet(StrictView, viewsets.GenericViewSet[Customer]):
    """What people said about being written to. It belongs to the number, so it outlives the customer."""

    queryset = Customer.objects.all()
    serializer_class = CustomerConsentSerializer
    lookup_value_converter = "int"
    http_method_names = METHODS
    permissions_required: ClassVar[dict[str, tuple[str, ...]]] = {
        "consent": ("customers.view_customer", "customers.view_consentevent"),
        "say": ("customers.view_customer", "customers.add_consentevent"),
    }

    @extend_schema(responses=CustomerConsentSerializer)
    @action(detail=True, methods=["get"])
    def consent(self, request: Request, **kwargs: Any) -> Response:
        """What counts now for each channel, and what was said."""
        del request, kwargs
        return Response(_shown(self.get_object()))

    @extend_schema(request=SayRequest, responses={201: CustomerConsentSerializer})
    @consent.mapping.post
    def say(self, request: Request, **kwargs: Any) -> Response:
        """Record that the customer opted out of a channel, or in; 201 with what counts then. May be repeated."""
        del kwargs
        customer = self.get_object()
        body = SayRequest(data=request.data)
        body.is_valid(raise_exception=True)
        fact = body.validated_data
        record = consent.opt_out if fact["state"] == ConsentState.OPTED_OUT else consent.opt_in
        record(
            phone=customer.phone, channel=fact["channel"], source=ConsentSource.API, by=request.user.pk,
            note=fact["note"],
        )  # fmt: skip
        return Response(_shown(customer), status=status.HTTP_201_CREATED)


def _shown(customer: Customer) -> Any:
    known = {row.channel: row for row in Consent.objects.filter(phone=customer.phone)}
    consents = [
        {
            "channel": channel.value,
            "state": row.state if (row := known.get(channel.value)) else None,
            "at": row.at if row else None,
            "refusal": consent.refusal_of(ConsentState(row.state) if row else None),
        }
        for channel in Channel
    ]
    history = consent.history(customer.phone)[:MOST_SHOWN]
    return CustomerConsentSerializer({"customer": customer.pk, "consents": consents, "history": history}).data
