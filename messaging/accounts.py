"""What an alias is: an account of MESSAGE_PROVIDERS, or one that people set up in the admin.

The settings go first. What the database says is believed by a process for a second, so that a changed credential is in
use within two, without a restart, and nobody asks for every slice. While the database is away what was believed holds.
"""

import json
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils.crypto import salted_hmac
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from customers.models import Channel
from messaging import adapters, providers, secrets
from messaging.models import Sender
from messaging.providers import UnknownAlias
from messaging.providers.base import Provider
from messaging.secrets import Sealed, Unreadable

log = structlog.get_logger(__name__)

BELIEF_SECONDS = 1.0
HIDDEN = "…"


@dataclass(frozen=True, slots=True)
class Account:
    """One account; two are equal when the same adapter serves both.

    `channels` is None where the adapter's own hold. `options` are as they were written, `sealed` holds the others.
    """

    alias: str
    backend: str
    options: Mapping[str, Any] = field(default_factory=dict)
    sealed: Sealed = field(default_factory=Sealed)
    channels: frozenset[str] | None = None
    is_enabled: bool = True
    from_settings: bool = False


class Unusable(Exception):
    """No adapter can be made of the account; `str()` is a sentence that names it and nothing secret."""


@dataclass(frozen=True, slots=True)
class _Belief:
    accounts: Mapping[str, Account] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict)
    until: float = 0.0


class _Held:
    belief = _Belief()


_asking = threading.Lock()


def get(alias: str) -> Account:
    """The account of this alias; raises `UnknownAlias`."""
    if (entry := settings.MESSAGE_PROVIDERS.get(alias)) is not None:
        return Account(alias, entry["BACKEND"], entry.get("OPTIONS", {}), from_settings=True)
    try:
        return _believed().accounts[alias]
    except KeyError:
        raise UnknownAlias(alias) from None


def of_alias(alias: str) -> Account:
    """As `get`; of an alias that is no account any more, one of which no adapter can be made."""
    try:
        return get(alias)
    except UnknownAlias:
        return Account(alias, "")


def known() -> Sequence[str]:
    """Every alias, in alphabetical order."""
    return sorted({*settings.MESSAGE_PROVIDERS, *_believed().accounts})


def resting() -> frozenset[str]:
    """The aliases that are not enabled."""
    return frozenset(alias for alias, account in _believed().accounts.items() if not account.is_enabled)


def default(channel: str) -> str | None:
    """The alias for campaigns of this channel that name none: what the admin says, else MESSAGE_ROUTES, else None."""
    return _believed().defaults.get(channel) or settings.MESSAGE_ROUTES.get(channel)


def hook_token(alias: str) -> str:
    """The secret in the address of this account's door; empty when the account has no row."""
    return _believed().tokens.get(alias, "")


def serving(channel: str) -> Sequence[str]:
    """The aliases that a campaign of this channel may name."""
    return [alias for alias in known() if serves(alias, channel)]


def serves(alias: str, channel: str) -> bool:
    """Whether this alias is an account that is enabled and sends on this channel."""
    try:
        account = get(alias)
    except UnknownAlias:
        return False
    return account.is_enabled and channel in channels(account)


def channels(account: Account) -> frozenset[str]:
    """What it may be used for; of an account of the settings, what its adapter says."""
    if account.channels is not None:
        return account.channels
    return providers.capabilities(account.alias).channels & frozenset(Channel.values)


def make(account: Account) -> Provider:
    """An adapter of this account; raises `Unusable`. Leaves the house only when it is called."""
    if not account.is_enabled:
        raise Unusable(_("Sender “%(alias)s” is not enabled.") % {"alias": account.alias})
    credentials: dict[str, Any] = {}
    try:
        backend, given = _recipe(account)
        names = adapters.secrets_of(backend) & given.keys()
        credentials = {name: secrets.resolve(account.alias, name, given[name]) for name in names}
        return cast("Provider", backend(**given | credentials))
    except Unusable:
        raise
    except Unreadable as unreadable:
        raise Unusable(str(unreadable)) from None
    except Exception as mistake:  # noqa: BLE001  (whatever a third party's class raises is told as a sentence)
        # A ValueError's words are an adapter's own; of another fault they tell nothing without its name.
        told = str(mistake) if type(mistake) is ValueError else f"{type(mistake).__name__}: {mistake}"
        sentence = _("Sender “%(alias)s” cannot be used: %(mistake)s")
        raise Unusable(sentence % {"alias": account.alias, "mistake": without(told, credentials.values())}) from None


def digest(account: Account) -> str:
    """What tells it from another: of its vendor, options and credentials, with a key of ours, so that nobody can guess
    them by it. Empty where no adapter can be made of it.
    """
    try:
        backend, given = _recipe(account)
        names = adapters.secrets_of(backend) & given.keys()
        given |= {name: secrets.resolve(account.alias, name, given[name]) for name in names}
    except (Unusable, Unreadable, ImportError):
        return ""
    told = json.dumps([_path(account), given], sort_keys=True, default=str)
    return salted_hmac(__name__, told, algorithm="sha256").hexdigest()


def of(sender: Sender) -> Account:
    """What a row says, saved or not."""
    return Account(
        sender.alias, sender.backend, sender.options, sender.sealed, sender.channels, is_enabled=sender.is_enabled
    )


def without(text: str, credentials: Any) -> str:
    """The text with none of these credentials, or of what they hold, in it."""
    for secret in credentials:
        parts = secret.values() if isinstance(secret, Mapping) else [secret]
        for part in filter(None, map(str, parts)):
            # One of a letter or two would go from the middle of every word.
            text = re.sub(rf"\b{re.escape(part)}\b", HIDDEN, text) if len(part) < 4 else text.replace(part, HIDDEN)
    return text


def forget() -> None:
    """Believe nothing any more: for tests, and for whoever changes a sender in this process."""
    _Held.belief = _Belief()


def _recipe(account: Account) -> tuple[Any, dict[str, Any]]:
    return import_string(_path(account)), {**account.options, **account.sealed.open(account.alias)}


def _path(account: Account) -> str:
    if account.from_settings:
        return account.backend
    adapter = adapters.shipped().get(account.backend)
    if not account.backend:
        raise Unusable(_("There is no sender “%(alias)s” any more.") % {"alias": account.alias})
    if adapter is None:
        raise Unusable(
            _("Sender “%(alias)s” is of “%(backend)s”, for which there is no adapter.")
            % {"alias": account.alias, "backend": account.backend}
        )
    return adapter.path


def _believed() -> _Belief:
    belief = _Held.belief
    if time.monotonic() < belief.until:
        return belief
    with _asking:
        if time.monotonic() < _Held.belief.until:
            return _Held.belief
        try:
            _Held.belief = _read()
        except (OperationalError, InterfaceError) as fault:
            if not belief.until:
                raise
            log.warning("senders_not_read", fault=type(fault).__name__, holds="what was believed")
            connection.close_if_unusable_or_obsolete()
        return _Held.belief


def _read() -> _Belief:
    until = time.monotonic() + BELIEF_SECONDS
    senders = list(Sender.objects.all())
    rows = [row for row in senders if row.backend and row.alias not in settings.MESSAGE_PROVIDERS]
    defaults = {channel: row.alias for row in rows for channel in row.default_channels}
    tokens = {row.alias: row.hook_token.hex for row in senders}
    return _Belief({row.alias: of(row) for row in rows}, defaults, tokens, until)
