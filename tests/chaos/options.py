"""What a run is asked for, from the environment."""

import os
import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

BREAKS = frozenset({"", "claim", "lease", "fence"})


@dataclass(frozen=True, slots=True)
class Options:
    """`only` are the troubles to choose from (empty: all); `sabotage` is what to break in the workers on purpose."""

    seed: int
    kills: int = 20
    messages: int = 20_000
    only: frozenset[str] = field(default_factory=frozenset)
    sabotage: str = ""
    timeout_seconds: float = 2.5
    in_flight: int = 50

    @property
    def lease_seconds(self) -> float:
        """How long a worker may be silent: see `messaging.leases.take`."""
        return 2 * self.timeout_seconds + 5


def read(environ: Mapping[str, str] = os.environ) -> Options:
    """The options of SEED, KILLS, MESSAGES, TROUBLES and SABOTAGE; ends the program when one makes no sense."""
    try:
        options = Options(
            seed=int(environ.get("SEED") or random.randrange(1, 1_000_000)),
            kills=int(environ.get("KILLS") or 20),
            messages=int(environ.get("MESSAGES") or 20_000),
            only=frozenset(filter(None, environ.get("TROUBLES", "").split(","))),
            sabotage=environ.get("SABOTAGE", ""),
        )
    except ValueError as mistake:
        sys.exit(f"SEED, KILLS and MESSAGES are whole numbers: {mistake}")
    if options.kills < 0 or options.messages < 1 or options.sabotage not in BREAKS:
        sys.exit(f"KILLS is 0 or more, MESSAGES 1 or more, and SABOTAGE one of {', '.join(sorted(BREAKS - {''}))}.")
    return options
