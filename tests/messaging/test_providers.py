"""The shipped providers, and the port's promises when an adapter breaks them."""

import asyncio
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from messaging import providers
from messaging.providers.base import (
    Accepted,
    Capabilities,
    Envelope,
    GiveUp,
    OptedOut,
    Outcome,
    SlowDown,
    StopAll,
    TryLater,
    Unknown,
)
from messaging.providers.console import Console
from messaging.providers.simulator import Simulator


def envelope(reference: str = "1", to: str = "+254712345678", attempt: int = 0) -> Envelope:
    return Envelope(reference, "sms", to, "secret words", attempt=attempt)


def ask(simulator: Simulator, *envelopes: Envelope) -> list[Outcome]:
    return asyncio.run(simulator.submit(envelopes))


def accepted(log: Path) -> list[str]:
    return [json.loads(line)["reference"] for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "simulator.jsonl"


def quick(log: Path, **options: float) -> Simulator:
    return Simulator(latency_seconds=0, log=str(log), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("suffix", "attempt", "outcome", "is_logged"),
    [
        ("9990", 7, TryLater, False),
        ("9991", 0, TryLater, False),
        ("9991", 1, TryLater, False),
        ("9991", 2, Accepted, True),
        ("9992", 0, GiveUp, False),
        ("9993", 0, SlowDown, False),
        ("9994", 0, OptedOut, False),
        ("9995", 0, Unknown, True),
        ("9996", 0, Unknown, False),
        ("9998", 0, StopAll, False),
        ("9999", 0, TryLater, False),
        ("9999", 1, Accepted, True),
        ("5678", 0, Accepted, True),
    ],
)
def test_numbers_with_an_ending_behave_as_documented(
    log: Path, suffix: str, attempt: int, outcome: type[Outcome], is_logged: bool
) -> None:
    [answer] = ask(quick(log), envelope(to=f"+25471234{suffix}", attempt=attempt))

    assert isinstance(answer, outcome)
    assert accepted(log) == (["1"] if is_logged else [])


def test_a_throttled_number_is_accepted_after_a_while(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("messaging.providers.simulator.THROTTLE_SECONDS", 0.05)
    simulator = quick(log)
    asked = envelope(to="+254712349993")
    assert isinstance(ask(simulator, asked)[0], SlowDown)
    time.sleep(0.06)
    assert isinstance(ask(simulator, asked)[0], Accepted)


def test_a_slow_number_takes_its_time(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("messaging.providers.simulator.SLOW_SECONDS", 0.05)
    began = time.monotonic()
    assert isinstance(ask(quick(log), envelope(to="+254712349997"))[0], Accepted)
    assert time.monotonic() - began >= 0.05


def test_the_same_seed_gives_the_same_fates_and_another_seed_others(log: Path) -> None:
    asked = [envelope(str(number)) for number in range(200)]

    def fates(seed: int) -> list[type[Outcome]]:
        rates = {"transient_rate": 0.2, "permanent_rate": 0.2, "throttle_rate": 0.2, "unknown_rate": 0.2}
        return [type(outcome) for outcome in ask(quick(log, seed=seed, **rates), *asked)]

    assert fates(1) == fates(1)
    assert fates(1) != fates(2)
    assert set(fates(1)) == {TryLater, GiveUp, SlowDown, Unknown, Accepted}


def test_another_try_meets_another_fate(log: Path) -> None:
    simulator = quick(log, transient_rate=0.5)
    answers = [ask(simulator, envelope(attempt=attempt))[0] for attempt in range(20)]
    assert {type(answer) for answer in answers} == {TryLater, Accepted}


def test_the_simulators_log_holds_no_phone_and_no_text(log: Path) -> None:
    ask(quick(log), envelope())
    assert "254712345678" not in log.read_text()
    assert "secret" not in log.read_text()


def test_a_simulator_that_is_down_accepts_nothing(log: Path, tmp_path: Path) -> None:
    down = tmp_path / "down"
    simulator = Simulator(latency_seconds=0, log=str(log), down=str(down))
    down.touch()
    assert isinstance(ask(simulator, envelope())[0], TryLater)
    down.unlink()
    assert isinstance(ask(simulator, envelope())[0], Accepted)
    assert accepted(log) == ["1"]


def test_rates_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Simulator(transient_rate=0.7, permanent_rate=0.7)


def test_the_console_shows_four_digits_and_the_text_only_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(Console().submit([envelope()]))
    quiet = capsys.readouterr().out
    assert "…5678" in quiet
    assert "254712345678" not in quiet
    assert "secret" not in quiet

    asyncio.run(Console(show_text=True).submit([envelope()]))
    assert "secret words" in capsys.readouterr().out


class Odd:
    """An adapter that breaks the port's promises as its option says."""

    def __init__(self, *, habit: str) -> None:
        self.capabilities = Capabilities(timeout_seconds=0.05)
        self.habit = habit

    async def submit(self, envelopes: Sequence[Envelope]) -> list[Outcome]:
        if self.habit == "silent":
            await asyncio.sleep(30)
        if self.habit == "broken":
            raise RuntimeError("with a phone in it: +254712345678")
        if self.habit == "none":
            return [Accepted(), None]  # type: ignore[list-item]
        if self.habit == "words":
            return [Accepted(12345), TryLater(None)]  # type: ignore[arg-type]
        return [Accepted()]


@pytest.mark.parametrize(
    ("habit", "error"),
    [
        ("words", "gave no outcome"),
        ("silent", "no answer within 0.05 s"),
        ("broken", "RuntimeError"),
        ("terse", "did not answer for every message"),
    ],
)
def test_an_adapter_that_breaks_its_promise_leaves_unknown(settings: Settings, habit: str, error: str) -> None:
    settings.MESSAGE_PROVIDERS = {
        f"odd-{habit}": {"BACKEND": "tests.messaging.test_providers.Odd", "OPTIONS": {"habit": habit}}
    }

    answers = providers.submit(f"odd-{habit}", [envelope("1"), envelope("2")])

    assert [type(answer) for answer in answers] == [Unknown, Unknown]
    for answer in answers:
        assert isinstance(answer, Unknown)
        assert error in answer.error
        assert "254712345678" not in answer.error


def test_one_outcome_that_is_none_does_not_cost_its_neighbour(settings: Settings) -> None:
    settings.MESSAGE_PROVIDERS = {
        "odd-none": {"BACKEND": "tests.messaging.test_providers.Odd", "OPTIONS": {"habit": "none"}}
    }

    answers = providers.submit("odd-none", [envelope("1"), envelope("2")])

    assert [type(answer) for answer in answers] == [Accepted, Unknown]


def know(simulator: Simulator, *references: str) -> list[Outcome | None]:
    return asyncio.run(simulator.look_up(references))


def test_a_simulator_that_looks_up_tells_what_it_took_and_what_it_never_got(log: Path) -> None:
    simulator = Simulator(latency_seconds=0, log=str(log), look_up=True)
    assert simulator.capabilities.looks_up
    ask(simulator, envelope("1", "+254712349995"), envelope("2", "+254712349996"))

    took, lost = know(simulator, "1", "2")

    assert took == Accepted("sim-1")
    assert isinstance(lost, GiveUp)


def test_it_knows_what_another_workers_simulator_took_meanwhile(log: Path) -> None:
    simulator, other = (Simulator(latency_seconds=0, log=str(log), look_up=True) for _ in range(2))
    assert isinstance(know(simulator, "1")[0], GiveUp)
    ask(other, envelope("1"))
    with log.open("a") as file:
        file.write('{"reference": "2", ')  # half a line: its writer is not done

    assert [isinstance(answer, Accepted) for answer in know(simulator, "1", "2")] == [True, False]
    with log.open("a") as file:
        file.write('"at": 0}\n')
    assert isinstance(know(simulator, "2")[0], Accepted)


def test_a_simulator_that_is_down_cannot_be_asked(log: Path, tmp_path: Path) -> None:
    down = tmp_path / "down"
    down.touch()
    assert know(Simulator(log=str(log), down=str(down), look_up=True), "1", "2") == [None, None]


def test_a_simulator_without_a_log_cannot_look_up() -> None:
    assert not Simulator().capabilities.looks_up
    with pytest.raises(ValueError, match="needs one"):
        Simulator(look_up=True)


class Asked(Odd):
    """An adapter that breaks its promises when it is asked what became of messages."""

    async def look_up(self, references: Sequence[str]) -> list[Outcome | None]:
        if self.habit == "wrong":
            return [Unknown("?"), Accepted(5)]  # type: ignore[arg-type]
        return list(await self.submit([envelope(reference) for reference in references]))


@pytest.mark.parametrize("habit", ["silent", "broken", "terse", "wrong"])
@pytest.mark.parametrize("kind", ["Asked", "Odd"])
def test_a_look_up_that_tells_nothing_sound_tells_none_of_all(
    settings: Settings, caplog: pytest.LogCaptureFixture, kind: str, habit: str
) -> None:
    backend = {"BACKEND": f"tests.messaging.test_providers.{kind}", "OPTIONS": {"habit": habit}}
    settings.MESSAGE_PROVIDERS = {f"asked-{kind}-{habit}": backend}

    assert providers.look_up(f"asked-{kind}-{habit}", ["1", "2"]) == [None, None]
    assert "254712345678" not in caplog.text


def test_each_reference_has_its_own_answer(settings: Settings) -> None:
    backend = {"BACKEND": "tests.messaging.test_providers.Asked", "OPTIONS": {"habit": "none"}}
    settings.MESSAGE_PROVIDERS = {"asked-none": backend}

    assert providers.look_up("asked-none", ["1", "2"]) == [Accepted(), None]


@pytest.mark.parametrize("numbers", [{"in_flight": 0}, {"timeout_seconds": 0}, {"timeout_seconds": float("nan")}])
def test_an_adapter_that_could_never_make_progress_is_refused(numbers: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Capabilities(**numbers)  # type: ignore[arg-type]


def test_an_adapter_is_made_once_however_many_threads_ask(settings: Settings) -> None:
    settings.MESSAGE_PROVIDERS = {"once": {"BACKEND": "messaging.providers.memory.Memory"}}
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(providers.get("once"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


@pytest.mark.django_db
def test_an_alias_that_nobody_configured_is_refused() -> None:
    with pytest.raises(providers.UnknownAlias):
        providers.get("carrier-pigeon")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("routes", "configured", "problem"),
    [
        ({"sms": "memory"}, None, "messaging.W001"),
        ({"sms": "memory", "whatsapp": "pigeon"}, None, "messaging.E001"),
        ({"sms": "memory", "whatsapp": "memory", "fax": "memory"}, None, "messaging.E002"),
        ({"sms": "x", "whatsapp": "x"}, {"x": {"BACKEND": "nowhere.Nothing"}}, "messaging.E003"),
        (
            {"sms": "x", "whatsapp": "x"},
            {"x": {"BACKEND": "messaging.providers.simulator.Simulator", "OPTIONS": {"speed": 1}}},
            "messaging.E003",
        ),
    ],
)
def test_bad_configuration_is_told_at_the_start(
    settings: Settings, routes: dict[str, str], configured: dict[str, object] | None, problem: str
) -> None:
    settings.MESSAGE_ROUTES = routes
    settings.MESSAGE_PROVIDERS = configured or settings.MESSAGE_PROVIDERS

    assert problem in {found.id for found in run_checks()}


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("MESSAGE_RETRY_LIMIT", 0, "messaging.E004"),
        ("MESSAGE_RETRY_BASE_SECONDS", -1, "messaging.E004"),
        ("SWEEP_SECONDS", 0, "messaging.E004"),
        ("DEFAULT_PHONE_REGION", "Kenya", "messaging.E005"),
    ],
)
def test_numbers_that_make_no_sense_are_told_at_the_start(
    settings: Settings, name: str, value: object, problem: str
) -> None:
    setattr(settings, name, value)

    assert problem in {found.id for found in run_checks()}


def test_good_configuration_is_not_complained_about() -> None:
    assert [found for found in run_checks() if (found.id or "").startswith("messaging")] == []
