"""The API's door to sending, to the ledger, and to its audit."""

from typing import Any, ClassVar, cast

from django import forms
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from django_filters.rest_framework import ChoiceFilter, Filter, FilterSet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import audience
from campaigns.api import CampaignSerializer, StatsSerializer
from campaigns.models import Campaign
from customers.strict import METHODS, Nothing, StrictFields, StrictModelSerializer, StrictView, refuse
from messaging import dispatch, second_chances
from messaging.audit import audit
from messaging.models import OutboundMessage, Status
from messaging.reasons import OF_FAILED, Reason
from messaging.why import shares


class MessageSerializer(StrictModelSerializer[OutboundMessage]):
    """A row of the ledger."""

    class Meta:
        model = OutboundMessage
        fields = (
            "id", "campaign", "customer", "status", "reason", "rendered_content", "last_error", "retry_count", "parts",
            "provider", "created_at", "updated_at", "due_at", "expires_at", "sent_at", "delivered_at",
        )  # fmt: skip
        read_only_fields = fields


@extend_schema_field({"type": "integer", "minimum": 1, "maximum": audience.LARGEST_ID})
class IdFilter(Filter):  # type: ignore[misc]
    """An id in a query; one that nobody has finds nothing."""

    field_class = forms.IntegerField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=audience.LARGEST_ID, **kwargs)


class CampaignMessageFilter(FilterSet):  # type: ignore[misc]
    """What one campaign's messages can be found by."""

    status = ChoiceFilter(choices=Status.choices)
    reason = ChoiceFilter(choices=Reason.choices)
    customer = IdFilter()


class MessageFilter(CampaignMessageFilter):
    """What messages can be found by."""

    campaign = IdFilter()


class MessageViewSet(
    StrictView, mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[OutboundMessage]
):
    """The ledger: one campaign's text for one customer, and what became of it."""

    queryset = OutboundMessage.objects.order_by("-id")
    serializer_class = MessageSerializer
    filterset_class = MessageFilter
    lookup_value_converter = "int"
    http_method_names = METHODS
    paging = "cursor"


@extend_schema(parameters=[OpenApiParameter("campaign", OpenApiTypes.INT64, OpenApiParameter.PATH)])
class CampaignMessagesViewSet(StrictView, mixins.ListModelMixin, viewsets.GenericViewSet[OutboundMessage]):
    """One campaign's part of the ledger."""

    queryset = OutboundMessage.objects.order_by("-id")
    serializer_class = MessageSerializer
    filterset_class = CampaignMessageFilter
    http_method_names = METHODS
    paging = "cursor"

    def get_queryset(self) -> QuerySet[OutboundMessage]:
        """The messages of the campaign that the path names; 404 when there is none."""
        campaign = get_object_or_404(Campaign.objects.only("id"), pk=self.kwargs["campaign"])
        return super().get_queryset().filter(campaign=campaign)


class SendRequest(serializers.Serializer[Any]):
    """Exactly one of these. Only for the OpenAPI document: a `ListField` takes seconds for 100,000 ids."""

    customers = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=audience.LARGEST_ID),
        required=False, min_length=1, max_length=audience.MOST_LISTED,
    )  # fmt: skip
    segment = serializers.IntegerField(required=False)
    all = serializers.ChoiceField(choices=[True], required=False)


class SendAnswer(serializers.Serializer[Any]):
    """What the send did."""

    campaign = serializers.IntegerField()
    messages_queued = serializers.IntegerField(help_text=_("Messages that wait to be sent; 0 while launching."))
    skipped = serializers.IntegerField()
    status = serializers.CharField()
    launching = serializers.BooleanField(help_text=_("Whether a worker is still writing the messages."))
    expected = serializers.IntegerField(required=False, help_text=_("How many there will be; not for a list."))


class RetryRequest(StrictFields):
    """Which failed messages; without reasons all of them."""

    reasons = serializers.ListField(
        child=serializers.ChoiceField(choices=[(reason.value, reason.label) for reason in OF_FAILED]),
        required=False, min_length=1, max_length=len(OF_FAILED),
        help_text=_("Only those that failed for one of these reasons."),
    )  # fmt: skip


class SettleRequest(StrictFields):
    """What to do with the messages that nobody knows about."""

    unknown = serializers.ChoiceField(
        choices=["resend", "leave"],
        help_text=_("`resend` may reach a person twice; `leave` changes nothing and says how many stay."),
    )


class RetryAnswer(serializers.Serializer[Any]):
    """What the retry did."""

    campaign = serializers.IntegerField()
    messages_queued = serializers.IntegerField(help_text=_("Messages that wait to be sent again."))
    status = serializers.CharField()


class SettleAnswer(RetryAnswer):
    """What the settling did."""

    left = serializers.IntegerField(help_text=_("Messages that stay unknown."))


class Stuck(serializers.Serializer[Any]):
    """Something that does not move, and why."""

    what = serializers.CharField()
    count = serializers.IntegerField()
    why = serializers.CharField()


