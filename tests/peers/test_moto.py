"""SNS as moto plays it: what is published is read back from there."""

import asyncio
import importlib.util
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from urllib.request import urlopen

import pytest

from messaging.providers.base import Accepted, Envelope, GiveUp, Outcome
from messaging.providers.sns import Sns
from tests.faults.broker import MORTAL
from tests.peers.conftest import peer
from tests.peers.hearing import free_ports, listens, until

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a moto server of its own."""
    if importlib.util.find_spec("boto3") is None:
        pytest.skip("boto3 is not installed beside Clarion")
    python, (port,) = peer("python") / "venv" / "bin" / "python", free_ports(1)
    with (tmp_path_factory.mktemp("moto") / "moto.log").open("wb") as log:
        server = subprocess.Popen(
            [*MORTAL, str(python), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        until(lambda: listens(port), "moto listens", 60)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait(10)


def submit(url: str, *envelopes: Envelope) -> list[Outcome]:
    async def call() -> list[Outcome]:
        adapter = Sns(region="eu-west-1", sender_id="ACME", access_key_id="k", secret_access_key="s", endpoint_url=url)
        outcomes = await adapter.submit(envelopes)
        await adapter.publisher.close()
        return outcomes

    return asyncio.run(call())


def sent(url: str) -> dict[str, tuple[str, str]]:
    """What moto holds for sent: phone and text by its id."""
    with urlopen(f"{url}/moto-api/data.json") as answer:  # noqa: S310
        held = json.load(answer)["sns"]["SMS"]
    return {each["message_id"]: (each["phone_number"], each["message"]) for each in held}


def test_what_is_published_is_what_sns_holds_for_sent(moto: str) -> None:
    envelopes = [Envelope(str(n), "sms", f"+25471100000{n}", f"Habari ☺ {n}") for n in range(8)]
    outcomes = submit(moto, *envelopes)
    assert all(isinstance(outcome, Accepted) for outcome in outcomes), outcomes
    ids = [outcome.provider_message_id for outcome in outcomes if isinstance(outcome, Accepted)]
    held = sent(moto)
    assert [held[each] for each in ids] == [(envelope.to, envelope.text) for envelope in envelopes]


def test_a_number_that_is_none_costs_its_neighbours_nothing(moto: str) -> None:
    good = Envelope("1", "sms", "+254711000001", "Habari")
    first, bad, last = submit(moto, good, replace(good, to="0711 000001"), good)
    assert isinstance(first, Accepted)
    assert isinstance(last, Accepted)
    assert bad == GiveUp("HTTP 400, InvalidParameter")
