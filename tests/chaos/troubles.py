"""The troubles: each does one bad thing to a scene, and says how it is undone. Kills count; the rest only hurts."""

import signal
import sys
import time
from collections.abc import Callable, Collection
from contextlib import suppress

from messaging.providers.web import KEEP_ALIVE_SECONDS
from tests.chaos.ledger import Away
from tests.chaos.owner import NoAnswer
from tests.chaos.processes import WORKERS
from tests.chaos.scene import Scene
from tests.chaos.verdict import Kill, Resend, Window

Trouble = Callable[[Scene], None]

# Between stopping a process and counting its slices: a COMMIT that it had written is done by then.
COMMIT_SECONDS = 0.1
# An owner whose campaigns are all on their way looks again after this long.
AGAIN_SECONDS = 5.0


def kill_worker(scene: Scene) -> None:
    """Kill -9 one worker; it is started again."""
    alive = scene.stack.alive()
    scene.await_open(alive)
    alive = scene.stack.alive()
    busy = [name for name in alive if scene.open_slices([scene.stack.worker(name) or ""])]
    _kill_workers(scene, "worker", [scene.random.choice(busy or alive or list(WORKERS))])


def kill_all_workers(scene: Scene) -> None:
    """Kill -9 every worker; they are started again."""
    scene.await_open()
    _kill_workers(scene, "all workers", list(WORKERS))


def kill_beat(scene: Scene) -> None:
    """Kill -9 beat; it is started again."""
    scene.await_open()
    _strike(scene, "beat", lambda: scene.stack.kill("beat", scene.choose(0.2, 3)))


def kill_web(scene: Scene) -> None:
    """Kill -9 the web in the middle of a send; it is started again, and then the owner sends once more."""
    campaign_id, audience = scene.owner.draft(), scene.audience()
    scene.await_open()
    with scene.owner.begin_to_send(campaign_id, audience):
        scene.wait(scene.choose(0, 0.4))
        _strike(scene, "web", lambda: scene.stack.kill("web", scene.choose(0.2, 1)))
    scene.until(lambda: scene.stack.pid("web"), 30)
    scene.owner.send(campaign_id, audience)
    scene.campaigns += 1


def kill_postgres(scene: Scene) -> None:
    """Kill -9 PostgreSQL; it is started again and recovers."""
    scene.await_open()
    with_open = _without_postgres(scene, signal.SIGKILL, lambda: None)
    scene.kills.append(Kill(time.time(), "postgres", 0, in_flight=with_open > 0))


def kill_worker_without_postgres(scene: Scene) -> None:
    """Stop PostgreSQL, kill -9 a worker meanwhile, and start PostgreSQL and the worker again."""
    names = scene.stack.alive() or list(WORKERS)
    scene.await_open(names)
    name = scene.random.choice(names)
    worker = scene.stack.worker(name)
    # The worker comes back later than the database, so that what it held can be counted before it is taken back.
    _without_postgres(scene, signal.SIGINT, lambda: scene.stack.kill(name, 4))
    workers = [worker] if worker else []
    held = scene.open_slices(workers) if workers else 0
    scene.kills.append(Kill(time.time(), "worker", held, in_flight=held > 0, workers=workers))
    scene.say(f"kill -9 of {name} while PostgreSQL was away: {held} on the wire")


def kill_redis(scene: Scene) -> None:
    """Kill -9 Redis; it is started again, empty."""
    scene.await_open()
    _strike(scene, "redis", lambda: scene.stack.stop_valkey(signal.SIGKILL))
    scene.wait(scene.choose(0.2, 2))
    scene.stack.start_valkey()


def restart_postgres(scene: Scene) -> None:
    """Stop PostgreSQL properly and start it again."""
    _without_postgres(scene, signal.SIGINT, lambda: None)


def restart_redis(scene: Scene) -> None:
    """Stop Redis properly and start it again, empty."""
    scene.say("Redis is restarted")
    scene.stack.stop_valkey(signal.SIGTERM)
    scene.wait(scene.choose(0.2, 2))
    scene.stack.start_valkey()


