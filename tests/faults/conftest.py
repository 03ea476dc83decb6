"""A stack for each fault: its own broker, processes and provider log, all gone when the test ends."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from messaging import rows, tasks
from tests.faults.broker import Broker
from tests.faults.stack import ALIAS, Stack


@pytest.fixture
def stack(transactional_db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A running broker that this process rings as well, and nothing started yet. Batches are of a hundred."""
    folder = Path(tempfile.mkdtemp(prefix="clarion-"))  # pytest's own folders are too long for a socket's path
    stack = Stack(folder, Broker(folder))
    monkeypatch.setenv("CELERY_BROKER_URL", f"redis+socket://{stack.broker.socket}?virtual_host=0")
    # Connections to the broker that other tests ring.
    monkeypatch.setattr(tasks.deliver.app, "_pool", None)
    monkeypatch.setattr(rows, "BATCH", 100)
    # What the workers have under this name is in the stack's environment; here it is only routed to.
    settings.MESSAGE_PROVIDERS = settings.MESSAGE_PROVIDERS | {ALIAS: settings.MESSAGE_PROVIDERS["memory"]}
    settings.MESSAGE_ROUTES = {"sms": ALIAS, "whatsapp": ALIAS}
    settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"], prefix = (
        "",
        settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"],
    )
    try:
        stack.broker.start()
        yield stack
        logs = "".join(process.log.read_text() for process in stack.processes)
        assert "+2547" not in logs, "a phone number stands in a log"
    finally:
        settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"] = prefix
        stack.end()
        shutil.rmtree(folder, ignore_errors=True)
