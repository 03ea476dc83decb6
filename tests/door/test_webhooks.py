"""The door: what it takes stands in the database as it came, what it refuses leaves a line and a count."""

import io
import json
import logging
import time
from typing import Any, NoReturn

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.db import OperationalError, connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from config.logging import LOGGING, is_no_echo
from messaging import accounts, adapters, bells, board, hooks, providers, senders, webhooks
from messaging.models import HookEvent, Sender
from messaging.providers.base import Answer, Envelope, Forged, Hook, Malformed
from messaging.providers.simulated_receipts import SIGNATURE, HearsReceipts, sign
from tests.door.knocking import ALIAS, NOON, address, knock, said, secret

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_board")]


def refusals() -> dict[tuple[str, str], int]:
    notices = board.read()
    assert notices is not None
    return dict(notices.refusals)


class Hearing(HearsReceipts):
    """An adapter whose every answer a test chooses."""

    secret = "s"
    hooks: list[Hook]
    wrong: dict[str, Exception]

    def __init__(self) -> None:
        self.hooks, self.wrong = [], {}

    def _do(self, what: str, hook: Hook) -> None:
        self.hooks.append(hook)
        if what in self.wrong:
            raise self.wrong[what]

    def verify(self, hook: Hook) -> None:
        self._do("verify", hook)

    def read(self, hook: Hook) -> list[Any]:
        self._do("read", hook)
        return []

    def answer(self, hook: Hook) -> Answer:
        return Answer("<Response/>", "text/xml")


@pytest.fixture
def hearing(monkeypatch: pytest.MonkeyPatch) -> Hearing:
    adapter = Hearing()
    monkeypatch.setattr(providers, "get", lambda _alias: adapter)
    return adapter


def test_what_is_taken_stands_there_as_it_came(rung: list[str]) -> None:
    body = json.dumps({"receipts": [said(7, "delivered")]}).encode()

    answer = knock(body=body, query="?a=1&b=%C3%A4", headers={"user-agent": "vendor/2", "x-other": "secret"})

    assert (answer.status_code, answer.content) == (200, b"")
    event = HookEvent.objects.get()
    assert (event.alias, event.method, event.query, bytes(event.body)) == (ALIAS, "POST", "a=1&b=%C3%A4", body)
    assert event.headers == {"content-type": "application/json", "user-agent": "vendor/2"}
    assert (event.done_at, event.fault, rung) == (None, "", ["hooks"])
    assert refusals() == {}


def test_a_repeat_is_answered_like_the_first_and_kept_once(rung: list[str]) -> None:
    answers = [knock(said(7, "delivered")).status_code for _ in range(3)]

    assert answers == [200, 200, 200]
    assert HookEvent.objects.count() == 1
    assert rung == ["hooks"]


def test_the_same_body_with_another_query_is_another_request() -> None:
    for query in ("", "?a=1", "?a=2"):
        assert knock(said(7, "delivered"), query=query).status_code == 200

    assert sorted(HookEvent.objects.values_list("query", flat=True)) == ["", "a=1", "a=2"]


def test_it_costs_two_statements() -> None:
    path = address()
    accounts.forget()  # as a process that has not looked for a second
    with CaptureQueriesContext(connection) as asked:
        assert knock(said(7, "delivered"), path=path).status_code == 200

    assert [each["sql"].split()[0] for each in asked.captured_queries][-2:] == ["SELECT", "INSERT"]
    assert len(asked) == 2


def test_the_vendor_hears_what_it_wants_to_hear(hearing: Hearing) -> None:
    answer = knock(body=b"From=1")

    assert (answer.content, answer["Content-Type"]) == (b"<Response/>", "text/xml")


def test_the_adapter_sees_the_url_that_the_vendor_called(hearing: Hearing, settings: Any) -> None:
    settings.PUBLIC_URL = "https://clarion.example.com"
    path = address()
    knock(body=b"x", query="?a=%2B&b")
    settings.PUBLIC_URL = ""
    knock(body=b"y", query="?a=%2B&b")

    urls = [hook.url for hook in hearing.hooks]
    assert urls[0] == f"https://clarion.example.com{path}?a=%2B&b"
    assert urls[-1] == f"http://testserver{path}?a=%2B&b"
    assert hearing.hooks[0].query == {"a": "+", "b": ""}
    assert hearing.hooks[0].headers["content-type"] == "application/json"


def test_a_vendor_may_also_come_by_get(hearing: Hearing) -> None:
    assert Client().get(address() + "?id=1&status=delivered").status_code == 200

    event = HookEvent.objects.get()
    assert (event.method, event.query, bytes(event.body)) == ("GET", "id=1&status=delivered", b"")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"])
def test_any_other_method_is_refused(method: str) -> None:
    answer = Client().generic(method, address())

    assert (answer.status_code, answer["Allow"], answer.content) == (405, "GET, POST", b"")
    assert refusals() == {(ALIAS, "method"): 1}


