"""The adapters that ship, and what each wants to know of an account, as its constructor says (`base.Provider`)."""

import inspect
import pkgutil
import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from messaging import providers

Kind = Literal["text", "integer", "number", "boolean", "choice", "json"]
_SIMPLE: Mapping[Any, Kind] = {str: "text", bool: "boolean", int: "integer", float: "number"}


@dataclass(frozen=True, slots=True)
class Option:
    """A keyword of an adapter's constructor."""

    name: str
    kind: Kind
    is_required: bool
    default: Any = None
    is_secret: bool = False
    help: str = ""
    choices: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Its name for people."""
        return self.name.replace("_", " ").capitalize()


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
        for _, name, _ in pkgutil.iter_modules(providers.__path__)
        for backend in vars(import_module(f"{providers.__name__}.{name}")).values()
        if isinstance(backend, type) and backend.__module__.endswith(f".{name}") and "LABEL" in vars(backend)
    ]
    return {each.key: each for each in sorted(found, key=lambda each: each.label.lower())}


def options(backend: type) -> tuple[Option, ...]:
    """What its constructor takes, the required ones first and else in its order."""
    secret, sentences = secrets_of(backend), getattr(backend, "HELP", {})
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


def _option(parameter: inspect.Parameter, hint: Any, *, is_secret: bool, sentence: str) -> Option:
    is_required = parameter.default is inspect.Parameter.empty
    kind, choices = _kind(hint)
    default = None if is_required else parameter.default
    return Option(parameter.name, kind, is_required, default, is_secret, str(sentence), choices)


def _kind(hint: Any) -> tuple[Kind, tuple[Any, ...]]:
    """What stands beside None in the hint; whatever is neither a word nor a number nor a list of words is JSON."""
    if get_origin(hint) in (Union, types.UnionType):
        [hint, *others] = [each for each in get_args(hint) if each is not types.NoneType]
        if others:
            return "json", ()
    if get_origin(hint) is Literal:
        return "choice", get_args(hint)
    return _SIMPLE.get(hint, "json"), ()
