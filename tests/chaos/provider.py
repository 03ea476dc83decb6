"""The provider as a process of its own: keeps a log of what it accepted, by reference, and misbehaves when it is told.

    python -m tests.chaos.provider PORT LOG SEED

The log is written before the answer leaves. Each line is `{"at", "event", "reference"}`: `accepted`, or what was done
to a request that got no proper answer (`hung`, `dropped`, `failed`), whether or not it was accepted before.
`GET /accepted/REFERENCE` looks one up. `POST /trouble` says what to do to which share of the requests, and how long.
"""

import asyncio
import json
import os
import random
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import web

# Slower than this machine needs, so that slices stand open most of the time.
LATENCY_SECONDS = (0.1, 0.6)
HANG_SECONDS = 20.0
# What is noted of a request that gets no proper answer.
MISTREATMENTS = {"hang": "hung", "drop": "dropped", "fail": "failed"}
MODES = frozenset({"hang", "drop", "throttle", "busy", "fail", "twice"})


class Provider:
    """What it accepted, how it behaves now, and who is waiting for an answer."""

    def __init__(self, port: int, log: Path, seed: int) -> None:
        self.port = port
        self.random = random.Random(seed)
        self.accepted: dict[str, int] = {}
        self.waiting: dict[int, str] = {}
        self.mode, self.share, self.until = "", 0.0, 0.0
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._tasks: set[asyncio.Task[None]] = set()
        self._site: web.TCPSite | None = None
        app = web.Application()
        app.router.add_post("/messages", self.take)
        app.router.add_get("/accepted/{reference}", self.look_up)
        app.router.add_post("/trouble", self.misbehave)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)

    async def serve(self) -> None:
        """Answer for ever."""
        await self.runner.setup()
        await self._listen()
        await asyncio.Event().wait()

    async def take(self, request: web.Request) -> web.StreamResponse:
        """A message, treated as the moment wants it."""
        reference = str((await request.json())["reference"])
        mode = self._mode()
        if mode in {"throttle", "busy"}:
            return self._refuse(reference, mode)
        if mode not in {"hang", "fail"} or self.random.random() < 0.5:
            self._accept(reference)
        self.waiting[id(request)] = reference
        try:
            return await self._answer(request, reference, mode)
        finally:
            self.waiting.pop(id(request), None)

    async def look_up(self, request: web.Request) -> web.Response:
        """What became of a reference: 200 with its `id`, or 404."""
        reference = request.match_info["reference"]
        if reference not in self.accepted:
            return web.json_response({}, status=404)
        return web.json_response({"id": f"chaos-{reference}"})

    async def misbehave(self, request: web.Request) -> web.Response:
        """Take `{"mode", "share", "seconds"}`; the mode `away` refuses connections, an empty one is good behaviour."""
        wish: dict[str, Any] = await request.json()
        mode, seconds = wish.get("mode", ""), float(wish.get("seconds", 0))
        if mode == "away":
            task = asyncio.get_running_loop().create_task(self._go_away(seconds))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif mode and mode not in MODES:
            return web.json_response({"unknown": mode}, status=400)
        else:
            self.mode, self.share, self.until = mode, float(wish.get("share", 1.0)), time.monotonic() + seconds
        return web.json_response({"mode": mode})

    def _mode(self) -> str:
        within = time.monotonic() < self.until
        return self.mode if within and self.random.random() < self.share else ""

    def _accept(self, reference: str) -> None:
        self._write("accepted", reference)
        self.accepted[reference] = self.accepted.get(reference, 0) + 1

    def _refuse(self, reference: str, mode: str) -> web.Response:
        headers = {"Retry-After": "1"} if self.random.random() < 0.5 else {}
        return web.json_response({"reference": reference}, status=429 if mode == "throttle" else 503, headers=headers)

    async def _answer(self, request: web.Request, reference: str, mode: str) -> web.StreamResponse:
        answer = web.json_response({"id": f"chaos-{reference}", "reference": reference})
        if mode in MISTREATMENTS:
            self._write(MISTREATMENTS[mode], reference)
        await asyncio.sleep(HANG_SECONDS if mode == "hang" else self.random.uniform(*LATENCY_SECONDS))
        if mode == "fail":
            return web.json_response({"reference": reference}, status=500)
        if mode == "drop" and request.transport:
            request.transport.abort()
        if mode == "twice":
            with suppress(ConnectionError):  # whoever asked may have been killed
                await answer.prepare(request)
                await answer.write_eof()
                # At once, or when the next request may be waiting for its answer on this connection.
                await asyncio.sleep(self.random.choice((0, 0.05, 0.3)))
                if request.transport:
                    request.transport.write(_second(reference))
        return answer

    async def _go_away(self, seconds: float) -> None:
        """Close the listening socket and break every connection, those of waiting requests too; come back later."""
        await asyncio.sleep(0.05)  # for the answer to whoever told us
        if self._site is None:
            return
        site, self._site = self._site, None
        await site.stop()
        for reference in self.waiting.values():
            self._write("dropped", reference)
        for connection in self.runner.server.connections if self.runner.server else ():
            if connection.transport:
                connection.transport.abort()
        await asyncio.sleep(seconds)
        await self._listen()

    async def _listen(self) -> None:
        while self._site is None:
            site = web.TCPSite(self.runner, "127.0.0.1", self.port, reuse_address=True, backlog=1024)
            try:
                await site.start()
            except OSError:
                await asyncio.sleep(0.1)
                continue
            self._site = site

    def _write(self, event: str, reference: str) -> None:
        line = json.dumps({"at": time.time(), "event": event, "reference": reference}) + "\n"
        os.write(self._log, line.encode())


def _second(reference: str) -> bytes:
    body = json.dumps({"id": f"chaos-{reference}-again", "reference": reference}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


if __name__ == "__main__":
    _port, _log, _seed = sys.argv[1:]
    asyncio.run(Provider(int(_port), Path(_log), int(_seed)).serve())
