"""Debian's Kannel with an SMPP carrier behind it that does not deliver: every fate that Kannel can tell us of."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from messaging.providers.base import Accepted, Envelope, Receipt
from messaging.receipts import combine
from tests.faults.broker import MORTAL
from tests.peers.conftest import peer
from tests.peers.gateway import Gateway
from tests.peers.hearing import Ear, listens, until

pytestmark = pytest.mark.peers
SMPP = """\
group = smsc
smsc = smpp
smsc-id = CARRIER
host = 127.0.0.1
port = {smsc_port}
transceiver-mode = true
smsc-username = esme
smsc-password = secret
system-type = "VMA"
interface-version = 34
source-addr-ton = 5
source-addr-npi = 0
dest-addr-ton = 1
dest-addr-npi = 1
reconnect-delay = 1"""


@pytest.fixture(scope="module")
def gateway(ear: Ear, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose carrier is connected by SMPP."""
    folder, modules = tmp_path_factory.mktemp("smpp"), peer("smpp") / "node_modules"
    gateway = Gateway(peer("kannel") / "root", folder, f"{ear.url}/hooks/carrier/s3cret", smsc=SMPP)
    port = gateway.ports["smsc_port"]
    with (folder / "smsc.log").open("wb") as log:
        carrier = subprocess.Popen(
            [*MORTAL, "node", str(Path(__file__).with_name("smsc.js")), str(port)],
            env=os.environ | {"NODE_PATH": str(modules)}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        until(lambda: listens(port), "the carrier listens")
        gateway.start()
        yield gateway
    finally:
        gateway.stop()
        carrier.kill()
        carrier.wait(10)


@pytest.mark.parametrize(
    ("last", "statuses", "error"),
    [
        ("0001", ["delivered", "sent"], ""),
        ("0002", ["failed", "sent"], "UNDELIV, error 012"),
        ("0003", ["failed", "sent"], "EXPIRED, error 000"),
        ("0004", ["failed", "sent"], "REJECTD, error 061"),
        ("0005", ["sent"], ""),
        ("0006", ["failed"], "0x0000000b Invalid Destination Address"),
    ],
)
def test_what_becomes_of_a_message_at_the_carrier_is_told_without_its_text(
    gateway: Gateway, ear: Ear, last: str, statuses: list[str], error: str
) -> None:
    reference = f"9{last}"
    envelope = Envelope(reference, "sms", f"+25471100{last}", "Habari", receipt_url=gateway.door)

    async def submit() -> None:
        adapter = gateway.adapter()
        assert await adapter.submit([envelope]) == [Accepted()]
        await adapter.web.close()

    def said() -> list[Receipt]:
        read = [each for hook in ear.about(reference) for each in gateway.adapter().read(hook)]
        return [each for each in read if isinstance(each, Receipt)]

    asyncio.run(submit())
    until(lambda: len(said()) == len(statuses), f"the receipts of {last}")
    assert sorted(each.status for each in said()) == statuses
    assert combine(said()).error == error
    assert {each.reference for each in said()} == {reference}
    assert all(envelope.text not in each.error and envelope.to[1:] not in each.error for each in said())
