"""A bare aiohttp loop, the yardstick of delivery over HTTP: `python -m benchmarks.posting URL BODIES IN_FLIGHT`.

Posts each line of the file BODIES, JSON, with so many on the wire at once; writes its seconds and its processor
seconds, as JSON, into the file that BENCH_READY names.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp


async def post_all(url: str, bodies: Iterator[Any], in_flight: int) -> None:
    """Post them and read every answer."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post() -> None:
            for body in bodies:
                async with session.post(url, json=body) as answer:
                    answer.raise_for_status()
                    await answer.read()

        await asyncio.gather(*(post() for _ in range(in_flight)))


def main(url: str, path: str, in_flight: str) -> None:
    """Measure one run; reading the bodies is not part of it."""
    bodies = [json.loads(line) for line in Path(path).read_text().splitlines()]
    begun, cpu = time.monotonic(), time.process_time()
    asyncio.run(post_all(url, iter(bodies), int(in_flight)))
    took = {"seconds": time.monotonic() - begun, "cpu_seconds": time.process_time() - cpu}
    Path(os.environ["BENCH_READY"]).write_text(json.dumps(took))


if __name__ == "__main__":
    main(*sys.argv[1:])
