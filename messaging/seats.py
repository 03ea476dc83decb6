"""How many threads of this process deliver for which account."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from messaging import leases, throttle
from messaging.leases import Lease

OTHERS = 2


class Seats:
    """The threads of this process that may deliver at once.

    Two threads are left for sweeps, starts and a launch, and no account gets more than half of them: a provider that
    hangs for its whole time-out holds up neither the sweep nor the campaigns of another; one whose limit lets nothing
    out for long gets one thread that waits for it. A worker should have four
    threads at least; with two, one delivers and the other does everything else.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    @contextmanager
    def lease(self) -> Iterator[Lease | None]:
        """The next batch for which there is a seat, with a seat for as long as this lasts; None when there is none.

        Raises what `leases.take` raises. One thread at a time chooses, so that two cannot take one account's last seat.
        """
        with self._lock:
            lease = self._take()
        try:
            yield lease
        finally:
            if lease:
                with self._lock:
                    self._taken[lease.provider] -= 1

    def _take(self) -> Lease | None:
        if self._taken.total() >= max(1, self.threads - OTHERS):
            return None
        each = max(1, self.threads // 2)
        full = [alias for alias, count in self._taken.items() if count >= each]
        lease = leases.take(without=[*full, *throttle.awaited()])
        if lease:
            self._taken[lease.provider] += 1
        return lease
