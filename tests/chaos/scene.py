"""What happens in a run: time passes, campaigns are sent, troubles strike, and all that was done is written down."""

import json
import random
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress

from tests.chaos.ledger import Away, Ledger
from tests.chaos.options import Options
from tests.chaos.owner import Owner
from tests.chaos.processes import Stack
from tests.chaos.verdict import Kill, Resend, Window

SAMPLE_SECONDS = 0.5
# How long to wait for slices to open before a strike. A worker that was killed takes some seconds to start.
OPEN_SECONDS = 15.0


class Scene:
    """The processes, the onlooker, the owner and the chronicle of one run; one thread does everything."""

    def __init__(self, options: Options, stack: Stack) -> None:
        self.options = options
        self.stack = stack
        self.random = random.Random(options.seed)
        self.ledger = Ledger(stack.database_url)
        self.owner = Owner(stack.listener.getsockname()[1], stack.token, self.wait)
        self.kills: list[Kill] = []
        self.windows: list[Window] = []
        self.resends: list[Resend] = []
        self.campaigns = 0
        self.begun = time.time()
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._sample_at = 0.0

    def say(self, sentence: str) -> None:
        """One line at the terminal, with the second of the run."""
        print(f"{time.time() - self.begun:7.1f} s  {sentence}", flush=True)

    def wait(self, seconds: float) -> None:
        """Let time pass, in which processes come back, what is due `later` is done, and the equation is looked at."""
        ends = time.monotonic() + seconds
        while True:
            self.stack.tend()
            self._do_due()
            self._look()
            rest = ends - time.monotonic()
            if rest <= 0:
                return
            time.sleep(min(0.05, rest))

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do it during a `wait` after that many seconds."""
        self._later.append((time.monotonic() + seconds, action))

    def settle(self) -> None:
        """Do at once all that was left for later."""
        due, self._later = self._later, []
        for _, action in due:
            action()

    def until(self, happens: Callable[[], object], seconds: float) -> bool:
        """Wait until it is true, for so long at the most; whether it is. A database that is away means no."""
        patience = time.monotonic() + seconds
        while time.monotonic() < patience:
            with suppress(Away):
                if happens():
                    return True
            self.wait(0.05)
        return False

    def choose(self, low: float, high: float) -> float:
        """A number between these two."""
        return self.random.uniform(low, high)

    def open_slices(self, workers: list[str] | None = None) -> int:
        """How many messages are on the wire now, of these workers or of all; 0 while nobody can tell."""
        with suppress(Away):
            return self.ledger.on_the_wire(workers)
        return 0

    def await_open(self, names: list[str] | None = None) -> None:
        """Wait until a slice is open, of these workers or of any, and then a moment more."""

        def open_now() -> int:
            workers = [worker for name in names if (worker := self.stack.worker(name))] if names is not None else None
            return self.ledger.on_the_wire(workers)

        self.until(open_now, OPEN_SECONDS)
        self.wait(self.choose(0, 0.3))

    def keep_busy(self) -> None:
        """Send a further campaign when little is left to go out: to everybody, or to a list of everybody's ids."""
        with suppress(Away):
            while self.ledger.left() < self.options.messages / 4:
                campaign_id = self.owner.draft()
                self.owner.send(campaign_id, self.audience())
                self.campaigns += 1

    def audience(self) -> dict[str, object]:
        """Everybody, one way or the other."""
        if self.random.random() < 0.5:
            return {"all": True}
        return {"customers": list(range(1, self.options.messages + 1))}

    def trouble_provider(self, mode: str, share: float, seconds: float) -> None:
        """Tell the provider how to behave, and for how long."""
        wish = json.dumps({"mode": mode, "share": share, "seconds": seconds}).encode()
        url = f"http://127.0.0.1:{self.stack.provider_port}/trouble"
        request = urllib.request.Request(url, wish, {"Content-Type": "application/json"})
        patience = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(request, timeout=5).close()  # noqa: S310  (our own address)
            except OSError:
                if time.monotonic() > patience:
                    sys.exit("The provider of the run does not answer.")
                self.wait(0.1)
            else:
                return

    def _do_due(self) -> None:
        now = time.monotonic()
        due = [item for item in self._later if item[0] <= now]
        self._later = [item for item in self._later if item[0] > now]
        for _, action in due:
            action()

    def _look(self) -> None:
        if time.monotonic() >= self._sample_at:
            with suppress(Away):
                self.ledger.sample()
            self._sample_at = time.monotonic() + SAMPLE_SECONDS
