"""The files of a running stack: secrets, and the environment that other commands read."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from config.env import read_running_stack
from devstack import running, servers

NASTY = """it's "$HOME" ${SECRET_KEY} #no comment\\ \n= second line, ümläut 🎈"""


@pytest.fixture
def stack_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLARION_VAR", str(tmp_path))
    path = tmp_path / "stack.env"
    running.write_stack_env(
        path, {"SECRET_KEY": NASTY, "REDIS_URL": "unix:///x?db=0", "ADMIN_PASSWORD": "x", "HOME": "/"}
    )
    return path


def test_only_what_the_settings_read_is_noted(stack_env: Path) -> None:
    assert running.read_stack_env(stack_env) == {"SECRET_KEY": NASTY, "REDIS_URL": "unix:///x?db=0"}
    assert stat.S_IMODE(stack_env.stat().st_mode) == 0o600


def test_the_settings_read_what_was_noted_unless_the_environment_says_otherwise(
    stack_env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.setenv("REDIS_URL", "redis://mine")
    read_running_stack()
    assert os.environ["SECRET_KEY"] == NASTY
    assert os.environ["REDIS_URL"] == "redis://mine"


def test_a_shell_can_read_it_as_well(stack_env: Path) -> None:
    shown = subprocess.run(
        ["sh", "-c", '. "$0"; printf %s "$SECRET_KEY"', str(stack_env)], capture_output=True, text=True, check=True
    )
    assert shown.stdout == NASTY


def test_without_a_running_stack_there_is_nothing_to_read(tmp_path: Path) -> None:
    assert running.read_stack_env(tmp_path / "stack.env") == {}


def test_the_settings_needed_to_find_the_servers_are_among_those_noted() -> None:
    assert {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "MESSAGE_ROUTES", "MESSAGE_PROVIDERS"} <= set(
        running.settings_names()
    )


def test_a_secret_is_made_once_and_an_empty_file_counts_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SECRET_KEY", "ADMIN_PASSWORD", "API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "api_token").write_text("")
    first, second = running.Secrets(tmp_path), running.Secrets(tmp_path)
    assert first.api_token == second.api_token
    assert len(first.api_token) >= 32
    assert first.admin_password == second.admin_password != first.secret_key


@pytest.mark.parametrize("name", ["a" * 90, "with blank", "ümläut"])
def test_a_path_that_no_socket_fits_in_is_replaced_by_a_short_private_one(tmp_path: Path, name: str) -> None:
    folder = servers._socket_dir(tmp_path / name)
    try:
        assert len(str(folder)) <= servers.LONGEST_SOCKET_DIR
        assert str(folder).isascii()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder == servers._socket_dir(tmp_path / name)
    finally:
        folder.rmdir()


def test_a_socket_folder_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    folder = servers._socket_dir(tmp_path / ("b" * 90))
    try:
        folder.chmod(0o755)
        with pytest.raises(SystemExit, match="open to others"):
            servers._socket_dir(tmp_path / ("b" * 90))
    finally:
        folder.rmdir()
