"""`make chaos`: campaigns under kill -9, and the comparison of what the provider got with what the ledger says."""

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from devstack.environment import BASE
from devstack.processes import die_with_make
from devstack.terminal import SIGNALS
from tests.chaos import logs, options, troubles
from tests.chaos.processes import Stack
from tests.chaos.scene import Scene
from tests.chaos.verdict import Evidence, Verdict, judge

CALM_SECONDS = 60.0
# Workers take some seconds to start, and on a busy machine many.
START_SECONDS = 60.0


def main() -> int:
    """Run it; 0 when every claim held."""
    chosen = options.read()
    troubles.check(chosen.only)
    print(f"SEED={chosen.seed} KILLS={chosen.kills} MESSAGES={chosen.messages}", flush=True)
    began, clock = datetime.now(UTC), time.monotonic()
    SIGNALS.listen()
    with Stack(chosen) as stack:
        scene = Scene(chosen, stack)
        try:
            strike(scene)
            unended = calm(scene)
            verdict = judge(gather(scene, unended))
        finally:
            stack.keep_logs(folder() / "chaos")
        figures: dict[str, Any] = {
            "seed": chosen.seed,
            "began": began.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - clock),
            "campaigns": scene.campaigns,
            **verdict.figures,
            "problems": verdict.problems,
            "ended_by_themselves": stack.deaths,
            "complaints": dict(logs.complaints(stack.var / "log").most_common()),
            "ledger": [list(row) for row in scene.ledger.summary()],
        }
        scene.ledger.close()
    tell(figures, verdict)
    return 1 if verdict.problems else 0


def strike(scene: Scene) -> None:
    """Send campaigns, and let troubles and kills befall them in turn until there were enough kills."""
    kills: list[troubles.Trouble] = []
    hurts: list[troubles.Trouble] = []
    scene.keep_busy()
    if not scene.until(scene.ledger.on_the_wire, START_SECONDS):
        sys.exit("The workers of the run deliver nothing.")
    for _ in range(scene.options.kills):
        scene.keep_busy()
        hurts = hurts or troubles.deck(scene, troubles.HURTS)
        kills = kills or troubles.deck(scene, troubles.KILLS)
        if hurts:
            hurts.pop()(scene)
            scene.wait(scene.choose(0, 1))
        if kills:
            kills.pop()(scene)
            scene.wait(scene.choose(0, 1.5))


def calm(scene: Scene) -> list[int]:
    """End all troubles and wait until everything has ended; the campaigns that have not after a minute."""
    scene.settle()
    scene.trouble_provider("", 0, 0)
    for campaign_id in scene.ledger.campaigns("paused"):
        scene.owner.insist("POST", f"/campaigns/{campaign_id}/resume")
    scene.say(f"calm: {scene.ledger.left()} messages are left")
    # What is left is a matter of speed: the minute begins when nothing but stragglers can be.
    scene.until(lambda: not scene.ledger.left(), scene.ledger.left() / 100 + CALM_SECONDS)
    scene.until(lambda: not scene.ledger.campaigns("sending", "paused"), CALM_SECONDS)
    scene.say("all is quiet")
    return scene.ledger.campaigns("sending", "paused", "scheduled", "draft")


def gather(scene: Scene, unended: list[int]) -> Evidence:
    """All that is known at the end."""
    scene.ledger.sample(everything=True)
    accepted, mistreated = logs.provider(scene.stack.provider_log)
    return Evidence(
        rows=scene.ledger.rows(),
        accepted=accepted,
        mistreated=mistreated,
        kills=scene.kills,
        windows=scene.windows,
        lines=logs.lines(scene.stack.var / "log"),
        resends=scene.resends,
        broken_equations=scene.ledger.broken,
        unended=unended,
        unwritten=scene.ledger.unwritten(),
        timeout_seconds=scene.options.timeout_seconds,
        lease_seconds=scene.options.lease_seconds,
        samples=scene.ledger.samples,
    )


def tell(figures: dict[str, Any], verdict: Verdict) -> None:
    """Print the figures and write them to `var/chaos.json`."""
    path = folder() / "chaos.json"
    path.write_text(json.dumps(figures, indent=2) + "\n")
    for name, value in figures.items():
        print(f"{name}: {value}")
    print(f"\n{' '.join(verdict.problems) or 'Nobody was forgotten and nobody was written to twice.'}")
    print(f"Written to {path}; the logs are in {folder() / 'chaos'}.")


def folder() -> Path:
    """CLARION_VAR, or `var/`; made when missing."""
    var = Path(os.environ.get("CLARION_VAR") or BASE / "var").resolve()
    var.mkdir(mode=0o700, parents=True, exist_ok=True)
    return var


if __name__ == "__main__":
    die_with_make()
    sys.exit(main())
