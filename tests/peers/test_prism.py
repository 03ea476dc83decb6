"""Twilio's published API description, served by prism: it takes every request that our adapter can make, and refuses a
broken one. It describes no error, so those of our own table are laid over it.
"""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from messaging.providers.base import (
    Accepted,
    Envelope,
    GiveUp,
    OptedOut,
    Outcome,
    SlowDown,
    StopAll,
    Template,
    TryLater,
    Unknown,
)
from messaging.providers.twilio import Twilio
from tests.faults.broker import MORTAL
from tests.peers.conftest import peer
from tests.peers.hearing import free_ports, listens, until

pytestmark = pytest.mark.peers
ACCOUNT = f"AC{'0' * 31}1"
MESSAGES = "/2010-04-01/Accounts/{AccountSid}/Messages.json"
# Whom the description's first example answers for: an answer that names another is none of ours to the adapter.
PHONE = "+14155552345"
DOOR = "https://clarion.example/hooks/twilio/s3cret"
# By HTTP status the codes of Twilio's that are laid over, as it words an error.
ERRORS = {
    400: [21211, 21408, 21606, 21610, 21611, 21614, 21617, 63016, 99999],
    401: [20003],
    404: [20404],
    429: [20429],
    500: [20500],
    503: [20503],
}


def overlay(description: dict[str, Any]) -> dict[str, Any]:
    """The description, in which sending a message may also fail."""
    post = description["paths"][MESSAGES]["post"]
    for status, codes in ERRORS.items():
        examples = {
            str(code): {"value": {"code": code, "message": f"About {PHONE}", "more_info": "", "status": status}}
            for code in codes
        }
        post["responses"][str(status)] = {
            "description": "an error",
            "headers": {"Retry-After": {"schema": {"type": "integer", "example": 7, "default": 7}}}
            if status == 429
            else {},
            "content": {"application/json": {"schema": {"type": "object"}, "examples": examples}},
        }
    return description


def serve(place: Path, folder: Path, description: Path) -> Iterator[str]:
    """The address of a prism with this description."""
    (port,) = free_ports(1)
    cli = place / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
    with (folder / "prism.log").open("wb") as log:
        server = subprocess.Popen(
            [*MORTAL, "node", str(cli), "mock", "-h", "127.0.0.1", "-p", str(port), str(description)],
            cwd=place, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        until(lambda: listens(port), "prism listens", 60)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait(10)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Prism with the description as it was published."""
    place = peer("prism")
    yield from serve(place, tmp_path_factory.mktemp("published"), place / "twilio.json")


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Prism with errors laid over."""
    place, folder = peer("prism"), tmp_path_factory.mktemp("failing")
    description = folder / "twilio.json"
    description.write_text(json.dumps(overlay(json.loads((place / "twilio.json").read_text()))))
    yield from serve(place, folder, description)


def submit(adapter: Twilio, envelope: Envelope, **headers: str) -> Outcome:
    async def call() -> Outcome:
        adapter._web.headers |= headers
        (outcome,) = await adapter.submit([envelope])
        await adapter._web.close()
        return outcome

    return asyncio.run(call())


def make(url: str, kind: type[Twilio] = Twilio, **options: Any) -> Twilio:
    options = options if "messaging_service_sid" in options else {"sender": "+15005550006", **options}
    return kind(account_sid=ACCOUNT, auth_token="t", url=url, **options)


SENDERS = [{"sender": "+15005550006"}, {"sender": "ACME"}, {"messaging_service_sid": f"MG{'a' * 32}"}]
OPTIONS: list[dict[str, Any]] = [{}, {"validity_seconds": 600}, {"api_key": f"SK{'a' * 32}", "api_key_secret": "s"}]
TEMPLATES = [None, Template(f"HX{'b' * 32}", "sw"), Template(f"HX{'b' * 32}", "sw", ("Ann", '"{1}" ☺'))]


def test_the_published_description_has_every_request_that_the_adapter_can_make(published: str) -> None:
    made = 0
    for sender, options, template, channel, door in product(
        SENDERS, OPTIONS, TEMPLATES, ["sms", "whatsapp"], ["", DOOR]
    ):
        adapter = make(published, **sender, **options)
        if channel not in adapter.capabilities.channels:
            continue
        envelope = Envelope("41", channel, PHONE, "Habari ☺ & 100%", template=template, receipt_url=door)
        outcome = submit(adapter, envelope)
        assert isinstance(outcome, Accepted), (sender, options, template, channel, door, outcome)
        assert outcome.provider_message_id.startswith(("SM", "MM"))
        made += 1
    assert made == 90


class WithoutPhone(Twilio):
    """Forgets to say to whom."""

    def _fields(self, envelope: Envelope) -> dict[str, str]:
        return {name: value for name, value in super()._fields(envelope).items() if name != "To"}


class WithBadDoor(Twilio):
    """Names a door that is no address."""

    def _fields(self, envelope: Envelope) -> dict[str, str]:
        return {**super()._fields(envelope), "StatusCallback": "not an address"}


@pytest.mark.parametrize("broken", [WithoutPhone, WithBadDoor])
def test_a_broken_request_is_refused_so_the_test_above_can_fail(published: str, broken: type[Twilio]) -> None:
    assert isinstance(submit(make(published, broken), Envelope("41", "sms", PHONE, "Habari")), GiveUp)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, 21211, GiveUp), (400, 21408, GiveUp), (400, 21606, StopAll), (400, 21610, OptedOut),
        (400, 21611, SlowDown), (400, 21614, GiveUp), (400, 21617, GiveUp), (400, 63016, GiveUp), (400, 99999, GiveUp),
        (401, 20003, StopAll), (404, 20404, StopAll), (429, 20429, SlowDown), (500, 20500, Unknown),
        (503, 20503, TryLater),
    ],
)  # fmt: skip
def test_its_errors_mean_what_they_should(failing: str, status: int, code: int, expected: type[Outcome]) -> None:
    prefer = {"Prefer": f"code={status}, example={code}"}
    outcome = submit(make(failing), Envelope("41", "sms", PHONE, "Habari"), **prefer)
    assert type(outcome) is expected, outcome
    assert str(code) in outcome.error  # type: ignore[union-attr]
    assert PHONE not in outcome.error  # type: ignore[union-attr]
    if status == 429:
        assert isinstance(outcome, SlowDown)
        assert outcome.seconds == 7
