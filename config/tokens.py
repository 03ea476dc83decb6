"""Makes and revokes API tokens, and says which permissions the API asks for."""

from typing import Any

from django.contrib.auth.models import Permission, User
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from knox.crypto import create_token_string, hash_token
from knox.settings import CONSTANTS

from config.models import ApiToken

SHORTEST = 32
GIVEN = "API_TOKEN"

# Every permission that some call of the API asks for.
PERMISSIONS = frozenset(
    {
        *(f"customers.{verb}_customer" for verb in ("add", "change", "delete", "view")),
        *(f"customers.{verb}_consentevent" for verb in ("add", "view")),
        *(f"campaigns.{verb}_campaign" for verb in ("add", "change", "delete", "view", "send")),
        "messaging.view_outboundmessage",
        "messaging.view_sender",
        "messaging.view_reply",
    }
)


class InvalidToken(ValueError):
    """The text cannot serve as a token; `str()` is a sentence for people, without the token."""


def create(user: User, name: str) -> tuple[ApiToken, str]:
    """A new random token of this user: its row, and the token itself, which is nowhere else."""
    token = create_token_string()
    row = ApiToken(digest=hash_token(token), **_fields(token, user, name))
    row.save(force_insert=True)
    return row, token


def ensure(token: str, username: str) -> ApiToken:
    """Make this token work for this service user, who then holds every permission of the API; its row.

    The user is made if there is none, with no password; what another API_TOKEN gave this user before is revoked. May be
    repeated; one transaction. Raises `InvalidToken` unless the token is 32 or more printable ASCII characters.
    """
    token = _validated(token)
    with transaction.atomic():
        user, made = User.objects.get_or_create(username=username)
        if made:
            user.set_unusable_password()
            user.save()
        user.user_permissions.add(*_permissions())
        row: ApiToken
        row, _made = ApiToken.objects.update_or_create(digest=hash_token(token), defaults=_fields(token, user, GIVEN))
        ApiToken.objects.filter(user=user, name=GIVEN).exclude(pk=row.pk).delete()
    return row


def revoke(token: ApiToken) -> None:
    """From now on the token is refused. May be repeated."""
    ApiToken.objects.filter(pk=token.pk).delete()


def _validated(token: str) -> str:
    # HTTP drops blanks around a header's value, so they cannot be part of the token.
    token = token.strip(" ")
    if len(token) < SHORTEST:
        raise InvalidToken(_("An API token needs at least %(limit)d characters.") % {"limit": SHORTEST})
    if not (token.isascii() and token.isprintable()):
        raise InvalidToken(_("An API token may hold only printable ASCII characters."))
    return token


def _fields(token: str, user: User, name: str) -> dict[str, Any]:
    return {"token_key": token[: CONSTANTS.TOKEN_KEY_LENGTH], "user": user, "name": name, "expiry": None}


def _permissions() -> list[Permission]:
    wanted = Q()
    for permission in PERMISSIONS:
        app, codename = permission.split(".")
        wanted |= Q(content_type__app_label=app, codename=codename)
    found = list(Permission.objects.filter(wanted))
    if len(found) != len(PERMISSIONS):
        raise ImproperlyConfigured("The permissions are not there yet: run `manage.py migrate` first.")
    return found
