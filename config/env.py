"""Reads the environment strictly: every mistake is told at once, in sentences, before anything starts."""

import os
import shlex
from pathlib import Path

from environs import Env, ValidationError

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()


def var_dir() -> Path:
    """The folder of everything Clarion writes on this machine: CLARION_VAR, or `var/` in the checkout."""
    return Path(env.str("CLARION_VAR", "") or BASE_DIR / "var").resolve()


def read_running_stack() -> None:
    """Take from `stack.env`, which `make run` writes while it runs, what the environment does not say.

    That is how `.venv/bin/python manage.py …` beside a running stack finds the same servers. The file holds a shell's
    assignments, so that any value survives: quotes, dollars, line ends.
    """
    stack = var_dir() / "stack.env"
    if stack.exists():
        for word in shlex.split(stack.read_text()):
            name, _, value = word.partition("=")
            os.environ.setdefault(name, value)


def pairs(value: str) -> dict[str, str]:
    """`"sms=twilio,whatsapp=meta"` as `{"sms": "twilio", "whatsapp": "meta"}`.

    Raises `ValidationError` naming the piece that has no `=`.
    """
    result: dict[str, str] = {}
    for piece in filter(None, (item.strip() for item in value.split(","))):
        name, equals, target = piece.partition("=")
        if not (equals and name.strip() and target.strip()):
            raise ValidationError(f"“{piece}” is not of the form name=value")
        result[name.strip()] = target.strip()
    return result
