"""How many connections there are at a time. When all places are taken, who dawdles at asking loses his."""

from __future__ import annotations

import select
import socket
import threading
import time
from dataclasses import dataclass, field


@dataclass(eq=False)
class Place:
    """One connection's place. asking: its request has not been read yet."""

    connection: socket.socket
    since: float = field(default_factory=time.monotonic)
    asking: bool = True

    @property
    def pending(self) -> bool:
        """Whether there is something to read."""
        try:
            poll = select.poll()
            poll.register(self.connection, select.POLLIN)
            return bool(poll.poll(0))
        except (OSError, ValueError):
            return True  # its thread is just closing it, or making TLS of it

    def hang_up(self) -> None:
        """End the connection under its thread, which then sees the end of its input; under TLS, if there is any."""
        try:
            socket.socket.shutdown(self.connection, socket.SHUT_RDWR)
        except OSError:
            return  # it has ended by itself


class Slots:
    """At most ``most`` places. patience: seconds that a peer has to ask its question when others wait."""

    def __init__(self, most: int, patience: float) -> None:
        self._most = most
        self._patience = patience
        self._places: set[Place] = set()
        self._change = threading.Condition()
        self._closing = False

    def enter(self, connection: socket.socket) -> Place | None:
        """Wait for a place; None when closing."""
        with self._change:
            while len(self._places) >= self._most and not self._closing:
                self._change.wait(self._evict())
            if self._closing:
                return None
            place = Place(connection)
            self._places.add(place)
            return place

    def leave(self, place: Place) -> None:
        """Give the place to another."""
        with self._change:
            self._places.discard(place)
            self._change.notify_all()

    def close(self, seconds: float) -> None:
        """Let nobody in, send those away who have not asked, and let the others finish."""
        deadline = time.monotonic() + seconds
        with self._change:
            self._closing = True
            self._change.notify_all()
            for place in self._places:
                if place.asking:
                    place.hang_up()
            self._change.wait_for(lambda: not self._places, max(0.0, deadline - time.monotonic()))

    def _evict(self) -> float:
        """Hang up on the one that asks for longest, if for too long. Returns how long to wait for a place.

        Not on one whose words are here and only not read yet: then it is we who dawdle.
        """
        asking = [place for place in self._places if place.asking and not place.pending]
        if not asking:
            return self._patience / 4
        oldest = min(asking, key=lambda place: place.since)
        left = oldest.since + self._patience - time.monotonic()
        if left > 0:
            return left
        oldest.hang_up()
        oldest.asking = False
        return self._patience / 4
