"""The API's URLs, assembled from the apps' views; a URL is only a URL, so two apps may share a prefix."""

from django.urls import URLPattern, URLResolver, path
from rest_framework.routers import SimpleRouter

from campaigns.api import CampaignViewSet
from config.docs import DocsView, SchemaView
from customers.api import CustomerViewSet
from customers.consent_api import ConsentViewSet
from messaging.api import CampaignMessagesViewSet, LaunchViewSet, MessageViewSet
from messaging.replies_api import ReplyViewSet, TimelineViewSet
from messaging.sender_api import SenderViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("customers", CustomerViewSet, basename="customer")
router.register("customers", ConsentViewSet, basename="customer-consent")
router.register("campaigns", CampaignViewSet, basename="campaign")
router.register("campaigns", LaunchViewSet, basename="launch")
router.register("campaigns/<int:campaign>/messages", CampaignMessagesViewSet, basename="campaign-message")
router.register("messages", MessageViewSet, basename="message")
router.register("replies", ReplyViewSet, basename="reply")
router.register("customers", TimelineViewSet, basename="timeline")
router.register("senders", SenderViewSet, basename="sender")

urlpatterns: list[URLPattern | URLResolver] = [
    path("schema", SchemaView.as_view(), name="schema"),
    path("docs", DocsView.as_view(), name="docs"),
    *router.urls,
]
