"""What SNS is asked, and what of boto3's own faults becomes which outcome; the exam asks about its answers."""

import asyncio
import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest

from messaging.providers.base import Accepted, GiveUp, Outcome, StopAll
from messaging.providers.sns import Sns
from tests.providers.answers.sns import ANSWER, envelope
from tests.providers.exam import Said
from tests.providers.server import Server

RIGHT: dict[str, Any] = {"region": "eu-west-1", "access_key_id": "k", "secret_access_key": "s"}


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.script = lambda _: Said(Accepted, 200, ANSWER)
    yield server
    server.close()


def submit(server: Server, text: str = "Habari ☺", **options: Any) -> Outcome:
    async def publish() -> Outcome:
        provider = Sns(**{**RIGHT, "endpoint_url": server.url, **options})
        (outcome,) = await provider.submit([replace(envelope("1"), text=text)])
        await provider.publisher.close()
        return outcome

    return asyncio.run(publish())


def test_the_text_its_sender_and_its_kind_are_published_to_the_phone(server: Server) -> None:
    submit(server, sender_id="ACME", sms_type="Transactional")
    form = {name: values[0] for name, values in parse_qs(server.asked[0].body.decode()).items()}
    assert form["Action"] == "Publish"
    assert form["PhoneNumber"] == envelope("1").to
    assert form["Message"] == "Habari ☺"
    attributes = {
        form[f"MessageAttributes.entry.{n}.Name"]: form[f"MessageAttributes.entry.{n}.Value.StringValue"]
        for n in (1, 2)
    }
    assert attributes == {"AWS.SNS.SMS.SMSType": "Transactional", "AWS.SNS.SMS.SenderID": "ACME"}


def test_without_a_sender_id_aws_chooses(server: Server) -> None:
    submit(server)
    assert b"SenderID" not in server.asked[0].body


def test_the_clients_own_repetitions_are_off_whatever_the_environment_says(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "5")
    monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
    server.script = lambda _: Said(Accepted, 500, b"")
    submit(server)
    assert len(server.asked) == 1


def test_without_any_credentials_nothing_leaves_and_the_account_stops(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    outcome = submit(server, access_key_id="", secret_access_key="")
    assert outcome == StopAll("no credentials: NoCredentialsError")
    assert not server.asked


def test_what_boto3_itself_refuses_is_given_up(server: Server) -> None:
    assert isinstance(submit(server, text=7), GiveUp)  # type: ignore[arg-type]
    assert not server.asked


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("region", ""), ("sms_type", "promotional"), ("sender_id", "much too long"), ("sender_id", "a b"),
        ("access_key_id", ""), ("endpoint_url", "sns.example"), ("timeout_seconds", 0),
    ],
)  # fmt: skip
def test_an_option_that_cannot_be_meant_is_refused_with_its_name(option: str, value: object) -> None:
    with pytest.raises(ValueError, match=option):
        Sns(**{**RIGHT, option: value})


def test_without_boto3_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match="boto3 is not installed"):
        Sns(**RIGHT)