def test_an_unknown_alias_a_deaf_one_and_a_wrong_token_look_alike() -> None:
    token = accounts.hook_token(ALIAS)
    paths = [
        f"/hooks/nobody/{token}",
        f"/hooks/console/{accounts.hook_token('console')}",
        address(token="0" * 32),
        address(token=token[:-1]),
        address(token=token + "/"),
        address(token=token.upper()) if token.upper() != token else address(token="é"),
        address(token="%FF%FE"),
        f"/hooks/%FF/{token}",
        f"/hooks/%00/{token}",
    ]

    answers = [knock(said(7, "delivered"), path=path) for path in paths]

    assert {(answer.status_code, answer.content, answer["Content-Type"]) for answer in answers} == {
        (404, b"", "text/plain")
    }
    assert HookEvent.objects.count() == 0
    # Whoever makes names up does not make our metrics grow.
    assert refusals() == {("", "unknown_alias"): 4, (ALIAS, "wrong_token"): 5}


def test_every_sender_has_a_secret_of_its_own() -> None:
    tokens = list(Sender.objects.values_list("hook_token", flat=True))
    Sender.objects.create(alias="another")

    assert len({*tokens, Sender.objects.get(alias="another").hook_token}) == len(tokens) + 1
    assert accounts.hook_token("nobody") == ""


def test_a_sender_without_a_row_lets_nobody_in() -> None:
    Sender.objects.filter(alias=ALIAS).delete()

    assert Client().get(f"/hooks/{ALIAS}/").status_code == 404
    assert Client().get(f"/hooks/{ALIAS}/None").status_code == 404


@pytest.mark.parametrize("signature", ["", "0" * 64, "é", sign("another secret", b'{"receipts": []}')])
def test_what_is_not_signed_with_our_secret_is_refused(signature: str) -> None:
    answer = knock(body=b'{"receipts": []}', headers={SIGNATURE: signature})

    assert answer.status_code == 403
    assert HookEvent.objects.count() == 0
    assert refusals() == {(ALIAS, "forged"): 1}


def test_a_signature_for_another_body_is_refused() -> None:
    assert knock(said(7, "delivered"), headers={SIGNATURE: sign(secret(), b"{}")}).status_code == 403


def test_a_simulator_without_a_secret_believes_nobody() -> None:
    adapter = HearsReceipts()
    hook = Hook("POST", "/", {SIGNATURE: sign("", b"{}")}, b"{}", NOON)
    with pytest.raises(Forged, match="no secret"):
        adapter.verify(hook)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b"{}",
        b'{"receipts": {}}',
        b'{"receipts": [1]}',
        b'{"receipts": [{"reference": "1", "status": "lost", "at": "2026-01-01T00:00:00Z"}]}',
        b'{"receipts": [{"reference": "1", "status": "sent", "at": "2026-01-01T00:00:00"}]}',
        b'{"receipts": [{"reference": "1", "status": "sent", "at": 7}]}',
        b'{"receipts": [{"status": "sent", "at": "2026-01-01T00:00:00Z"}]}',
        b"[" * 100_000,
    ],
)
def test_what_makes_no_sense_is_refused(body: bytes) -> None:
    assert knock(body=body).status_code == 400
    assert HookEvent.objects.count() == 0
    assert refusals() == {(ALIAS, "malformed"): 1}


def test_a_body_of_one_mebibyte_is_the_largest(hearing: Hearing) -> None:
    assert knock(body=b"x" * webhooks.LARGEST_BODY).status_code == 200
    assert knock(body=b"x" * (webhooks.LARGEST_BODY + 1)).status_code == 413
    assert HookEvent.objects.count() == 1
    assert refusals() == {(ALIAS, "too_large"): 1}


def request_of(body: io.BytesIO, length: str) -> WSGIRequest:
    request = RequestFactory().post("/", data=b"", content_type="text/plain")
    return WSGIRequest(request.environ | {"CONTENT_LENGTH": length, "wsgi.input": body})


def test_a_body_that_is_too_large_is_not_even_read() -> None:
    class Unread(io.BytesIO):
        def read(self, *_: Any) -> NoReturn:
            raise AssertionError("it was read")

    assert webhooks.door(request_of(Unread(), "99999999999"), ALIAS, accounts.hook_token(ALIAS)).status_code == 413


@pytest.mark.parametrize(
    ("query", "headers", "status", "why"),
    [
        ("?a=" + "x" * 9000, {}, 414, "long_query"),
        ("", {"x-long": "x" * 40_000}, 431, "large_headers"),
        ("", {"transfer-encoding": "chunked"}, 411, "no_length"),
    ],
)
def test_queries_and_headers_have_their_limits(
    hearing: Hearing, query: str, headers: dict[str, str], status: int, why: str
) -> None:
    assert knock(body=b"x", query=query, headers=headers).status_code == status
    assert HookEvent.objects.count() == 0
    assert refusals() == {(ALIAS, why): 1}


def test_a_caller_who_hangs_up_is_refused(hearing: Hearing) -> None:
    class Broken(io.BytesIO):
        def read(self, *_: Any) -> NoReturn:
            raise OSError("reset by peer")

    assert webhooks.door(request_of(Broken(), "5"), ALIAS, accounts.hook_token(ALIAS)).status_code == 400
    assert refusals() == {(ALIAS, "broken_off"): 1}