def flush_redis(scene: Scene) -> None:
    """FLUSHALL; nothing is undone."""
    import redis

    scene.say("Redis is flushed")
    with redis.Redis(unix_socket_path=_socket(scene.stack.env["REDIS_URL"])) as client:
        client.flushall()


def hang(scene: Scene) -> None:
    """The provider keeps some answers back for ever, of messages that it accepted or not."""
    _misbehave(scene, "hang", 0.03, 1.0)


def drop(scene: Scene) -> None:
    """The provider accepts and breaks the connection."""
    _misbehave(scene, "drop", 0.05, 1.5)


def fail(scene: Scene) -> None:
    """The provider answers 500 to some, of messages that it accepted or not."""
    _misbehave(scene, "fail", 0.05, 1.5)


def throttle(scene: Scene) -> None:
    """The provider answers 429 to half of them."""
    _misbehave(scene, "throttle", 0.5, 2.0)


def busy(scene: Scene) -> None:
    """The provider answers 503 to half of them."""
    _misbehave(scene, "busy", 0.5, 1.5)


def twice(scene: Scene) -> None:
    """The provider answers twice on the same connection."""
    _misbehave(scene, "twice", 0.5, 2.0)
    # A second answer may be found on its connection as long as that is kept for a further request.
    now = time.time()
    scene.windows.append(Window(now, now + 2 + KEEP_ALIVE_SECONDS, "twice"))


def go_away(scene: Scene) -> None:
    """The provider breaks all connections and refuses new ones; it comes back by itself."""
    seconds = scene.choose(0.5, 2.5)
    scene.say(f"the provider goes away for {seconds:.1f} s")
    now = time.time()
    scene.trouble_provider("away", 1, seconds)
    scene.windows.append(Window(now, now + seconds + 0.5, "away"))


def pause(scene: Scene) -> None:
    """The owner pauses a campaign, and resumes it after a while."""
    with suppress(Away):
        sending = scene.ledger.campaigns("sending")
        if not sending:
            return
        campaign_id = scene.random.choice(sending)
        scene.say(f"campaign {campaign_id} is paused")
        with suppress(NoAnswer):
            scene.owner.insist("POST", f"/campaigns/{campaign_id}/pause")
        scene.later(scene.choose(0.5, 3), lambda: _resume(scene, campaign_id))


def retry(scene: Scene) -> None:
    """The owner has what failed tried again."""
    _second_chance(scene, "retry", {})


def resend(scene: Scene) -> None:
    """The owner has what is unknown sent once more, and knows that some will get it twice."""
    _second_chance(scene, "settle", {"unknown": "resend"})


def stall(scene: Scene) -> None:
    """A worker stands still for longer than its lease, and goes on."""
    scene.await_open(scene.stack.alive())
    held = {name: scene.open_slices([scene.stack.worker(name) or ""]) for name in scene.stack.alive()}
    if not held:
        return
    name = max(held, key=lambda each: held[each])
    worker, begun = scene.stack.worker(name) or "", time.time()
    scene.stack.freeze(name)
    time.sleep(COMMIT_SECONDS)
    opened = scene.open_slices([worker])
    seconds = scene.options.lease_seconds + scene.choose(1.5, 3)
    scene.say(f"{name} stands still for {seconds:.1f} s with {opened} on the wire")
    scene.wait(seconds)
    scene.stack.thaw(name)
    # After that its slices time out, and its lease, if nobody took it, may still run out.
    scene.windows.append(Window(begun, time.time(), "stall", opened, [worker]))


KILLS: dict[Trouble, int] = {
    kill_worker: 4, kill_all_workers: 2, kill_beat: 1, kill_web: 1, kill_postgres: 1, kill_worker_without_postgres: 1,
    kill_redis: 1,
}  # fmt: skip
HURTS: dict[Trouble, int] = {
    hang: 1, drop: 1, fail: 1, throttle: 1, busy: 1, twice: 1, go_away: 1, restart_postgres: 1, restart_redis: 1,
    flush_redis: 1, pause: 2, retry: 1, resend: 1, stall: 1,
}  # fmt: skip


