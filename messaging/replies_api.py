"""The API's door to what people write back, and to all that happened between a customer and us."""

from typing import Any, ClassVar

from django_filters.rest_framework import CharFilter, ChoiceFilter, FilterSet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.models import Channel, Customer, Wish
from customers.strict import METHODS, Moment, StrictModelSerializer, StrictView
from messaging import timeline
from messaging.api import IdFilter
from messaging.arrivals import HEARD, Reply
from messaging.reasons import Reason


class ReplySerializer(StrictModelSerializer[Reply]):
    """What a person wrote, and what was made of it."""

    class Meta:
        model = Reply
        fields = (
            "id", "channel", "phone", "text", "wish", "heard", "campaign", "message_id", "sender", "to", "at",
            "received_at", "answer", "answer_status",
        )  # fmt: skip
        read_only_fields = fields

    sender = serializers.CharField(source="alias", read_only=True)


class ReplyFilter(FilterSet):  # type: ignore[misc]
    """What replies can be found by; a phone is given whole, in E.164."""

    phone = CharFilter()
    channel = ChoiceFilter(choices=Channel.choices)
    wish = ChoiceFilter(choices=Wish.choices)
    heard = ChoiceFilter(choices=HEARD)
    campaign = IdFilter()


class ReplyViewSet(StrictView, mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[Reply]):
    """Replies, the newest first."""

    queryset = Reply.objects.order_by("-id")
    serializer_class = ReplySerializer
    filterset_class = ReplyFilter
    lookup_value_converter = "int"
    http_method_names = METHODS
    paging = "cursor"


class MomentSerializer(serializers.Serializer[Any]):
    """Something that happened."""

    at = Moment()
    what = serializers.CharField(help_text="`written`, `sent`, `delivered`, a message's end, `replied`, or a consent.")
    sentence = serializers.CharField()
    reason = serializers.ChoiceField(choices=[("", ""), *Reason.choices], allow_blank=True)
    campaign = serializers.IntegerField(allow_null=True)
    message = serializers.IntegerField(allow_null=True)
    text = serializers.CharField(allow_blank=True)


class TimelineViewSet(StrictView, viewsets.GenericViewSet[Customer]):
    """A customer's timeline; served under the customers' URL."""

    queryset = Customer.objects.all()
    serializer_class = MomentSerializer
    lookup_value_converter = "int"
    http_method_names = METHODS
    permissions_required: ClassVar[dict[str, tuple[str, ...]]] = {"timeline": timeline.PERMISSIONS}

    @extend_schema(responses=MomentSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def timeline(self, request: Request, **kwargs: Any) -> Response:
        """Messages and what became of them, replies and consent, the latest first, 200 at the most."""
        del request, kwargs
        return Response(MomentSerializer(timeline.of(self.get_object()), many=True).data)
