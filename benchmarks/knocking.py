"""Posts requests of a hundred receipts to the door, as a vendor does: `python -m benchmarks.knocking URL BODIES`.

Each line of the file BODIES is a body; eight connections post them as fast as the door answers.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from messaging.providers.simulated_receipts import SIGNATURE, sign

CONNECTIONS = 8


async def knock(url: str, bodies: Iterator[bytes]) -> None:
    """Post them all and read every answer."""
    secret = os.environ["BENCH_SECRET"]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post() -> None:
            for body in bodies:
                async with session.post(url, data=body, headers={SIGNATURE: sign(secret, body)}) as answer:
                    answer.raise_for_status()
                    await answer.read()

        await asyncio.gather(*(post() for _ in range(CONNECTIONS)))


def main(url: str, path: str) -> None:
    """Post the lines of the file."""
    asyncio.run(knock(url, iter(Path(path).read_bytes().splitlines())))


if __name__ == "__main__":
    main(*sys.argv[1:])
