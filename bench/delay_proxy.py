"""A TCP proxy on loopback that holds every byte for half a round trip in each direction, and counts.

Round trips are counted by what each side can have known, not by the clock, so a busy machine does not disturb them:
what a client sends after an answer was delivered counts one more than that answer. TCP's own handshake is the first.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self


class DelayProxy:
    """Forwards ``port`` on 127.0.0.1 and its neighbours to the same address and ``target_port``."""

    def __init__(self, address: str, target_port: int, rtt: float) -> None:
        self.port = 0
        self.bytes_up = 0
        self.bytes_down = 0
        self.round_trips = 0
        self._address = address
        self._target_port = target_port
        self._half = rtt / 2
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
        if not self._started.wait(10):
            raise SystemExit("bench: the delaying proxy did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, self._address, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._started.set()

    async def _stop(self) -> None:
        self._server.close()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._address, self._target_port)
        clock = _Clock()
        try:
            await asyncio.gather(
                self._copy(reader, far_writer, clock, up=True), self._copy(far_reader, writer, clock, up=False)
            )
        except asyncio.CancelledError:
            pass  # the measurement is over
        finally:
            for each in (writer, far_writer):
                each.close()

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, clock: _Clock, *, up: bool
    ) -> None:
        queue: asyncio.Queue[tuple[float, int, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, number, data = await queue.get()
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                if not data:
                    writer.close()
                    return
                if up:
                    clock.server = max(clock.server, number)
                else:
                    clock.client = max(clock.client, number)
                    self.round_trips = max(self.round_trips, clock.client)
                writer.write(data)

        delivery = asyncio.create_task(deliver())
        try:
            while data := await reader.read(1 << 16):
                if up:
                    self.bytes_up += len(data)
                else:
                    self.bytes_down += len(data)
                number = clock.client + 1 if up else clock.server
                queue.put_nowait((self._loop.time() + self._half, number, data))
        except ConnectionError:
            pass  # one side hung up; the other one is told
        queue.put_nowait((self._loop.time() + self._half, 0, b""))
        await delivery


@dataclass(slots=True)
class _Clock:
    """The number of round trips behind what each side has received so far."""

    client: int = 1
    server: int = 1
