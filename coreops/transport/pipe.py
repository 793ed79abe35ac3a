"""One channel of an SSH connection, keeping what arrives as chunks. Knows its window; never reads the socket itself."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from paramiko.common import cMSG_CHANNEL_WINDOW_ADJUST
from paramiko.message import Message

from coreops.transport.protocol import Chunk

if TYPE_CHECKING:
    Channel: Any  # the stubs leave out the internals this module builds on
else:
    from paramiko.channel import Channel


class Pipe(Channel):  # type: ignore[misc]
    """A channel that keeps what arrives as chunks, in order over both streams. The window bounds its memory."""

    def __init__(self, chanid: int, lock: threading.Lock) -> None:
        super().__init__(chanid)
        self.chunks: deque[Chunk] = deque()
        self.changed = threading.Condition(lock)
        self.settled = threading.Event()
        self.exit_signal = ""

    def _feed(self, m: Any) -> None:
        self.chunks.append(Chunk(1, m.get_binary()))

    def _feed_extended(self, m: Message) -> None:
        if m.get_int() == 1:
            self.chunks.append(Chunk(2, m.get_binary()))

    def _handle_request(self, m: Message) -> None:
        start = m.get_so_far()
        if m.get_text() == "exit-signal":
            m.get_boolean()
            self.exit_signal = m.get_text()
            return
        m.rewind()
        m.get_bytes(len(start))
        super()._handle_request(m)

    @property
    def exited(self) -> bool:
        """The peer has said how the command ended; output may still come."""
        return self.exit_status >= 0 or bool(self.exit_signal)

    def take(self) -> Chunk:
        """Remove the oldest chunk and let the peer send as much again."""
        chunk = self.chunks.popleft()
        ack = self._check_add_window(len(chunk.data))
        if ack > 0:
            m = Message()
            m.add_byte(cMSG_CHANNEL_WINDOW_ADJUST)
            m.add_int(self.remote_chanid)
            m.add_int(ack)
            self.transport._send_user_message(m)
        return chunk
