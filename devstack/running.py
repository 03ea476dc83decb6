"""`make run`: the whole of Clarion, from an empty folder to a page that answers, and kept alive."""

import os
import re
import secrets
import shlex
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NoReturn

from devstack.environment import BASE, PYTHON, inside
from devstack.processes import Service, kill_group, spawn
from devstack.stack import Stack, folder, lock
from devstack.terminal import SIGNALS, fail, say

READY_SECONDS = 90
FIRST_PORT, PORTS_TRIED = 8000, 100
# Unless the environment says otherwise: nothing leaves the machine, and who watches a retry need not wait for minutes.
DEMO = {"MESSAGE_ROUTES": "sms=simulator,whatsapp=simulator", "MESSAGE_RETRY_BASE_SECONDS": "2"}
_PREPARE = """\
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "migrate", "--no-color"])
execute_from_command_line(["manage.py", "bootstrap", "--no-color"])
"""


def run() -> NoReturn:
    """Start everything, print where it is, and keep it going until a signal comes or a server is lost."""
    var = folder(str(BASE / "var"))
    held = lock(var / "lock")
    if held is None:
        fail(f"it is already running here ({var}). Stop that one, or choose another CLARION_VAR.")
    stack_env = var / "stack.env"
    stack_env.unlink(missing_ok=True)
    keep = Secrets(var)
    with _listen() as listener:
        say("starting PostgreSQL and Valkey …")
        with Stack(var, durable=True) as stack:
            # The simulator posts its receipts there; a port that is taken for us is not known before.
            public = {"PUBLIC_URL": f"http://127.0.0.1:{listener.getsockname()[1]}"}
            stack.env = DEMO | public | stack.env | {"SECRET_KEY": keep.secret_key}
            _prepare(stack, keep)
            try:
                write_stack_env(stack_env, stack.env)
                _serve(stack, listener, keep)
            finally:
                stack_env.unlink(missing_ok=True)


def _serve(stack: Stack, listener: socket.socket, keep: "Secrets") -> NoReturn:
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    _start(stack, listener)
    _wait_until_ready(stack, address)
    print(_banner(address, keep, stack.var), flush=True)
    while True:
        SIGNALS.stop_if_hung_up()
        stack.watch()
        time.sleep(0.25)


def _start(stack: Stack, listener: socket.socket) -> None:
    """Start web, worker and beat.

    The socket is ours and only lent to gunicorn: the port cannot be lost between looking and taking, and requests that
    come while the web restarts wait instead of being refused.
    """
    python = str(PYTHON)
    web = [python, "-m", "gunicorn", "config.wsgi", "--bind", f"fd://{listener.fileno()}", "--no-control-socket"]
    # Read once and forked: a third of the start's processor time.
    web += ["--preload"]
    web += [
        "--worker-class",
        "gthread",
        "--workers",
        "2",
        "--threads",
        "8",
        "--timeout",
        "60",
        "--graceful-timeout",
        "10",
        # A reply of ten parts may stand in a query.
        "--limit-request-line",
        "8190",
    ]
    celery = [python, "-m", "celery", "-A", "config"]
    worker = [*celery, "worker", "-P", "threads", "-c", "8", "--without-gossip", "--without-mingle"]
    worker += ["-Q", "deliver,launch,sweep"]
    beat = [*celery, "beat", "--schedule", str(stack.var / "beat"), "--pidfile="]
    stack.start(Service("web", web, stack.log("web"), stack.env, pass_fds=[listener.fileno()]))
    stack.start(Service("worker", worker, stack.log("worker"), stack.env))
    stack.start(Service("beat", beat, stack.log("beat"), stack.env))


class Secrets:
    """The three secrets of a development machine: the environment's, or else made once and kept in `var`, mode 0600."""

    def __init__(self, var: Path) -> None:
        self._var = var
        self.secret_key = self._get("SECRET_KEY", 50)
        self.admin_password = self._get("ADMIN_PASSWORD", 12)
        self.api_token = self._get("API_TOKEN", 32)

    def _get(self, name: str, strength: int) -> str:
        if given := os.environ.get(name):
            return given
        path = self._var / name.lower()
        if not path.exists() or not path.read_text().strip():
            write_private(path, secrets.token_urlsafe(strength) + "\n")
        return path.read_text().strip()


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all, readable by nobody else at any moment."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def write_stack_env(path: Path, environ: dict[str, str]) -> None:
    """Note what the settings read, so that `manage.py` and `dev.py exec` beside us find the same stack.

    The lines are a shell's assignments; `read_stack_env` and `config/env.py` read them.
    """
    names = ("CLARION_VAR", *settings_names())
    write_private(path, "".join(f"{name}={shlex.quote(environ[name])}\n" for name in names if name in environ))


