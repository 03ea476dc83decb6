"""Makes `.venv` in the checkout from the lock files, once, and moves into it."""

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from devstack.terminal import fail, say

BASE = Path(__file__).resolve().parent.parent
VENV = BASE / ".venv"
PYTHON = VENV / "bin" / "python"
PRODUCTION, EMBEDDED, DEVELOPMENT = (
    BASE / name for name in ("requirements.lock", "requirements-embedded.lock", "requirements-dev.lock")
)
RUN_LOCKS = (PRODUCTION, EMBEDDED)
ALL_LOCKS = (PRODUCTION, EMBEDDED, DEVELOPMENT)


def enter(locks: Sequence[Path]) -> None:
    """Make sure that everything in `locks` is installed, and go on inside `.venv`.

    Several callers at once wait for each other. Does not return when this is not `.venv`'s Python yet: the same
    command line then starts anew in it.
    """
    with (BASE / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = [path for path in locks if not _is_installed(path)]
        if missing:
            _make_venv()
            _install(missing)
    if Path(sys.prefix).resolve() != VENV.resolve():
        os.execv(PYTHON, [str(PYTHON), str(BASE / "dev.py"), *sys.argv[1:]])  # noqa: S606  (no shell is wanted)


def inside(environ: dict[str, str]) -> dict[str, str]:
    """The environment `environ` with the commands of `.venv` before all others."""
    return environ | {"VIRTUAL_ENV": str(VENV), "PATH": f"{VENV / 'bin'}{os.pathsep}{environ.get('PATH', os.defpath)}"}


def _stamp(lock: Path) -> Path:
    return VENV / f".installed-{lock.name}"


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _is_installed(lock: Path) -> bool:
    stamp = _stamp(lock)
    # The second half: a checkout that was moved, or whose Python was removed, has a `.venv` that no longer starts.
    return stamp.exists() and stamp.read_text() == _digest(lock) and PYTHON.exists()


def _make_venv() -> None:
    """Make `.venv` unless it is there and starts."""
    if (
        PYTHON.exists()
        and subprocess.run([PYTHON, "-m", "pip", "--version"], check=False, capture_output=True).returncode == 0
    ):
        return
    if not (importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv")):
        fail(
            f"{sys.executable} cannot make virtual environments (Debian and Ubuntu keep that in the package"
            " python3-venv). Install it, or name another Python: make run PY=python3.11"
        )
    say(f"making .venv with Python {sys.version.split()[0]} …")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)], check=False, capture_output=True, text=True
    )
    if made.returncode:
        fail(f"the virtual environment could not be made:\n{made.stdout}{made.stderr}")


def _install(locks: Sequence[Path]) -> None:
    """Install exactly what the locks name, as wheels with the hashes they name."""
    say(f"installing {', '.join(lock.name for lock in locks)} (once, some 15 seconds) …")
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--require-hashes", "--only-binary", ":all:"]
    for lock in locks:
        command += ["--requirement", str(lock)]
    if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode:
        fail("pip could not install the packages; what it said stands above. Starting again goes on from here.")
    for lock in locks:
        _stamp(lock).write_text(_digest(lock))
