"""docker-compose.yml and Dockerfile, as far as they can be checked without an engine."""

import inspect
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from devstack import running, servers
from devstack.environment import BASE


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((BASE / "docker-compose.yml").read_text())
    return loaded


def _settings_read() -> set[str]:
    return set(running.settings_names()) | {"CLARION_VAR"}


def test_the_production_cluster_is_made_with_the_locale_of_the_embedded_one(compose: dict[str, Any]) -> None:
    given = compose["services"]["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split()
    assert "--encoding=UTF8" in given
    assert set(servers.LOCALE) | {"--lc-ctype=C.UTF-8"} <= set(given)


def test_any_number_of_workers_can_be_started(compose: dict[str, Any]) -> None:
    worker = compose["services"]["worker"]
    assert "container_name" not in worker
    assert "ports" not in worker


@pytest.mark.parametrize("service", ["web", "worker", "beat"])
def test_processes_wait_for_migrations_and_come_back_when_they_die(compose: dict[str, Any], service: str) -> None:
    definition = compose["services"][service]
    assert definition["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert definition["restart"] == "unless-stopped"
    assert definition["healthcheck"]["test"]


def test_every_setting_handed_on_is_one_that_the_settings_read(compose: dict[str, Any]) -> None:
    assert set(compose["x-clarion"]["environment"]) <= _settings_read()


def test_secrets_have_no_default(compose: dict[str, Any]) -> None:
    text = (BASE / "docker-compose.yml").read_text()
    for name in ("SECRET_KEY", "POSTGRES_PASSWORD", "MESSAGE_ROUTES"):
        assert f"${{{name}:?" in text
        assert f"${{{name}:-" not in text


def test_the_containers_listen_to_the_same_queues_as_make_run(compose: dict[str, Any]) -> None:
    command = compose["services"]["worker"]["command"]
    assert command[command.index("-Q") + 1] in inspect.getsource(running)


def test_a_worker_has_as_many_threads_as_that_of_make_run(compose: dict[str, Any]) -> None:
    command = compose["services"]["worker"]["command"]
    assert f'"-c", "{command[command.index("-c") + 1]}"' in inspect.getsource(running)


@pytest.mark.parametrize(("age_seconds", "status"), [(0, 0), (25, 0), (35, 1), (None, 1)])
def test_a_worker_is_healthy_while_its_heartbeat_is_younger_than_half_a_minute(
    compose: dict[str, Any], tmp_path: Path, age_seconds: int | None, status: int
) -> None:
    worker = compose["services"]["worker"]
    where = worker["environment"]["WORKER_HEARTBEAT_FILE"]
    kind, command = worker["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    assert where in command
    heartbeat = tmp_path / "heartbeat"
    if age_seconds is not None:
        heartbeat.touch()
        os.utime(heartbeat, (time.time() - age_seconds,) * 2)
    ran = subprocess.run(["sh", "-c", command.replace(where, str(heartbeat))], capture_output=True, check=False)
    assert ran.returncode == status


def test_the_image_takes_as_long_a_query_as_make_run_does() -> None:
    given = '"--limit-request-line", "8190"'
    assert given in (BASE / "Dockerfile").read_text()
    assert given in " ".join((BASE / "devstack/running.py").read_text().split())


def test_the_image_holds_every_folder_that_the_product_imports_and_does_not_run_as_root() -> None:
    allowed = {line[1:] for line in (BASE / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {"config", "customers", "campaigns", "messaging", "templates", "manage.py", "requirements.lock"} <= allowed
    users = re.findall(r"^USER (\S+)$", (BASE / "Dockerfile").read_text(), re.MULTILINE)
    assert users
    assert users[-1].partition(":")[0] not in {"0", "root"}
