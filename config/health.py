"""Health: whether this process answers, and whether its database and broker do."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import psycopg
import redis
import structlog
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 2


def safe(view: Callable[[HttpRequest], JsonResponse]) -> Callable[[HttpRequest], JsonResponse]:
    """The view for GET and HEAD; 405 in JSON for anything else."""

    @wraps(view)
    def answer(request: HttpRequest) -> JsonResponse:
        if request.method in {"GET", "HEAD"}:
            return view(request)
        return JsonResponse({"status": "method_not_allowed"}, status=405, headers={"Allow": "GET, HEAD"})

    return answer


@csrf_exempt
@safe
def live(request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers at all."""
    del request
    return JsonResponse({"status": "ok"})


@csrf_exempt
@safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 when database and broker answer within two seconds each; else 503, saying which does not."""
    del request
    found = {"database": _answers("database", _ask_database), "broker": _answers("broker", _ask_broker)}
    status = "ok" if all(found.values()) else "unavailable"
    parts = {name: "ok" if answers else "unavailable" for name, answers in found.items()}
    return JsonResponse({"status": status, **parts}, status=200 if status == "ok" else 503)


def _answers(name: str, ask: Callable[[], None]) -> bool:
    try:
        ask()
    except (psycopg.Error, redis.RedisError, OSError) as problem:
        log.warning("not_ready", part=name, problem=type(problem).__name__)
        return False
    return True


def _ask_database() -> None:
    # A connection of its own: the thread's waits longer than we may, and may be in the middle of something.
    params: dict[str, Any] = connection.get_connection_params()
    params |= {"connect_timeout": TIMEOUT_SECONDS, "options": f"-c statement_timeout={TIMEOUT_SECONDS}s"}
    with psycopg.connect(**params) as database:
        database.execute("SELECT 1")


def _ask_broker() -> None:
    with redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS, retry=None
    ) as broker:
        broker.ping()
