"""Credentials at rest."""

from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection

from messaging import secrets
from messaging.checks import every_key_is_one
from messaging.models import Sender
from messaging.secrets import Sealed, Unreadable

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
TOKEN = {"token": "hush-hush-7f3a"}


def test_what_was_sealed_is_read_again_and_never_seen() -> None:
    sealed = secrets.seal(TOKEN)
    assert sealed.open("line") == TOKEN
    assert "hush" not in f"{sealed!r} {sealed} {sealed.token}"


def test_no_credentials_are_nothing() -> None:
    assert secrets.seal({}) == Sealed()
    assert Sealed().open("line") == {}


def test_the_first_key_writes_and_all_read(settings: Any) -> None:
    settings.SECRETS_KEYS = [OLD]
    sealed = secrets.seal(TOKEN)
    settings.SECRETS_KEYS = [NEW, OLD]
    assert sealed.open("line") == TOKEN
    renewed = sealed.renewed("line")
    settings.SECRETS_KEYS = [NEW]
    assert renewed.open("line") == TOKEN
    with pytest.raises(Unreadable, match="line"):
        sealed.open("line")


def test_setting_keys_later_loses_nothing_that_secret_key_wrote(settings: Any) -> None:
    settings.SECRETS_KEYS = []
    sealed = secrets.seal(TOKEN)
    settings.SECRETS_KEYS = [NEW]
    assert sealed.open("line") == TOKEN
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert sealed.open("line") == TOKEN
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(Unreadable):
        sealed.open("line")


@pytest.mark.parametrize("token", ["nonsense", Fernet(NEW).encrypt(b"{}").decode()], ids=["no token", "another key"])
def test_what_no_key_reads_is_told_with_the_sender_and_never_empty(settings: Any, token: str) -> None:
    settings.SECRETS_KEYS = [OLD]
    with pytest.raises(Unreadable, match="sender “line” can be read with none of SECRETS_KEYS"):
        Sealed(token).open("line")


def test_a_credential_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINE_TOKEN", "from outside")
    assert secrets.resolve("line", "token", "env:LINE_TOKEN") == "from outside"
    assert secrets.resolve("line", "token", "itself") == "itself"
    headers = {"Authorization": "env:LINE_TOKEN", "X-Plan": "gold"}
    assert secrets.resolve("line", "headers", headers) == {"Authorization": "from outside", "X-Plan": "gold"}
    monkeypatch.setenv("LINE_TOKEN", "")
    with pytest.raises(Unreadable, match="“line” takes its token from the environment variable LINE_TOKEN"):
        secrets.resolve("line", "token", "env:LINE_TOKEN")


@pytest.mark.parametrize("value", ["env:", "env: ", {"Authorization": "env:"}])
def test_a_credential_in_no_variable_is_told_as_that(value: Any) -> None:
    sentence = "“line”, token: env: must be followed by the name of an environment variable."
    with pytest.raises(Unreadable, match=sentence):
        secrets.resolve("line", "token", value)


@pytest.mark.django_db
def test_nothing_of_it_is_legible_in_the_database() -> None:
    sender = Sender.objects.create(alias="line", sealed=secrets.seal(TOKEN))
    with connection.cursor() as cursor:
        cursor.execute("SELECT sender::text FROM senders AS sender WHERE id = %s", [sender.pk])
        [(row,)] = cursor.fetchall()
    assert "hush" not in row
    assert Sender.objects.get(pk=sender.pk).sealed.open("line") == TOKEN


@pytest.mark.django_db
def test_a_column_takes_only_what_is_sealed() -> None:
    with pytest.raises(TypeError, match="sealed"):
        Sender.objects.create(alias="line", sealed="hush-hush-7f3a")  # type: ignore[misc]


@pytest.mark.django_db
def test_rotation_writes_all_anew_with_the_first_key_and_may_be_repeated(settings: Any) -> None:
    settings.SECRETS_KEYS = [OLD]
    sender = Sender.objects.create(alias="line", sealed=secrets.seal(TOKEN))
    settings.SECRETS_KEYS = [NEW, OLD]
    for _ in range(2):
        told = StringIO()
        call_command("rotate_secrets", stdout=told)
        assert told.getvalue() == "Credentials written anew: 1.\n"
    settings.SECRETS_KEYS = [NEW]
    assert Sender.objects.get(pk=sender.pk).sealed.open("line") == TOKEN


@pytest.mark.django_db
def test_rotation_names_whom_no_key_reads_and_leaves_them(settings: Any) -> None:
    settings.SECRETS_KEYS = [OLD]
    lost = Sender.objects.create(alias="lost", sealed=secrets.seal(TOKEN))
    settings.SECRETS_KEYS = [NEW]
    Sender.objects.create(alias="line", sealed=secrets.seal(TOKEN))
    before = Sender.objects.get(pk=lost.pk).sealed
    with pytest.raises(CommandError, match="lost"):
        call_command("rotate_secrets", stdout=StringIO())
    assert Sender.objects.get(pk=lost.pk).sealed == before


def test_a_key_that_is_none_stops_the_process_without_being_repeated(settings: Any) -> None:
    settings.SECRETS_KEYS = [NEW, "too short"]
    [problem] = every_key_is_one()
    assert problem.id == "messaging.E011"
    assert "Number 2" in problem.msg
    assert "too short" not in problem.msg
