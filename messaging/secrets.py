"""Credentials at rest: sealed with the first of SECRETS_KEYS, read with any of them, never shown and never guessed.

A value that no key reads is told with a sentence: an empty one would be taken for a sender without credentials.
"""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import models
from django.utils.translation import gettext as _

# A credential that begins so is the name of an environment variable, read when it is used.
FROM_ENVIRONMENT = "env:"
# Who may set up a sender also says to which address its credentials go.
OURS = frozenset({
    "SECRET_KEY", "SECRET_KEY_FALLBACKS", "SECRETS_KEYS", "DATABASE_URL", "REDIS_URL", "API_TOKEN", "ADMIN_PASSWORD",
    "EMAIL_HOST_PASSWORD",
})  # fmt: skip
# Part of the derivation (RFC 5869, 3.2): another name gives other keys.
PURPOSE = b"clarion: credentials of senders"


class Unreadable(Exception):
    """The credentials of a sender cannot be had; `str()` is a sentence that names the sender and nothing secret."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """Credentials as they are stored; whoever prints one sees only whether there are any."""

    token: str = ""

    def __repr__(self) -> str:
        return "Sealed(…)" if self.token else "Sealed()"

    def open(self, alias: str) -> dict[str, Any]:
        """The credentials by their names; raises `Unreadable` when no key reads them."""
        if not self.token:
            return {}
        try:
            opened: dict[str, Any] = json.loads(_keys().decrypt(self.token.encode()))
        except InvalidToken:
            raise Unreadable(
                _(
                    "The credentials of sender “%(alias)s” can be read with none of SECRETS_KEYS: put the key back with"
                    " which they were written, or enter them again."
                )
                % {"alias": alias}
            ) from None
        return opened

    def renewed(self, alias: str) -> "Sealed":
        """The same, written with the first key; raises `Unreadable`."""
        return seal(self.open(alias))


def seal(credentials: Mapping[str, Any]) -> Sealed:
    """The credentials as they may be stored; without any, nothing."""
    return Sealed(_keys().encrypt(json.dumps(dict(credentials)).encode()).decode()) if credentials else Sealed()


def resolve(alias: str, name: str, value: Any) -> Any:
    """The credential itself, where `value`, or something in it, says in which environment variable it is.

    Raises `Unreadable`.
    """
    if isinstance(value, Mapping):
        return {key: resolve(alias, name, part) for key, part in value.items()}
    if not (isinstance(value, str) and value.startswith(FROM_ENVIRONMENT)):
        return value
    variable = value.removeprefix(FROM_ENVIRONMENT)
    if not variable.strip():
        raise Unreadable(
            _("Sender “%(alias)s”, %(name)s: env: must be followed by the name of an environment variable.")
            % {"alias": alias, "name": name}
        )
    if variable in OURS:
        raise Unreadable(
            _("Sender “%(alias)s”: %(variable)s is a secret of Clarion's own, which no vendor is told.")
            % {"alias": alias, "variable": variable}
        )
    if found := os.environ.get(variable):
        return found
    raise Unreadable(
        _("Sender “%(alias)s” takes its %(name)s from the environment variable %(variable)s, which is not set.")
        % {"alias": alias, "name": name, "variable": variable}
    )


class SealedField(models.TextField[Sealed, Sealed]):
    """A column of `Sealed`."""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Sealed:
        """Sealed as it comes: a list of senders must not fail for one that cannot be read."""
        return Sealed(value or "")

    def to_python(self, value: Any) -> Any:
        """What is already sealed, or the stored text of it."""
        return value if isinstance(value, Sealed) else Sealed(value or "")

    def get_prep_value(self, value: Any) -> str:
        """The stored text; refuses anything that is not sealed."""
        if not isinstance(value, Sealed):
            raise TypeError("only what is sealed may be stored here")
        return value.token


def derived_key(secret: str) -> str:
    """The key that SECRET_KEY stands for where SECRETS_KEYS says nothing."""
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE)
    return base64.urlsafe_b64encode(derive.derive(secret.encode())).decode()


def _keys() -> MultiFernet:
    """SECRETS_KEYS, then what SECRET_KEY and its fallbacks stand for, so that neither change loses what is stored."""
    derived = [derived_key(str(secret)) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    return MultiFernet([Fernet(key) for key in [*settings.SECRETS_KEYS, *derived]])
