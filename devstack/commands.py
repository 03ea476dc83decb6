"""The commands of `dev.py`: run, test, check, bench, chaos, peers, exec, with-servers, lock."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from devstack import environment, locks, peers, running
from devstack.processes import GRACE_SECONDS, die_with_make, die_with_parent
from devstack.stack import Throwaway
from devstack.terminal import SIGNALS, fail, say

USAGE = """\
usage: python3 dev.py COMMAND

  run                  everything, with demo data, until Ctrl-C          (make run)
  test [PYTEST ARGS]   the tests, on servers of their own                (make test ARGS="-k name")
  check [PYTEST ARGS]  format, lint, imports, types, migrations, tests   (make check)
  bench [FIGURES]      the figures, each beside its yardstick            (make bench ARGS="http")
  chaos                campaigns under kill -9, then ledger against provider (make chaos KILLS=20 SEED=1)
  peers [PYTEST ARGS]  the tests against what others wrote: Kannel, prism, moto   (make peers)
  exec CMD …           a command beside `run`, talking to its servers
  with-servers CMD …   a command with empty servers that vanish afterwards
  lock                 make the lock files anew from pyproject.toml (needs uv)

DATABASE_URL and REDIS_URL, each on its own, name servers to use instead of the embedded ones."""

# What `check` does, in this order; all of it is done even when something fails.
CHECKS: Sequence[tuple[str, Sequence[str]]] = (
    ("format", ["ruff", "format", "--check", "."]),
    ("lint", ["ruff", "check", "."]),
    ("import rules", ["lint-imports"]),
    ("types", ["mypy", "."]),
    ("system check", ["python", "manage.py", "check", "--fail-level", "WARNING"]),
    ("migrations", ["python", "manage.py", "makemigrations", "--check", "--dry-run"]),
)


def main(argv: Sequence[str]) -> int:
    """Do what the command line says and return the exit status."""
    command, *rest = argv or [""]
    commands: dict[str, tuple[Sequence[os.PathLike[str]], Callable[[list[str]], int]]] = {
        "run": (environment.RUN_LOCKS, lambda rest: running.run() if not rest else _misused()),
        "test": (environment.ALL_LOCKS, _test),
        "check": (environment.ALL_LOCKS, _check),
        "bench": (environment.ALL_LOCKS, _bench),
        "chaos": (environment.ALL_LOCKS, lambda rest: _chaos() if not rest else _misused()),
        "peers": (environment.ALL_LOCKS, _peers),
        "exec": (environment.RUN_LOCKS, lambda rest: running.execute(rest) if rest else _misused()),
        "with-servers": (environment.ALL_LOCKS, lambda rest: _with_servers(rest) if rest else _misused()),
        "lock": ((), lambda rest: locks.make() if not rest else _misused()),
    }
    if command not in commands:
        return _misused()
    needed, action = commands[command]
    SIGNALS.listen()
    die_with_make()
    if needed:
        environment.enter(needed)  # type: ignore[arg-type]
    return action(rest)


def _misused() -> int:
    print(USAGE, file=sys.stderr)
    return 2


def _with_servers(argv: list[str]) -> int:
    with Throwaway() as stack:
        return _in_foreground(stack.env, argv)


def _bench(arguments: list[str]) -> int:
    # What a server writes only now and then would make every figure look better than it is.
    with Throwaway(durable=True) as stack:
        return _in_foreground(stack.env, ["python", "-m", "benchmarks", *arguments])


def _test(arguments: list[str]) -> int:
    return _with_servers(_pytest(arguments))


def _pytest(arguments: list[str]) -> list[str]:
    """The pytest command line: on all cores, unless the arguments say otherwise or want the terminal."""
    serial = any(word.startswith(("-n", "--numprocesses", "--pdb", "--trace", "--co")) for word in arguments)
    cores = min(8, max(2, os.cpu_count() or 2))
    return ["python", "-m", "pytest", *([] if serial else ["-n", str(cores), "--dist", "loadgroup"]), *arguments]


def _check(arguments: list[str]) -> int:
    failed = []
    if mistakes := locks.mistakes():
        failed.append("lock files")
        for mistake in mistakes:
            say(mistake)
    with Throwaway() as stack:
        for name, argv in (*CHECKS, ("tests", _pytest(arguments))):
            say(f"{name}: {' '.join(argv)}")
            began = time.monotonic()
            status = _in_foreground(stack.env, argv)
            say(f"{name}: {'passed' if status == 0 else 'FAILED'} in {time.monotonic() - began:.1f} s")
            if status:
                failed.append(name)
    if failed:
        fail(f"not passed: {', '.join(failed)}")
    say("all passed")
    return 0


def _chaos() -> int:
    """The run starts its own servers, because it kills them."""
    return _in_foreground(environment.inside(dict(os.environ)), ["python", "-m", "tests.chaos"])


def _peers(arguments: list[str]) -> int:
    """One after the other: each starts servers of its own, and their figures are not what is asked."""
    home = peers.install()
    with Throwaway() as stack:
        argv = ["python", "-m", "pytest", "tests/peers", "-n", "0", *arguments]
        return _in_foreground(stack.env | {"CLARION_PEERS": str(home)}, argv)


def _in_foreground(env: Mapping[str, str], argv: Sequence[str]) -> int:
    """Run a command at the terminal, with our own Ctrl-C passed on to it, and return its status."""
    try:
        process = subprocess.Popen(
            argv,
            cwd=environment.BASE,
            env=env,
            # INT rather than TERM: pytest then still runs its fixtures' endings.
            preexec_fn=die_with_parent(signal.SIGINT),  # noqa: PLW1509  (we have no threads)
        )
    except OSError as problem:
        fail(f"{argv[0]}: {problem.strerror}")
    try:
        return process.wait()
    except SystemExit:
        # At a terminal the command has had the Ctrl-C already, and TERM and HUP only we have had.
        try:
            process.wait(0.5)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
