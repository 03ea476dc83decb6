"""The API's door to senders: which there are and how they stand; they are set up in the admin."""

from collections.abc import Mapping

from drf_spectacular.utils import extend_schema_field
from rest_framework import mixins, serializers, viewsets

from customers.models import Channel
from customers.strict import METHODS, StrictModelSerializer, StrictView
from messaging import accounts, adapters, senders
from messaging.models import Sender
from messaging.providers import UnknownAlias


class SenderSerializer(StrictModelSerializer[Sender]):
    """A sender as the API shows it: nothing of its options, and no credential."""

    backend = serializers.SerializerMethodField()
    channels = serializers.SerializerMethodField()
    default_for = serializers.SerializerMethodField()
    rate = serializers.SerializerMethodField()
    enabled = serializers.SerializerMethodField()
    standing = serializers.SerializerMethodField()

    _standings: Mapping[str, senders.Standing] | None = None

    class Meta:
        model = Sender
        fields = ("alias", "backend", "channels", "default_for", "kind", "rate", "enabled", "standing")
        read_only_fields = fields

    def get_backend(self, sender: Sender) -> str:
        """The vendor's name; of an account of the settings the class."""
        account = _account(sender)
        adapter = adapters.shipped().get(sender.backend)
        return account.backend if account and account.from_settings else adapter.label if adapter else sender.backend

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(Channel.choices)))
    def get_channels(self, sender: Sender) -> list[str]:
        """Those that a campaign may use it for."""
        return [channel for channel in Channel.values if accounts.serves(sender.alias, channel)]

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(Channel.choices)))
    def get_default_for(self, sender: Sender) -> list[str]:
        """Those whose campaigns go out by it when they name none."""
        return [channel for channel in Channel.values if accounts.default(channel) == sender.alias]

    def get_rate(self, sender: Sender) -> float | None:
        """Parts a second; null without a limit."""
        return self._standing(sender).rate

    def get_enabled(self, sender: Sender) -> bool:
        """Whether anything goes out by it."""
        account = _account(sender)
        return bool(account and account.is_enabled)

    def get_standing(self, sender: Sender) -> str:
        """What it is doing now, in a few words."""
        return self._standing(sender).sentence

    def _standing(self, sender: Sender) -> senders.Standing:
        """Where it stands, asked once an answer."""
        if self._standings is None:
            self._standings = {each.alias: each for each in senders.standings()}
        return self._standings[sender.alias]


def _account(sender: Sender) -> accounts.Account | None:
    try:
        return accounts.get(sender.alias)
    except UnknownAlias:
        return None


class SenderViewSet(StrictView, mixins.ListModelMixin, viewsets.GenericViewSet[Sender]):
    """The accounts by which campaigns go out."""

    queryset = Sender.objects.order_by("-id")
    serializer_class = SenderSerializer
    http_method_names = METHODS
    paging = "numbers"