class AuditAnswer(serializers.Serializer[Any]):
    """The campaign's counts beside the counted rows."""

    campaign = serializers.IntegerField()
    status = serializers.CharField()
    reason = serializers.CharField(allow_null=True)
    expected = serializers.IntegerField()
    launching = serializers.BooleanField()
    stats = StatsSerializer()
    rows = StatsSerializer()
    consistent = serializers.BooleanField()
    stuck = Stuck(many=True)


class ReasonsAnswer(serializers.Serializer[Any]):
    """How many of the campaign's messages have this status for this reason."""

    status = serializers.ChoiceField(choices=Status.choices)
    reason = serializers.ChoiceField(choices=Reason.choices)
    why = serializers.CharField()
    count = serializers.IntegerField()


class LaunchViewSet(StrictView, viewsets.GenericViewSet[Campaign]):
    """What a campaign's messages add to it; served under the campaigns' URL."""

    queryset = Campaign.objects.select_related("progress")
    serializer_class = CampaignSerializer
    lookup_value_converter = "int"
    http_method_names = METHODS
    conflicts: ClassVar[frozenset[str]] = frozenset({"send", "unschedule", "retry", "settle"})
    permissions_required: ClassVar[dict[str, tuple[str, ...]]] = {
        "send": ("campaigns.send_campaign",),
        "unschedule": ("campaigns.change_campaign",),
        "retry": ("campaigns.send_campaign",),
        "settle": ("campaigns.send_campaign",),
        "audit": ("campaigns.view_campaign", "messaging.view_outboundmessage"),
        "reasons": ("campaigns.view_campaign", "messaging.view_outboundmessage"),
    }

    @extend_schema(request=SendRequest, responses={202: SendAnswer})
    @action(detail=True, methods=["post"])
    def send(self, request: Request, **kwargs: Any) -> Response:
        """Write one message for each customer and have workers send them. Of repeated or parallel calls one wins."""
        del kwargs
        campaign = self.get_object()
        if not isinstance(request.data, dict):
            refuse("non_field_errors", _("Give an object with one of “customers”, “segment” and “all”."), "invalid")
        whom = audience.parse(request.data)
        queued = dispatch.send(campaign, whom, by=cast("User", request.user))
        answer = {
            "campaign": queued.campaign.pk,
            "messages_queued": queued.messages_queued,
            "skipped": queued.skipped,
            "status": queued.campaign.status,
            "launching": queued.launching,
        }
        if not isinstance(whom, audience.CustomerList):
            answer["expected"] = queued.expected
        return Response(answer, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=Nothing, responses=CampaignSerializer)
    @action(detail=True, methods=["post"], serializer_class=Nothing)
    def unschedule(self, request: Request, **kwargs: Any) -> Response:
        """Back to draft, with no time and no audience; its messages, of which none was tried, go."""
        del kwargs
        campaign = self.get_object()
        Nothing(data=request.data).is_valid(raise_exception=True)
        dispatch.unschedule(campaign)
        return Response(CampaignSerializer(campaign).data)

    @extend_schema(request=RetryRequest, responses={202: RetryAnswer})
    @action(detail=True, methods=["post"], serializer_class=RetryRequest)
    def retry(self, request: Request, **kwargs: Any) -> Response:
        """Try failed messages of an ended campaign again. Of repeated or parallel calls one wins."""
        del kwargs
        campaign = self.get_object()
        asked = RetryRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        chosen = asked.validated_data.get("reasons")
        reasons = None if chosen is None else {Reason(code) for code in chosen}
        again = second_chances.retry(campaign, reasons, by=cast("User", request.user))
        return Response(_numbers(again), status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=SettleRequest, responses={202: SettleAnswer})
    @action(detail=True, methods=["post"], serializer_class=SettleRequest)
    def settle(self, request: Request, **kwargs: Any) -> Response:
        """Resend the unknown messages of an ended campaign, which may reach people twice, or leave them as they are."""
        del kwargs
        campaign = self.get_object()
        asked = SettleRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        again = second_chances.settle(campaign, asked.validated_data["unknown"], by=cast("User", request.user))
        return Response(_numbers(again) | {"left": again.left}, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses=AuditAnswer)
    @action(detail=True, methods=["get"])
    def audit(self, request: Request, **kwargs: Any) -> Response:
        """The counts against the rows, and what is stuck and why."""
        del request, kwargs
        return Response(audit(self.get_object()))

    @extend_schema(responses=ReasonsAnswer(many=True))
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def reasons(self, request: Request, **kwargs: Any) -> Response:
        """Why messages wait, failed, were skipped or cancelled, or are unknown: how many for each, most first."""
        del request, kwargs
        return Response(ReasonsAnswer(shares(self.get_object().pk), many=True).data)


def _numbers(again: second_chances.Again) -> dict[str, Any]:
    return {
        "campaign": again.campaign.pk,
        "messages_queued": again.messages_queued,
        "status": again.campaign.status,
    }
