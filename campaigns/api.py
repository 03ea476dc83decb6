"""The API's door to campaigns: write, read, change and delete them, preview their text, and move them."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_filters.rest_framework import ChoiceFilter, FilterSet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import sender_choice
from campaigns.models import HEAVIEST, LONGEST_TEMPLATE, MESSAGE_STATUSES, Campaign, Status
from campaigns.preview import preview
from customers.models import Channel, Customer
from customers.strict import METHODS, Moment, Nothing, StrictFields, StrictModelSerializer, StrictView, Text, refuse


class StatsSerializer(serializers.Serializer[Any]):
    """How many messages stand where; `total` is the sum of the others."""

    total = serializers.IntegerField()
    locals().update({status: serializers.IntegerField() for status in MESSAGE_STATUSES})


class Weight(serializers.IntegerField):
    """A JSON integer; `"2"`, `2.0` and `true` are none."""

    def to_internal_value(self, data: Any) -> int:
        """The integer."""
        if type(data) is not int:
            self.fail("invalid")
        return super().to_internal_value(data)


class CampaignSerializer(StrictModelSerializer[Campaign]):
    """A campaign as the API shows and takes it, with its counts."""

    name = Text(max_length=200)
    base_template = Text(
        max_length=LONGEST_TEMPLATE,
        allow_blank=True,
        trim_whitespace=False,
        help_text=_("The text, with placeholders such as {FirstName|Guest}; a draft may be without."),
    )
    scheduled_at = Moment(
        required=False, allow_null=True, help_text=_("When to send, with its offset; a draft has none.")
    )
    expires_at = Moment(
        required=False,
        allow_null=True,
        help_text=_("When it is too late, with its offset: what has not gone out by then is never sent."),
    )
    weight = Weight(
        required=False,
        min_value=1,
        max_value=HEAVIEST,
        help_text=_("Its share of the provider's rate beside other running campaigns."),
    )
    reason = serializers.SerializerMethodField()
    audience = serializers.SerializerMethodField()
    stats = serializers.SerializerMethodField()

    class Meta:
        model = Campaign
        fields = (
            "id", "name", "channel", "sender", "status", "reason", "base_template", "whatsapp_template",
            "whatsapp_language", "scheduled_at", "expires_at", "weight", "audience", "stats", "expected", "launching",
            "created_by", "launched_by", "created_at", "updated_at", "launched_at", "started_at", "ended_at",
        )  # fmt: skip
        read_only_fields = (
            "status", "expected", "launching", "created_by", "launched_by", "created_at", "updated_at", "launched_at",
            "started_at", "ended_at",
        )  # fmt: skip

    def get_reason(self, campaign: Campaign) -> str | None:
        """Why Clarion itself moved it where it is."""
        return campaign.reason or None

    @extend_schema_field({"type": ["string", "null"], "enum": ["list", "all", None]})
    def get_audience(self, campaign: Campaign) -> str | None:
        """Whom it is for; null until it is sent."""
        return campaign.audience["kind"] if campaign.audience else None

    @extend_schema_field(StatsSerializer)
    def get_stats(self, campaign: Campaign) -> dict[str, int]:
        """The counts as they are now."""
        return campaign.progress.stats

    def validate_scheduled_at(self, value: Any) -> Any:
        """A time to come; null only where there is none."""
        if value is None and self.instance is not None and self.instance.status == Status.SCHEDULED:
            raise serializers.ValidationError(
                _("A scheduled campaign loses its time by POST …/unschedule."), code="use_unschedule"
            )
        return _to_come(value)

    def validate_expires_at(self, value: Any) -> Any:
        """A time to come, or none."""
        return _to_come(value)

    def validate(self, attrs: Any) -> Any:
        """It expires later than it starts, whichever is given; its sender serves its channel, and a template has its
        language.
        """
        self._refuse_sender(attrs)
        start, end = (attrs.get(name, getattr(self.instance, name, None)) for name in ("scheduled_at", "expires_at"))
        given = [name for name in ("expires_at", "scheduled_at") if attrs.get(name)]
        if given and start and end and end <= start:
            sentence = _("The campaign must expire later than it starts.")
            raise serializers.ValidationError({given[0]: [ErrorDetail(str(sentence), "expires_first")]})
        return attrs

    def _refuse_sender(self, attrs: Any) -> None:
        channel, sender, template, language = (
            attrs.get(name, getattr(self.instance, name, ""))
            for name in ("channel", "sender", "whatsapp_template", "whatsapp_language")
        )
        if attrs.keys() & {"channel", "sender"} and (problem := sender_choice.mistake(sender, channel)):
            refuse("sender", problem, "unknown_sender")
        if bool(template) != bool(language) or (template and channel != Channel.WHATSAPP):
            sentence = _("A WhatsApp template needs its language, and the channel WhatsApp.")
            refuse("whatsapp_template", sentence, "incomplete_template")

    def create(self, validated_data: dict[str, Any]) -> Campaign:
        """A draft, or scheduled when it has a time."""
        status = Status.SCHEDULED if validated_data.get("scheduled_at") else Status.DRAFT
        created = Campaign.objects.create(status=status, **validated_data)
        return Campaign.objects.select_related("progress").get(pk=created.pk)

    def update(self, instance: Campaign, validated_data: dict[str, Any]) -> Campaign:
        """Revise it; raises `IllegalTransition` when its status, or what was already written, forbids it."""
        # A draft has no time, so that null changes nothing; written blindly it could hit one just scheduled.
        changes = {name: value for name, value in validated_data.items() if name != "scheduled_at" or value}
        instance.revise(**changes)
        return instance


def _to_come(value: Any) -> Any:
    if value is not None and value <= timezone.now():
        raise serializers.ValidationError(_("The time must be in the future."), code="in_the_past")
    return value


class CustomerId(serializers.PrimaryKeyRelatedField[Customer]):
    """A customer's id as a JSON integer."""

    def to_internal_value(self, data: Any) -> Any:
        """The customer; `1.5`, `"1"` and `true` are no ids."""
        if type(data) is not int:
            self.fail("incorrect_type", data_type=type(data).__name__)
        return super().to_internal_value(data)  # type: ignore[arg-type]


