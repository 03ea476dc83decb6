"""Logs: one line an event, as text on a terminal and as JSON elsewhere, with ids and never a phone or text."""

import logging.config
import re
import sys
from typing import Any

import structlog


def _without_query(_logger: Any, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """Requests without their query strings: `?phone=` is how programs look for a customer."""
    if "request" in event:
        event["request"] = str(event["request"]).partition("?")[0]
    return event


# The secret of a door stands in its address.
_SECRET = re.compile(r"(/hooks/[^/\s]+/)[^\s?'\"]+")


def _without_secret(_logger: Any, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """Events without the secrets of doors."""
    for name in ("event", "request", "exception"):
        if isinstance(event.get(name), str):
            event[name] = _SECRET.sub(r"\1…", event[name])
    return event


def is_no_echo(record: logging.LogRecord) -> bool:
    """Whether it says what the door has not said already of a request that it refused."""
    by_django = record.name.startswith(("django.request", "django_structlog"))
    return not (by_django and record.levelno < logging.ERROR and _SECRET.search(record.getMessage()))


# PostgreSQL puts the whole row, with its phone and text, behind “DETAIL:” when a constraint refuses it.
_DETAIL = re.compile(r"DETAIL:.*?(?=\n\n(?:The above|During handling)|\Z)", re.DOTALL)


def _without_rows(_logger: Any, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """Faults of the database without the row that they quote."""
    for name in ("event", "exception"):
        if isinstance(event.get(name), str):
            event[name] = _DETAIL.sub("DETAIL: …", event[name])
    return event


_SHARED: list[structlog.types.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.ExtraAdder(),
    _without_query,
]

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _SHARED,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _without_rows,
                _without_secret,
                structlog.dev.ConsoleRenderer(colors=False)
                if sys.stderr.isatty()
                else structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        }
    },
    "filters": {"echoes": {"()": lambda: is_no_echo}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["echoes"]}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        # One line a task and a sweep a second would bury what matters.
        "celery": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "django_structlog": {"level": "WARNING"},
        "django.server": {"level": "WARNING"},
    },
}


def configure(tree: dict[str, Any]) -> None:
    """Set up logging from `tree`; Django calls it once at start."""
    logging.config.dictConfig(tree)
    structlog.configure(
        processors=[
            *_SHARED,
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
