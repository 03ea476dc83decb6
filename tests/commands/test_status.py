"""`manage.py status`: the state on a screen and for programs, whatever is away."""

import json
from io import StringIO
from typing import Any, NoReturn

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connections

from messaging import board
from messaging.models import Sender
from messaging.providers.base import Accepted, GiveUp
from tests.messaging.driving import sending_campaign

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox", "empty_board")]


def status(*arguments: str) -> str:
    out = StringIO()
    call_command("status", *arguments, stdout=out)
    return out.getvalue()


def line(screen: str, begins: str) -> list[str]:
    """The words of the one line that begins so."""
    [found] = [each.split() for each in screen.splitlines() if each.startswith(begins)]
    return found


def test_the_screen_tells_what_goes_on_and_fits_a_hundred_columns() -> None:
    sending_campaign(3)
    Sender.objects.filter(alias="memory").update(rate=12.5)
    board.tally("simulator", [Accepted("1"), Accepted("2"), GiveUp("x")], 0.5)
    board.sign_of_worker("celery@a", "host-a:17", 8)
    board.sign_of_clock("beat")

    screen = status()

    assert line(screen, "Messages") == ["Messages", "pending", "3"]
    assert line(screen, "Campaigns") == ["Campaigns", "sending", "1"]
    batches, sender = [each.split() for each in screen.splitlines() if each.startswith("memory ")]
    assert batches[:2] == ["memory", "1"]
    assert sender == ["memory", "12.5", "0", "running"]
    answers = [each.split() for each in screen.splitlines() if each.startswith("simulator ")][-1]
    assert answers == ["simulator", "2", "0", "0", "1", "0", "0", "0", "0.50", "s"]
    assert line(screen, "host-a:17")[:2] == ["host-a:17", "8"]
    assert "Beat rang 0 s ago." in screen
    assert "A sweep ran at no known time." in screen
    assert max(map(len, screen.splitlines())) <= 100


def test_programs_get_the_same_as_json() -> None:
    sending_campaign(3)
    board.tally("memory", [Accepted("1")], 0.5)
    board.sign_of_worker("celery@a", "host-a:17", 8)

    found = json.loads(status("--json"))

    assert found["messages"]["pending"] == 3
    assert [each["waiting"] for each in found["queues"] if each["provider"] == "memory"] == [1]
    assert found["notices"]["outcomes"] == {"memory": {"accepted": 1}}
    [worker] = found["notices"]["workers"]
    assert (worker["process"], worker["threads"], worker["is_alive"]) == ("host-a:17", 8, True)
    latency = found["notices"]["latencies"]["memory"]
    assert len(latency["counts"]) == len(found["notices"]["latency_buckets"]) + 1


def test_it_works_without_redis_and_says_so(settings: Any, nobody_listens: int) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{nobody_listens}/0"
    screen = status()
    assert "Redis does not answer" in screen
    assert "Workers" not in screen
    assert line(screen, "Messages") == ["Messages", "none"]
    assert json.loads(status("--json"))["notices"] is None


def test_without_the_database_it_is_a_sentence_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> NoReturn:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connections["default"], "cursor", refuse)
    with pytest.raises(CommandError, match="The database does not answer: connection refused"):
        status()