def settings_names() -> list[str]:
    """The environment's variables that the settings read, taken from their source: a list here would be forgotten."""
    source = (BASE / "config" / "settings.py").read_text()
    return sorted(set(re.findall(r'\benv\.\w+\(\s*"([A-Z_]+)"', source)))


def read_stack_env(path: Path) -> dict[str, str]:
    """What `write_stack_env` wrote; empty when there is no such file."""
    words = shlex.split(path.read_text()) if path.exists() else []
    return dict(word.split("=", 1) for word in words)


def _prepare(stack: Stack, keep: Secrets) -> None:
    """Migrate and bootstrap the database, or end the program with what the commands said.

    Both in one process: starting Django is half of a second start's time.
    """
    log = stack.log("setup")
    say("migrating, and preparing accounts and demo data …")
    given = {"ADMIN_PASSWORD": keep.admin_password, "API_TOKEN": keep.api_token}
    process = spawn([str(PYTHON), "-c", _PREPARE], env=stack.env | given, output=log.path)
    try:
        status = process.wait()
    finally:
        kill_group(process.pid)
    if status:
        fail(f"the database could not be prepared (status {status}); the last of {log.path}:\n{log.last_lines()}")


def _listen() -> socket.socket:
    """A listening socket on 127.0.0.1 at PORT, or at the next free port."""
    asked = os.environ.get("PORT") or str(FIRST_PORT)
    if not re.fullmatch(r"\d{1,5}", asked, re.ASCII) or not 0 < int(asked) < 65536:
        fail(f"PORT is “{asked}”; it must be a number from 1 to 65535.")
    for port in range(int(asked), min(int(asked) + PORTS_TRIED, 65536)):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(512)
        except OSError as problem:
            listener.close()
            if isinstance(problem, PermissionError):
                fail(f"port {port} needs root; choose another PORT.")
            continue
        if port != int(asked):
            say(f"port {asked} is taken; using {port}.")
        return listener
    return fail(f"the ports from {asked} on are taken; choose another PORT.")


def _wait_until_ready(stack: Stack, address: str) -> None:
    patience = time.monotonic() + READY_SECONDS
    while not _is_ready(address):
        stack.watch()
        if time.monotonic() > patience:
            fail(f"{address}/health/ready did not answer in {READY_SECONDS} s; see {stack.var / 'log'}.")
        time.sleep(0.1)


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health/ready", timeout=2) as answer:  # noqa: S310  (our own address)
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _banner(address: str, keep: Secrets, var: Path) -> str:
    header = shlex.quote(f"Authorization: Bearer {keep.api_token}")
    elsewhere = "" if var == BASE / "var" else f"CLARION_VAR={shlex.quote(str(var))} "
    near = os.path.relpath(var) if var.is_relative_to(Path.cwd()) else str(var)
    return f"""
Clarion is ready.

  Admin      {address}/admin/
  User       admin
  Password   {keep.admin_password}
  API token  {keep.api_token}
  Try        curl -H {header} {address}/api/v1/campaigns
  Logs       {near}/log/
  Commands   {elsewhere}.venv/bin/python manage.py help
  Stop       Ctrl-C
"""


def execute(argv: list[str]) -> int:
    """Become the command `argv` with the environment of the stack that runs here, or of the user's own servers."""
    var = folder(str(BASE / "var"))
    found = read_stack_env(var / "stack.env")
    if not found and not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        fail(f"nothing is running here ({var}). Start it with `make run`, or set DATABASE_URL and REDIS_URL.")
    environ = inside(found | os.environ)
    try:
        os.execvpe(argv[0], argv, environ)  # noqa: S606  (no shell is wanted)
    except OSError as problem:
        print(f"clarion: {argv[0]}: {problem.strerror}", file=sys.stderr)
        return 127
