"""Who calls the API: `Authorization: Bearer <token>`, kept hashed."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from knox.crypto import hash_token
from knox.models import get_token_model
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

SCHEME = "Bearer"
# A busy program would otherwise write its token's row on every call.
LAST_USED_EVERY = timedelta(minutes=1)


class TokenAuthentication(BaseAuthentication):
    """Finds the token by its digest, one query, whatever characters it has.

    knox's own class looks for the first 15 characters, splits the header at blanks and answers a token that is not
    UTF-8 with an error of the server.
    """

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        """The token's user and the token; none if no bearer token was sent; raises `AuthenticationFailed`."""
        scheme, _blank, sent = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        if scheme.lower() != SCHEME.lower():
            return None
        if not sent.strip():
            raise AuthenticationFailed(_("The Authorization header holds no token."))
        token = get_token_model().objects.filter(digest=hash_token(sent.strip())).select_related("user").first()
        if token is None or not token.user.is_active or (token.expiry and token.expiry <= timezone.now()):
            raise AuthenticationFailed(_("The token is not valid, or no longer."))
        _note_use(token)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """The scheme that a 401 names."""
        return SCHEME


def _note_use(token: Any) -> None:
    if token.last_used_at is None or timezone.now() - token.last_used_at >= LAST_USED_EVERY:
        stale = Q(last_used_at=None) | Q(last_used_at__lte=Now() - LAST_USED_EVERY)
        type(token).objects.filter(stale, pk=token.pk).update(last_used_at=Now())