def check(names: Collection[str]) -> None:
    """End the program when one of these is no trouble."""
    known = {trouble.__name__ for trouble in (*KILLS, *HURTS)}
    if unknown := set(names) - known:
        sys.exit(f"No such trouble: {', '.join(sorted(unknown))}. There are {', '.join(sorted(known))}.")


def deck(scene: Scene, of: dict[Trouble, int]) -> list[Trouble]:
    """A shuffled pile in which each stands as often as it is told; empty when the options want none of these."""
    only = scene.options.only
    pile = [trouble for trouble, times in of.items() for _ in range(times) if not only or trouble.__name__ in only]
    scene.random.shuffle(pile)
    return pile


def _kill_workers(scene: Scene, what: str, names: list[str]) -> None:
    """Stop them where they stand, count what they have on the wire, and kill them."""
    workers = [worker for name in names if (worker := scene.stack.worker(name))]
    for name in names:
        scene.stack.freeze(name)
    time.sleep(COMMIT_SECONDS)
    opened = scene.open_slices(workers)
    scene.kills.append(Kill(time.time(), what, opened, in_flight=opened > 0, workers=workers))
    for name in names:
        scene.stack.kill(name, scene.choose(0.2, 2))
    scene.say(f"kill -9 of {', '.join(names)} with {opened} on the wire")


def _strike(scene: Scene, what: str, kill: Callable[[], None]) -> None:
    """Kill something that holds no slices itself."""
    opened = scene.open_slices()
    kill()
    scene.kills.append(Kill(time.time(), what, in_flight=opened > 0))
    scene.say(f"kill -9 of {what} while {opened} are on the wire")


def _without_postgres(scene: Scene, number: signal.Signals, meanwhile: Callable[[], None]) -> int:
    """Have PostgreSQL away for a while; how many messages were on the wire when it went."""
    opened, begun = scene.open_slices(), time.time()
    scene.stack.stop_postgres(number)
    scene.ledger.close()
    scene.say(f"PostgreSQL is stopped by {number.name} while {opened} are on the wire")
    meanwhile()
    scene.wait(scene.choose(0.2, 2))
    scene.stack.start_postgres()
    scene.windows.append(Window(begun, time.time(), "postgres", opened))
    return opened


def _misbehave(scene: Scene, mode: str, share: float, seconds: float) -> None:
    scene.say(f"the provider: {mode}")
    scene.trouble_provider(mode, share, seconds)


def _resume(scene: Scene, campaign_id: int) -> None:
    with suppress(NoAnswer):
        scene.owner.insist("POST", f"/campaigns/{campaign_id}/resume")


def _second_chance(scene: Scene, verb: str, body: dict[str, str]) -> None:
    """Ask for it on an ended campaign, where nobody but the owner moves anything; note what may be sent again."""
    with suppress(Away):
        ended = scene.ledger.campaigns("sent", "failed")
        if not ended:
            scene.later(AGAIN_SECONDS, lambda: _second_chance(scene, verb, body))
            return
        campaign_id = scene.random.choice(ended)
        messages = scene.ledger.unknown(campaign_id) if verb == "settle" else []
        at = time.time()
        status: int | str
        try:
            status, _ = scene.owner.call("POST", f"/campaigns/{campaign_id}/{verb}", body)
        except NoAnswer as fault:
            status = str(fault)
        if messages and (isinstance(status, str) or status == 202 or status >= 500):  # it was done, or may have been
            scene.resends.append(Resend(at, messages))
        there = "is not there" if status == 404 else f"answers {status}"
        scene.say(f"the owner's {verb} of campaign {campaign_id} {there}")


def _socket(url: str) -> str:
    return url.removeprefix("unix://").partition("?")[0]
