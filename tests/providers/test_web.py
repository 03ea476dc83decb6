"""The client that adapters share, and the words that it reads."""

import asyncio
import ssl
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from messaging.providers.base import Malformed, TryLater
from messaging.providers.reading import dig, moment, phone, shown
from messaging.providers.web import Heard, Web, check_url, with_query

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)


def call(url: str, fault: BaseException | None = None, monkeypatch: pytest.MonkeyPatch | None = None) -> Any:
    async def ask() -> Any:
        web = Web(timeout_seconds=1)
        session = web._open()
        if fault and monkeypatch:
            monkeypatch.setattr(session, "_request", Fails(fault))
        try:
            return await web.call("POST", url)
        finally:
            await web.close()

    return asyncio.run(ask())


class Fails:
    """What a session does whose connection could not be made."""

    def __init__(self, fault: BaseException) -> None:
        self.fault = fault

    async def __call__(self, *_: Any, **__: Any) -> aiohttp.ClientResponse:
        raise self.fault


def key() -> Any:
    return aiohttp.client_reqrep.ConnectionKey(
        "example.com", 443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None
    )


@pytest.mark.parametrize(
    "fault",
    [
        aiohttp.ClientConnectorCertificateError(key(), ssl.SSLCertVerificationError("self-signed")),
        aiohttp.ClientConnectorDNSError(key(), OSError("no such host")),
        aiohttp.ConnectionTimeoutError("example.com"),
    ],
)
def test_whatever_keeps_a_connection_from_being_made_nothing_left_us(
    fault: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(call("https://example.com", fault, monkeypatch), TryLater)


def test_a_client_that_was_closed_opens_new_connections(nobody_listens: int) -> None:
    async def twice() -> list[Any]:
        web = Web(timeout_seconds=1)
        await web.close()
        answers = []
        for _ in range(2):
            answers.append(await web.call("POST", f"http://127.0.0.1:{nobody_listens}"))
            await web.close()
        return answers

    assert [type(each) for each in asyncio.run(twice())] == [TryLater, TryLater]


@pytest.mark.parametrize("body", [b"", b"[1]", b"\xff", b"3", b"[" * 100_000])
def test_an_answer_that_is_no_object_holds_nothing(body: bytes) -> None:
    assert Heard(200, body=body).json == {}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("0", 0.0), ("", None), ("soon", None), ("-1", None), ("٧", None), ("9" * 20, None)],
)
def test_only_whole_seconds_are_waited_for(value: str, seconds: float | None) -> None:
    assert Heard(429, {"retry-after": value}).retry_after == seconds


@pytest.mark.parametrize(
    "url", ["", "api.example.com", "ftp://x", "http://", "http://a b", "http://[", "http://a:b", 7]
)
def test_what_cannot_be_called_is_no_address(url: Any) -> None:
    with pytest.raises(ValueError, match="base must be an address"):
        check_url("base", url)


def test_a_parameter_goes_behind_those_that_are_there() -> None:
    assert with_query("https://a/b", reference="1 2") == "https://a/b?reference=1+2"
    assert with_query("https://a/b?c=d", reference="1") == "https://a/b?c=d&reference=1"


@pytest.mark.parametrize(
    ("path", "found"),
    [("a.0.b", 1), ("", {"a": [{"b": 1}]}), ("a.1.b", None), ("a.b", None), ("a.0.b.c", None), ("x.y", None)],
)
def test_a_word_is_found_by_its_path(path: str, found: Any) -> None:
    assert dig({"a": [{"b": 1}]}, path) == found


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-25T08:00:00Z", "2026-11-25T11:00:00+03:00", "2026-11-25T08:00:00", "1795593600", 1795593600,
        1795593600.0, 1795593600000, "1795593600000",
    ],
)  # fmt: skip
def test_a_time_is_read_however_it_is_written(value: Any) -> None:
    assert moment(value, datetime(2000, 1, 1, tzinfo=UTC)) == NOW


def test_without_a_time_it_is_the_one_when_it_came() -> None:
    assert moment(None, NOW) == moment("", NOW) == NOW


@pytest.mark.parametrize("value", ["yesterday", 1e300, float("nan"), float("inf"), "9" * 400, {}, [], True, "٧٧٧"])
def test_what_is_no_time_is_malformed(value: Any) -> None:
    with pytest.raises(Malformed):
        moment(value, NOW)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("+254712345678", "+254712345678"),
        (254712345678, "+254712345678"),
        ("MPESA", ""),
        ("0712345678", ""),
        (None, ""),
    ],
)
def test_a_phone_is_told_from_a_name(value: Any, number: str) -> None:
    assert phone(value) == number


@pytest.mark.parametrize("code", ["21610", "E-77", "REJECTED_NETWORK", 0, "UNDELIV:034"])
def test_a_code_is_shown_as_it_was_written(code: Any) -> None:
    assert shown(code) == str(code)


@pytest.mark.parametrize("code", ["+254712345678", "no such number", "x" * 41, "to254712345678", {"a": "b"}, ""])
def test_what_may_hold_a_phone_or_a_text_is_not_shown(code: Any) -> None:
    assert shown(code) == "that cannot be shown"
