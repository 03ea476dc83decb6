"""The adapters that ship, and what each wants to know of an account, as its constructor says (`base.Provider`)."""

import inspect
import pkgutil
import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from django.utils.translation import gettext_lazy as _

from messaging import providers

Kind = Literal["text", "integer", "number", "boolean", "choice", "json"]
# What people write in capitals.
SPELLED = frozenset({"api", "id", "sid", "sms", "smsc", "url"})
# Of options that mean the same for every vendor; an adapter's own HELP goes before it.
HELP: Mapping[str, Any] = {
    "in_flight": _("How many messages are on the wire together: the most that a lost worker leaves unknown."),
    "timeout_seconds": _("How long to wait for an answer before the message counts as unknown."),
    "batch_size": _("How many messages go in one call at the most."),
    "sender": _("The number, short code or name that people see."),
    "api_key": _("As the vendor's portal shows it."),
    "url": _("The vendor's own, or another server for tests."),
}
_SIMPLE: Mapping[Any, Kind] = {str: "text", bool: "boolean", int: "integer", float: "number"}


@dataclass(frozen=True, slots=True)
class Option:
    """A keyword of an adapter's constructor."""

    name: str
    kind: Kind
    is_required: bool
    default: Any = None
    is_secret: bool = False
    # A sentence, translated when it is shown.
    help: Any = ""
    choices: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Its name for people."""
        words = [each.upper() if each in SPELLED else each for each in self.name.split("_")]
        return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


@dataclass(frozen=True, slots=True)
class Adapter:
    """A class that can be chosen in the admin; `key` is its module's name, by which it is stored."""

    key: str
    label: str
    path: str
    options: tuple[Option, ...]


@cache
def shipped() -> Mapping[str, Adapter]:
    """Every adapter with a LABEL, by its key, in the order of their labels."""
    found = [
        Adapter(name, str(vars(backend)["LABEL"]), f"{backend.__module__}.{backend.__qualname__}", options(backend))
        for __, name, _is_package in pkgutil.iter_modules(providers.__path__)
        for backend in vars(import_module(f"{providers.__name__}.{name}")).values()
        if isinstance(backend, type) and backend.__module__.endswith(f".{name}") and "LABEL" in vars(backend)
    ]
    return {each.key: each for each in sorted(found, key=lambda each: each.label.lower())}


def options(backend: type) -> tuple[Option, ...]:
    """What its constructor takes, the required ones first and else in its order."""
    secret, sentences = secrets_of(backend), {**HELP, **getattr(backend, "HELP", {})}
    hints = get_type_hints(vars(backend)["__init__"])
    found = [
        _option(each, hints.get(each.name, str), is_secret=each.name in secret, sentence=sentences.get(each.name, ""))
        for each in inspect.signature(backend).parameters.values()
        if each.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    return tuple(sorted(found, key=lambda each: not each.is_required))


def secrets_of(backend: Any) -> frozenset[str]:
    """The names of the options that are credentials."""
    return frozenset(getattr(backend, "SECRETS", ()))


def _option(parameter: inspect.Parameter, hint: Any, *, is_secret: bool, sentence: Any) -> Option:
    is_required = parameter.default is inspect.Parameter.empty
    kind, choices = _kind(hint)
    default = None if is_required else parameter.default
    return Option(parameter.name, kind, is_required, default, is_secret, sentence, choices)


def _kind(hint: Any) -> tuple[Kind, tuple[Any, ...]]:
    """What stands beside None in the hint; whatever is neither a word nor a number nor a list of words is JSON."""
    if get_origin(hint) in (Union, types.UnionType):
        [hint, *others] = [each for each in get_args(hint) if each is not types.NoneType]
        if others:
            return "json", ()
    if get_origin(hint) is Literal:
        return "choice", get_args(hint)
    return _SIMPLE.get(hint, "json"), ()
