"""What `make peers` installs: kept once it is there, given up in time, and missing for a reason that is told."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack import peers
from devstack.environment import BASE
from devstack.peers import Absent, Clock, Peer


@pytest.fixture(autouse=True)
def var(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("CLARION_VAR", str(tmp_path))
    return tmp_path


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """Install these peers; the reasons of those that are missing."""

    def install(*wanted: Peer) -> dict[str, str]:
        monkeypatch.setattr(peers, "PEERS", wanted)
        found: dict[str, str] = json.loads((peers.install() / "missing.json").read_text())
        return found

    return install


def runs(*argv: str) -> Callable[[Path, Clock], None]:
    return lambda place, clock: clock.run(list(argv), place)


def test_what_is_installed_is_kept_until_its_version_changes(install: Callable[..., dict[str, str]]) -> None:
    places: list[Path] = []
    for version in ("1", "1", "2"):
        assert install(Peer("kannel", version, lambda place, _: places.append(place))) == {}
    assert len(places) == 2


def test_what_failed_is_missing_for_its_reason_and_tried_again(install: Callable[..., dict[str, str]]) -> None:
    assert install(Peer("a", "1", runs("false")), Peer("b", "1", runs("true"))).keys() == {"a"}
    assert install(Peer("a", "1", runs("true"))) == {}


def test_a_program_that_is_not_there_is_named(install: Callable[..., dict[str, str]]) -> None:
    assert install(Peer("a", "1", runs("no-such-program"))) == {"a": "no-such-program is not installed"}


def test_all_installing_together_ends_in_time(
    install: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "INSTALL_SECONDS", 1.0)
    began = time.monotonic()
    found = install(Peer("a", "1", runs("sleep", "60")), Peer("b", "1", runs("sleep", "60")))
    assert found == {"a": "sleep took too long", "b": "sleep took too long"}
    assert time.monotonic() - began < 10


def test_without_lists_of_packages_kannel_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "APT_LISTS", tmp_path)
    with pytest.raises(Absent, match="apt-get update"):
        peers._kannel(tmp_path, Clock(time.monotonic() + 5, tmp_path / "log"))


def test_no_address_of_a_registry_is_named() -> None:
    assert "://" not in Path(peers.__file__).read_text()


def test_a_run_of_all_tests_collects_none_that_needs_them() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CLARION_PEERS"}
    shown = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly", "tests/peers"],
        cwd=BASE, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "no tests collected" in shown.stdout, shown.stdout
