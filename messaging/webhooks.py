"""The door for what vendors tell us: each request is proven, looked through, and written down as it came.

Nothing else happens while the vendor waits; `hooks.py` works it off.
"""

import json
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from messaging import accounts, bells, board, hooks, inbound, providers
from messaging.providers.base import Answer, Forged, Hears, Hook, Malformed, Receipt, Reply
from messaging.verdicts import storable

log = structlog.get_logger(__name__)

LARGEST_BODY = 1024 * 1024
LONGEST_QUERY, LARGEST_HEADERS = 8 * 1024, 32 * 1024
METHODS = ("GET", "POST")
# What reading may need again, and what tells people which of a vendor's systems called.
KEPT_HEADERS = ("content-type", "content-encoding", "user-agent")
RING_EVERY_SECONDS = 0.25


class Refused(Exception):
    """Why a request is not taken: a word for the count, and the status that the caller gets."""

    def __init__(self, why: str, status: int, told: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.status = status
        self.told = told


@csrf_exempt
def door(request: HttpRequest, alias: str, token: str) -> HttpResponse:
    """`/hooks/<alias>/<token>`: 200 with what the vendor wants to hear when it stands in `hook_events`.

    A repeat is answered like the first. Every refusal is one line in the log and a count, and nothing is stored of it:
    404 for an unknown alias or a wrong token, alike; 403 for what is forged, 400 for what makes no sense. 503 while the
    database is away, so that the vendor repeats it.
    """
    known = ""
    try:
        adapter = _adapter(alias)
        known = alias
        _check(alias, token)
        hook = _hook(request)
        answer = _take(adapter, alias, hook)
    except Refused as refused:
        return _refuse(known, refused, size=_size(request))
    except (OperationalError, InterfaceError) as fault:
        log.warning("hook_without_database", alias=known, fault=type(fault).__name__)
        return HttpResponse(status=503, content_type="text/plain")
    return HttpResponse(answer.body, content_type=answer.content_type)


def _adapter(alias: str) -> Hears:
    """The adapter behind this alias; raises `Refused` unless there is one that hears."""
    if (adapter := providers.ear(alias)) is None:
        raise Refused("unknown_alias", 404)
    return adapter


def _check(alias: str, token: str) -> None:
    kept = accounts.hook_token(alias)
    if not (kept and secrets.compare_digest(kept.encode(), token.encode(errors="replace"))):
        raise Refused("wrong_token", 404)


def _hook(request: HttpRequest) -> Hook:
    """The request as values; raises `Refused` for one that is too large or not by GET or POST."""
    if request.method not in METHODS:
        raise Refused("method", 405)
    if len(request.META.get("QUERY_STRING", "")) > LONGEST_QUERY:
        raise Refused("long_query", 414)
    headers = {name.lower(): value for name, value in request.headers.items()}
    if sum(len(name) + len(value) for name, value in headers.items()) > LARGEST_HEADERS:
        raise Refused("large_headers", 431)
    if "transfer-encoding" in headers:
        raise Refused("no_length", 411)  # Django reads what Content-Length says, and nothing without
    if _size(request) > LARGEST_BODY:
        raise Refused("too_large", 413)
    try:
        body = request.body
    except UnreadablePostError:
        raise Refused("broken_off", 400) from None
    return Hook(request.method, _url(request), headers, body, timezone.now())


def _url(request: HttpRequest) -> str:
    """The URL that the vendor called, which some sign: ours as the settings say it, whatever a proxy made of it."""
    if settings.PUBLIC_URL:
        return str(settings.PUBLIC_URL + request.get_full_path())
    return request.build_absolute_uri()


def _size(request: HttpRequest) -> int:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isascii() and length.isdecimal() and len(length) < 16 else 0


def _take(adapter: Hears, alias: str, hook: Hook) -> Answer:
    """Have the adapter prove it and look through it, and write it down; raises `Refused`."""
    try:
        adapter.verify(hook)
        said = _look_through(adapter, alias, hook)
    except Forged as fault:
        raise Refused("forged", 403, str(fault)) from None
    except Malformed as fault:
        raise Refused("malformed", 400, str(fault)) from None
    # Whoever says STOP again after a START says it in the same words. Where the vendor gives replies no id and no time,
    # that is the same request once more, and the wish must not be taken for a repeat.
    is_anew = any(isinstance(each, Reply) and inbound.counts_each_time(each) for each in said)
    if _write(alias, hook, salt=secrets.token_bytes(16) if is_anew else b""):
        _ring()
    return adapter.answer(hook)


def _look_through(adapter: Hears, alias: str, hook: Hook) -> Sequence[Receipt | Reply]:
    """What it says; raises `Malformed` for what makes no sense. What an adapter with a mistake cannot read is kept all
    the same: it was proven, and `hooks.again` reads it once the adapter is mended.
    """
    try:
        return adapter.read(hook)
    except Malformed:
        raise
    except Exception as fault:  # noqa: BLE001
        log.error("hook_unread", alias=alias, fault=hooks.place(fault))  # noqa: TRY400
        return []


def _write(alias: str, hook: Hook, *, salt: bytes = b"") -> bool:
    """One row in one statement; whether it is new, as one with a salt always is."""
    query = hook.url.partition("?")[2]
    kept = {name: storable(hook.headers[name]) for name in KEPT_HEADERS if name in hook.headers}
    digest = _digest(alias, hook.method, query, hook.body, salt)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO hook_events (alias, method, query, headers, body, digest) VALUES (%s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (digest) DO NOTHING",
            [alias, hook.method, query, json.dumps(kept), hook.body, digest],
        )
        return bool(cursor.rowcount)


def _digest(alias: str, method: str, query: str, body: bytes, salt: bytes) -> bytes:
    """The same for the same request; the lengths keep two others from running together to one."""
    said = sha256()
    for piece in (alias.encode(), method.encode(), query.encode(errors="replace"), body, salt):
        said.update(len(piece).to_bytes(8) + piece)
    return said.digest()


def _refuse(alias: str, refused: Refused, *, size: int) -> HttpResponse:
    log.warning("hook_refused", alias=alias, why=refused.why, told=refused.told, size=size)
    board.refused(alias, refused.why)
    headers: Mapping[str, str] = {"Allow": ", ".join(METHODS)} if refused.status == 405 else {}
    return HttpResponse(status=refused.status, content_type="text/plain", headers=headers)


class _Bell:
    """When this process may ring next."""

    lock = threading.Lock()
    next_at = 0.0


def _ring() -> None:
    """Wake a worker, four times a second at the most: it goes on while it finds something, and the sweep finds the
    rest.

    In a thread of its own, because a Redis that keeps silent would hold up the vendor for its whole time-out.
    """
    with _Bell.lock:
        if time.monotonic() < _Bell.next_at:
            return
        _Bell.next_at = time.monotonic() + RING_EVERY_SECONDS
    threading.Thread(target=bells.ring_hooks, name="hook-bell", daemon=True).start()