class PreviewRequest(StrictFields):
    """Whose text to show, and optionally another template."""

    customer = CustomerId(queryset=Customer.objects.all())
    template = Text(
        required=False, allow_null=True, allow_blank=True, trim_whitespace=False, max_length=LONGEST_TEMPLATE
    )


class PreviewAnswer(serializers.Serializer[Any]):
    """What that customer would get."""

    rendered_content = serializers.CharField()
    parts = serializers.IntegerField()
    encoding = serializers.ChoiceField(choices=["gsm7", "ucs2"], allow_null=True)
    missing_fields = serializers.ListField(child=serializers.CharField())
    used_template = serializers.CharField()


class CampaignFilter(FilterSet):  # type: ignore[misc]
    """What campaigns can be found by."""

    status = ChoiceFilter(choices=Status.choices)
    channel = ChoiceFilter(choices=Channel.choices)


class CampaignViewSet(
    StrictView,
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    mixins.ListModelMixin,
    viewsets.GenericViewSet[Campaign],
):
    """A text, a channel, an audience, a time."""

    queryset = Campaign.objects.select_related("progress").order_by("-id")
    serializer_class = CampaignSerializer
    filterset_class = CampaignFilter
    lookup_value_converter = "int"
    http_method_names = METHODS
    paging = "numbers"
    conflicts: ClassVar[frozenset[str]] = frozenset({"partial_update", "destroy", "pause", "resume", "cancel"})
    permissions_required: ClassVar[dict[str, tuple[str, ...]]] = {
        "preview": ("campaigns.view_campaign", "customers.view_customer"),
        "pause": ("campaigns.change_campaign",),
        "resume": ("campaigns.send_campaign",),
        "cancel": ("campaigns.change_campaign",),
    }

    def perform_create(self, serializer: serializers.BaseSerializer[Campaign]) -> None:
        """Note who made it."""
        serializer.save(created_by=self.request.user)

    def perform_destroy(self, instance: Campaign) -> None:
        """Delete it and, in the database, its messages, unless it is sending or paused at that very moment."""
        instance.remove()

    @extend_schema(request=PreviewRequest, responses=PreviewAnswer)
    @action(detail=True, methods=["post"], serializer_class=PreviewRequest)
    def preview(self, request: Request, **kwargs: Any) -> Response:
        """The text as one customer would get it; writes nothing."""
        del kwargs
        campaign = self.get_object()
        asked = PreviewRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        shown = preview(campaign, asked.validated_data["customer"], asked.validated_data.get("template"))
        return Response(PreviewAnswer(shown).data)

    @extend_schema(request=Nothing, responses=CampaignSerializer)
    @action(detail=True, methods=["post"], serializer_class=Nothing)
    def pause(self, request: Request, **kwargs: Any) -> Response:
        """Stop handing messages to the provider, within a slice."""
        del kwargs
        return self._move(request, Campaign.pause)

    @extend_schema(request=Nothing, responses=CampaignSerializer)
    @action(detail=True, methods=["post"], serializer_class=Nothing)
    def resume(self, request: Request, **kwargs: Any) -> Response:
        """Back to what it was; a campaign whose time came meanwhile sends at once."""
        del kwargs
        return self._move(request, Campaign.resume)

    @extend_schema(request=Nothing, responses=CampaignSerializer)
    @action(detail=True, methods=["post"], serializer_class=Nothing)
    def cancel(self, request: Request, **kwargs: Any) -> Response:
        """End it for good; what is pending is cancelled within seconds."""
        del kwargs
        return self._move(request, Campaign.cancel)

    def _move(self, request: Request, verb: Callable[[Campaign], None]) -> Response:
        campaign = self.get_object()
        Nothing(data=request.data).is_valid(raise_exception=True)
        verb(campaign)
        return Response(CampaignSerializer(campaign).data)