def test_nul_and_other_oddities_do_not_break_it(hearing: Hearing) -> None:
    answer = knock(body=b"\x00\xff", query="?q=%00%FF&\xff=\x00", headers={"user-agent": "a\x00b"})

    assert answer.status_code == 200
    event = HookEvent.objects.get()
    assert (bytes(event.body), event.headers["user-agent"]) == (b"\x00\xff", "ab")


def test_an_adapter_that_fails_to_prove_it_lets_nobody_in(hearing: Hearing) -> None:
    hearing.wrong = {"verify": KeyError("signature")}
    with pytest.raises(KeyError):
        knock(body=b"x")
    assert HookEvent.objects.count() == 0


@pytest.mark.parametrize(("fault", "status"), [(Malformed("no form"), 400), (Forged("no signature"), 403)])
def test_a_proof_that_makes_no_sense_is_refused(hearing: Hearing, fault: Exception, status: int) -> None:
    hearing.wrong = {"verify": fault}
    assert knock(body=b"x").status_code == status


def test_what_was_proven_and_an_adapter_cannot_read_is_kept(hearing: Hearing) -> None:
    hearing.wrong = {"read": ZeroDivisionError("+254712345678")}

    assert knock(body=b"x").status_code == 200
    assert HookEvent.objects.get().done_at is None


def test_a_database_that_is_away_is_told_so_that_the_vendor_repeats_it(
    hearing: Hearing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **_options: object) -> NoReturn:
        raise OperationalError("gone")

    path = address()
    monkeypatch.setattr(webhooks, "_write", away)
    assert knock(body=b"x", path=path).status_code == 503


def test_a_refusal_is_one_line_without_secrets() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(is_no_echo)
    logging.getLogger().addHandler(handler)
    token = accounts.hook_token(ALIAS)
    try:
        knock(said(7, "delivered", phone="+254712345678"), headers={SIGNATURE: "wrong"})
        knock(body=b'{"receipts": ["+254712345678"]}')
        knock(body=b"x", path=address(token="wrong-token"))
    finally:
        logging.getLogger().removeHandler(handler)

    told = stream.getvalue().splitlines()
    assert len(told) == 3
    assert all("hook_refused" in line for line in told)
    assert [why in line for why, line in zip(["forged", "malformed", "wrong_token"], told, strict=True)] == [True] * 3
    for secret_word in (token, "wrong-token", "254712345678", secret()):
        assert secret_word not in stream.getvalue()


def test_an_error_behind_the_door_is_logged_without_its_secret() -> None:
    processors = LOGGING["formatters"]["line"]["processors"]
    event: Any = {"event": "Internal Server Error: /hooks/a/s3cret?x=1", "request": "POST /hooks/a/s3cret"}
    record = logging.LogRecord("django.request", logging.ERROR, "", 1, event["event"], None, None)

    for processor in processors[-3:-1]:
        event = processor(None, "", event)

    assert is_no_echo(record)
    assert event == {"event": "Internal Server Error: /hooks/a/…?x=1", "request": "POST /hooks/a/…"}


def test_the_bell_is_rung_a_few_times_a_second_at_most_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    heard: list[float] = []

    def ring_slowly() -> None:
        time.sleep(0.2)
        heard.append(time.monotonic())

    monkeypatch.setattr(bells, "ring_hooks", ring_slowly)
    monkeypatch.setattr(webhooks._Bell, "next_at", 0.0)

    begun = time.monotonic()
    for _ in range(100):
        webhooks._ring()

    assert time.monotonic() - begun < 0.15
    time.sleep(0.3)
    assert len(heard) == 1
    webhooks._ring()
    time.sleep(0.3)
    assert len(heard) == 2


def test_messages_are_handed_over_with_the_address_for_their_receipts(settings: Any) -> None:
    settings.PUBLIC_URL = "https://clarion.example.com"

    assert senders.hook_url(ALIAS) == f"https://clarion.example.com{address()}"
    assert senders.hook_url("console") == ""
    settings.PUBLIC_URL = ""
    assert senders.hook_url(ALIAS) == ""
    assert Envelope("1", "sms", "+254712345678", "Hi").receipt_url == ""


def test_a_sender_that_is_not_enabled_still_hears_who_says_stop(settings: Any) -> None:
    simulator = settings.MESSAGE_PROVIDERS[ALIAS]
    adapter = adapters.Adapter("simulated", "Simulated", simulator["BACKEND"], ())
    settings.MESSAGE_PROVIDERS = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapters, "shipped", lambda: {"simulated": adapter})
        patch.setattr(providers, "_made", {})
        sender = Sender(alias="resting", backend="simulated", options=simulator["OPTIONS"])
        senders.save(sender)
        body = json.dumps({"receipts": [said(7, "delivered")]}).encode()
        headers = {SIGNATURE: sign(simulator["OPTIONS"]["secret"], body)}
        answer = Client().post(address("resting"), body, content_type="application/json", headers=headers)
        assert answer.status_code == 200
        assert list(hooks.read(HookEvent.objects.get()))
        assert isinstance(providers.get("resting"), providers.Unusable)
