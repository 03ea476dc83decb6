"""Debian's Kannel as a carrier's gateway on this machine: bearerbox, smsbox, and its own fake SMSC behind them."""

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

from messaging.providers.kannel import Kannel
from tests.faults.broker import MORTAL
from tests.peers.hearing import free_ports, listens, until

PASSWORD = "only-smsbox-knows"
_GOT = re.compile(r"Got message \d+: <(\S+) (\S+) (text|ucs-2|udh|data) (.*)>$", re.MULTILINE)

CORE = """\
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = a
smsbox-port = {box}
smsbox-interface = 127.0.0.1
box-deny-ip = "*.*.*.*"
box-allow-ip = "127.0.0.1"
dlr-storage = internal
store-type = file
store-location = "{folder}/store"
{core}

{smsc}

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {box}
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
sendsms-chars = "0123456789 +-"
mo-recode = true

group = sendsms-user
username = clarion
password = {password}
max-messages = 10
concatenation = true

group = sms-service
keyword = default
get-url = "{door}?from=%p&to=%P&text=%a&id=%I&at=%T"
max-messages = 0
catch-all = true
"""
FAKE = """\
group = smsc
smsc = fake
smsc-id = FAKE
host = 127.0.0.1
port = {smsc_port}
connect-allow-ip = 127.0.0.1"""


class Gateway:
    """`root` is where the programs are, `folder` where they write; `smsc` is the group of the carrier's connection."""

    def __init__(self, root: Path, folder: Path, door: str, *, core: str = "", smsc: str = FAKE) -> None:
        self.root, self.folder, self.door = root, folder, door
        self.ports = dict(zip(("admin", "box", "sendsms", "smsc_port"), free_ports(4), strict=True))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.conf = folder / "kannel.conf"
        self.conf.write_text(
            CORE.format(
                folder=folder, core=core, door=door, password=PASSWORD, smsc=smsc.format(**self.ports), **self.ports
            )
        )

    def start(self) -> None:
        """Start bearerbox and smsbox, and wait until they take messages."""
        self._run("bearerbox", "usr/sbin/bearerbox", "-v", "2", str(self.conf))
        until(lambda: listens(self.ports["box"]), "bearerbox listens")
        self.start_smsbox()

    def start_smsbox(self) -> None:
        """Start the part that takes messages; again after `kill`."""
        self._run("smsbox", "usr/sbin/smsbox", "-v", "2", str(self.conf))
        until(lambda: listens(self.ports["sendsms"]), "smsbox listens")

    def start_carrier(self, *replies: str) -> None:
        """Start the fake SMSC; it sends these replies, each `FROM TO text WORDS`, and then takes what comes."""
        count = str(len(replies))
        address = ["-H", "127.0.0.1", "-r", str(self.ports["smsc_port"])]
        self._run(
            "carrier", "usr/lib/kannel/test/fakesmsc", *address, "-i", "0.01", "-m", count, *(replies or ["1 1 text x"])
        )
        until(lambda: b"Connecting" in self.log("carrier"), "the carrier is connected")

    def kill(self, name: str) -> None:
        """Kill -9 one of them."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def stop(self) -> None:
        """End all of them; may be repeated."""
        while self.processes:
            self.kill(next(iter(self.processes)))

    def log(self, name: str) -> bytes:
        """What one of them wrote."""
        return (self.folder / f"{name}.log").read_bytes()

    def got(self) -> list[tuple[str, ...]]:
        """What the fake SMSC got, in its order: sender, phone, kind and text, the last escaped unless it is `text`."""
        return [match.groups() for match in _GOT.finditer(self.log("carrier").decode(errors="replace"))]

    def adapter(self, **options: Any) -> Kannel:
        """Our adapter for it."""
        return Kannel(**(self.options() | options))

    def options(self) -> dict[str, Any]:
        """What an operator would put in OPTIONS."""
        url = f"http://127.0.0.1:{self.ports['sendsms']}/cgi-bin/sendsms"
        return {"url": url, "username": "clarion", "password": PASSWORD, "sender": "ACME"}

    def _run(self, name: str, program: str, *arguments: str) -> None:
        libraries = [str(path) for path in (*self.root.glob("usr/lib/*-linux-gnu"), *self.root.glob("lib/*-linux-gnu"))]
        with (self.folder / f"{name}.log").open("ab") as output:
            self.processes[name] = subprocess.Popen(
                [*MORTAL, str(self.root / program), *arguments],
                cwd=self.folder, env=os.environ | {"LD_LIBRARY_PATH": os.pathsep.join(libraries)},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
