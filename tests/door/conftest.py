"""The door's bell rings nobody in these tests: what it would start is run by hand."""

import pytest

from messaging import webhooks


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each time that the door would have rung."""
    heard: list[str] = []
    monkeypatch.setattr(webhooks, "_ring", lambda: heard.append("hooks"))
    return heard
