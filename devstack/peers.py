"""What others wrote and we are tried against: installed in a folder of its own, in a limited time, and kept.

Nothing of the system is changed, and no address is named: apt, npm and pip know where they fetch from.
"""

import contextlib
import fcntl
import json
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from devstack.environment import BASE
from devstack.stack import folder
from devstack.terminal import say

# All installing together; a machine without a network is told so long before.
INSTALL_SECONDS = 300.0
APT_LISTS = Path("/var/lib/apt/lists")
# Debian 12's, with the libraries that a bare system lacks.
DEBS = (
    "kannel", "kannel-extras", "freetds-common", "libct4", "libhiredis0.14", "libmariadb3", "libpcre3",
)  # fmt: skip
# The newest prism wants a newer Node than Debian's neighbours have; the description is the one that Twilio publishes.
PRISM, TWILIO_API, SMPP = "@stoplight/prism-cli@5.14.2", "@twilio/cli-core@8.3.2", "smpp@0.5.1"
PACKAGES = ("moto[server]==5.2.5", "twilio==9.13.0", "pywa==4.5.0")


class Absent(Exception):
    """This peer cannot be had here; `str()` says why."""


@dataclass(frozen=True)
class Peer:
    """`install` puts it in a new folder within the seconds given, or raises `Absent`; `version` changes when it must
    be done anew.
    """

    name: str
    version: str
    install: Callable[[Path, "Clock"], None]


@dataclass(frozen=True)
class Clock:
    """When installing must have ended, and where its programs write."""

    deadline: float
    log: Path

    def run(self, argv: list[str], into: Path) -> None:
        """Run a program of the system in that folder; raises `Absent` when it is not there, fails or takes too long."""
        if shutil.which(argv[0]) is None:
            raise Absent(f"{argv[0]} is not installed")
        try:
            with self.log.open("ab") as output:
                status = subprocess.run(
                    argv, cwd=into, check=False, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                    timeout=max(1.0, self.deadline - time.monotonic()),
                ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Absent(f"{argv[0]} took too long") from None
        if status:
            raise Absent(f"{Path(argv[0]).name} ended with status {status}, see {self.log}")


def install() -> Path:
    """Install what is not there yet; the folder with a folder for each peer, and `missing.json` with the reasons of
    those that could not be had. Repeatable; a second one at the same time waits.
    """
    home = folder(str(BASE / "var")) / "peers"
    home.mkdir(exist_ok=True)
    with _alone(home / "lock"):
        clock = Clock(time.monotonic() + INSTALL_SECONDS, home / "install.log")
        missing = {}
        for peer in PEERS:
            try:
                _ensure(peer, home / peer.name, clock)
            except Absent as reason:
                missing[peer.name] = str(reason)
                say(f"peers: no {peer.name}: {reason}")
        (home / "missing.json").write_text(json.dumps(missing))
    return home


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _ensure(peer: Peer, place: Path, clock: Clock) -> None:
    stamp = place / ".installed"
    if stamp.exists() and stamp.read_text() == peer.version:
        return
    say(f"peers: installing {peer.name} (once) …")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    peer.install(place, clock)
    stamp.write_text(peer.version)


def _kannel(place: Path, clock: Clock) -> None:
    if not any(APT_LISTS.glob("*_Packages*")):
        raise Absent("apt has no lists of packages: apt-get update, as root, makes them")
    clock.run(["apt-get", "download", "-q", *DEBS], place)
    for deb in sorted(place.glob("*.deb")):
        clock.run(["dpkg", "-x", str(deb), "root"], place)


def _npm(place: Path, clock: Clock, *packages: str) -> None:
    (place / "package.json").write_text("{}")
    quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1", "--fetch-timeout=30000"]
    clock.run(["npm", "install", *quiet, *packages], place)


def _prism(place: Path, clock: Clock) -> None:
    _npm(place, clock, PRISM)
    # Unpacked by hand: of all that it would install we want one file.
    clock.run(["npm", "pack", "--silent", "--fetch-retries=1", TWILIO_API], place)
    for archive in place.glob("*.tgz"):
        with tarfile.open(archive) as packed:
            member = packed.extractfile("package/src/services/twilio-api/twilio_api_v2010.json")
            if member is None:
                raise Absent("the package of the description has none")
            (place / "twilio.json").write_bytes(member.read())


def _smpp(place: Path, clock: Clock) -> None:
    _npm(place, clock, SMPP)


def _python(place: Path, clock: Clock) -> None:
    clock.run([sys.executable, "-m", "venv", "venv"], place)
    pip = [str(place / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    clock.run([*pip, "--retries", "1", "--timeout", "30", "--only-binary", ":all:", *PACKAGES], place)


PEERS = (
    Peer("kannel", " ".join(DEBS), _kannel),
    Peer("smpp", SMPP, _smpp),
    Peer("prism", f"{PRISM} {TWILIO_API}", _prism),
    Peer("python", " ".join((*PACKAGES, sys.version.split()[0])), _python),
)
